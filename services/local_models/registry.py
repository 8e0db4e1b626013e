"""The local models of one data folder: `<home>/models/models.json`, beside their files."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kbcore.errors import ConfigurationError
from services.local_models.catalogue import OFFERS, Offer


@dataclass(frozen=True, slots=True)
class Registry:
    """`added` is the file name of each model that was added, by its name.

    `default` is what `zhiku models use` chose to answer here, None if the settings decide.
    """

    added: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None


def models_folder(home: Path) -> Path:
    """Where the models of a data folder lie."""
    return home / "models"


def model_file(home: Path, offer: Offer) -> Path:
    """Where this model's file is, or will be."""
    return models_folder(home) / offer.file


def read(home: Path) -> Registry:
    """What was added. Raises `ConfigurationError` for a file that cannot be understood."""
    file = models_folder(home) / "models.json"
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
        added = {str(name): str(entry["file"]) for name, entry in tree["models"].items()}
        return Registry(added, tree.get("default"))
    except FileNotFoundError:
        return Registry()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(f"{file} can't be understood; remove it and run `zhiku models add` again") from None


def write(home: Path, registry: Registry) -> None:
    """Replace the file in one step."""
    file = models_folder(home) / "models.json"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    tree = {"models": {name: {"file": held} for name, held in registry.added.items()}, "default": registry.default}
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(tree, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)


def installed(home: Path) -> Offer | None:
    """The model that `zhiku up` starts: added, its file in full length (its hash was checked then)."""
    for name in read(home).added:
        offer = OFFERS.get(name)
        if offer is not None:
            file = model_file(home, offer)
            if file.is_file() and file.stat().st_size == offer.size:
                return offer
    return None
