"""Make `unstructured` work without a network, and small: the one place that knows its insides.

It classifies sentences with a spaCy model that it downloads on first use, and importing spaCy costs 0.7 s and 50 MB.
What Zhiku takes from it (styles, structure, tables) needs none of that, so an empty module stands in for spaCy and
the three functions that call the model get rules. `tests/integration/test_load_offline.py` notices when a new version
of the library moves these places.
"""

import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from kbcore.settings import silence_telemetry


def prepare() -> None:
    """Call once, before anything of `unstructured` is imported. Calling again does nothing.

    Raises `RuntimeError` when the library is not built as expected (after an upgrade).
    """
    if "unstructured.nlp.tokenize" in sys.modules:
        return
    silence_telemetry()
    _stand_in_for_spacy()
    from unstructured.nlp import tokenize  # noqa: PLC0415 — only after the lines above
    from unstructured.partition import text_type  # noqa: PLC0415
    from unstructured.utils import _telemetry_opt_out  # noqa: PLC0415

    for module in (tokenize, text_type):
        for name, rule in _RULES.items():
            if not hasattr(module, name):
                raise RuntimeError(f"unstructured changed: {module.__name__} has no {name}")
            setattr(module, name, rule)
    text_type.contains_verb = _any_text_may_be_prose
    if not _telemetry_opt_out():
        raise RuntimeError("unstructured changed: its telemetry cannot be switched off by DO_NOT_TRACK any more")
    logging.getLogger("unstructured").setLevel(logging.CRITICAL)


def prepare_html() -> None:
    """As `prepare`, and HTML paragraphs of a single character (是, 无, 5) are kept, which the library drops."""
    prepare()
    from unstructured.documents.elements import Text  # noqa: PLC0415 — only after `prepare`
    from unstructured.partition.html import parser  # noqa: PLC0415

    classify: Callable[[str], Any] = parser.derive_element_type_from_text
    if classify.__module__ != __name__:
        parser.derive_element_type_from_text = lambda text: classify(text) or (Text if text.strip() else None)


def _stand_in_for_spacy() -> None:
    spacy, language, tokens = (ModuleType(name) for name in ("spacy", "spacy.language", "spacy.tokens"))
    for module, attribute in ((language, "Language"), (tokens, "Doc")):
        setattr(module, attribute, type(attribute, (), {}))
        setattr(spacy, module.__name__.rpartition(".")[2], module)
    sys.modules.update({"spacy": spacy, "spacy.language": language, "spacy.tokens": tokens})


def _no_tags(text: str) -> list[tuple[str, str]]:
    return [(word, "") for word in text.split()]


def _one_sentence(text: str) -> list[str]:
    return [text]


def _any_text_may_be_prose(text: str) -> bool:
    return bool(text)


_RULES: dict[str, Callable[[str], object]] = {
    "pos_tag": _no_tags,
    "sent_tokenize": _one_sentence,
    "word_tokenize": str.split,
}
"""For the functions of `unstructured.nlp.tokenize` that need the model; `text_type` imports them by name."""
