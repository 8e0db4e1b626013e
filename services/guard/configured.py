"""From settings to the guard."""

from functools import lru_cache
from pathlib import Path

from kbcore.bootstrap import Platform
from kbcore.domain.document import Classification
from kbcore.egress.client import Egress
from kbcore.errors import ConfigurationError
from kbcore.llm.interface import AnswerModel
from kbcore.settings import CONFIG_FOLDER, GuardSettings
from services.guard.filters import ContentFilter, Decision
from services.guard.guard import Guard
from services.guard.http_filter import HttpFilter
from services.guard.model import Masking
from services.guard.rules import RuleFilter
from services.guard.sources import Handling


def guard_of(platform: Platform) -> Guard:
    """The installation's guard. Raises `ConfigurationError` if a filter or the list of names cannot be read."""
    return _guard(platform.settings.guard, platform.egress)


def guarded_model(platform: Platform, model: AnswerModel) -> AnswerModel:
    """The model as it may be asked: behind the guard, its `mask_personal_data` heeded."""
    return guard_of(platform).model(model, mask_personal_data=model.name in _masking_models(platform))


def _masking_models(platform: Platform) -> set[str]:
    return {entry.name for entry in platform.settings.llm.models if entry.mask_personal_data}


@lru_cache(maxsize=8)
def _guard(settings: GuardSettings, egress: Egress) -> Guard:
    distant = {each.name: each for each in settings.http_filters}
    filters: list[ContentFilter] = []
    for name in settings.filters:
        if name in distant:
            entry = distant[name]
            filters.append(
                HttpFilter(
                    name,
                    egress,
                    url=entry.url,
                    kind=entry.kind,
                    model=entry.model,
                    api_key=entry.api_key.get_secret_value(),
                    most_secret=Classification.of(entry.max_classification),
                    timeout_s=entry.timeout_s,
                )
            )
        else:
            file = Path(name) if name.endswith(".toml") else CONFIG_FOLDER / "filters" / f"{name}.toml"
            filters.append(RuleFilter.read(name, file))
    return Guard(
        handling=Handling(settings.tainted, settings.tainted_above),
        masking=Masking(_names(settings.masked_names), settings.phone_regions),
        filters=tuple(filters),
        unseen={each.name: Decision(each.unseen) for each in settings.http_filters},
        prompts=CONFIG_FOLDER / "prompts",
    )


def _names(file: str) -> tuple[str, ...]:
    if not file:
        return ()
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"setting guard.masked_names: {file} cannot be read ({error})") from None
    return tuple(line.strip() for line in lines if line.strip())
