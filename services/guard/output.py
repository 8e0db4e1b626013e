"""What a model says, before it is verified and shown: nothing that could carry data away, nothing of the prompt.

A statement that fails is dropped, and the reason counted. Passing is not enough: `services/query/cite.py` still wants a
passage that says the same.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from kbcore.llm.interface import Source
from services.guard.instructions import Taint
from services.guard.masking import PLACEHOLDER


class Fault(StrEnum):
    """Why a statement is not shown; the fixed vocabulary of traces and metrics."""

    IMAGE = "image"  # and other HTML that loads something by itself
    SCRIPT = "script"  # data: and javascript: addresses, HTML that does something
    MARKUP = "markup"  # HTML
    LINK = "link"
    CONTACT = "contact"  # e-mail addresses and telephone numbers
    CODE = "code"  # code fences
    MARKER = "marker"  # something like a citation that cites nothing
    PLACEHOLDER = "placeholder"  # of masked data that was never masked
    PROMPT = "prompt"  # words of the system prompt
    ECHO = "instruction_echo"  # only a stretch that looks like instructions says so
    FILTERED = "filtered"  # a content filter refuses it


_ALT_ENDS = re.compile(r"\]\s?[(\[]")
_LOADING = re.compile(
    r"<(?:img|image|svg|picture|source|track|video|audio|iframe|frame|object|embed|applet|link|style|base|meta|input)"
    r"(?![\w-])|<[a-z][^<>]{0,500}[\s\"'/](?:src|srcset|background|poster|style)\s{0,9}=",
    re.IGNORECASE,
)
_ACTIVE = re.compile(r"<script(?![\w-])|<[a-z][^<>]{0,500}[\s\"'/]on[a-z]{3,30}\s{0,9}=", re.IGNORECASE)
_SCRIPT = re.compile(r"\b(?:data:[\w/+.-]{0,60}[;,]|javascript:|vbscript:|file:/)", re.IGNORECASE)
_ENCODED = re.compile(r"&#(?:\d{1,7}|x[0-9a-f]{1,6});", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x1f]")
_DEFINITION = re.compile(
    r"^[ >]{0,6}\[[^\]\n]{1,200}\]:\s{0,9}<?(?:[a-z][a-z0-9+.-]{1,15}:|[/\\])", re.IGNORECASE | re.MULTILINE
)
"""What a markdown link or image somewhere else in the answer, or one of our own markers, would lead to."""
_MARKUP = re.compile(r"</?[a-zA-Z][a-zA-Z0-9:-]{0,30}(?:[\s/][^<>]{0,500})?>|<!--")
_LINK = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\b(?:https?|ftp|mailto|sms):|\bwww\.|(?<![\w:])//(?=[\w-]{1,63}\.))"
    r"[^\s<>()\[\]“”\"'，。；、（）]{1,500}"
    r"|\]\(\s{0,3}[^)\s]{1,500}|^\[[^\]\n]{1,80}\]: ?\S{1,500}",
    re.IGNORECASE | re.MULTILINE,
)
_BARE_DOMAIN = re.compile(
    r"(?<![\w@.-])(?:(?:[a-z0-9-]{1,63}\.){1,4}(?:com|net|org|io|cn|ru|xyz|top|info|dev|app|site|online|me|co|link|click"
    r"|biz|ai|tk|zip|mov|uk|de|fr|jp|eu|tv|gg|sh|ly|cc|vip|icu|pw|ws|cloud|shop|club|page|tech)(?![\w.-]*\w)"
    r"|(?:\d{1,3}\.){3}\d{1,3}(?=[:/]))(?::\d{1,5})?(?:/[^\s<>()“”\"'，。；、（）]{0,300})?",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}|(?<![\w.])\+?\(?\d(?:[ ().-]{0,2}\d){7,14}(?![\w])"
)
_FENCE = re.compile(r"```|~~~")
_MARKER = re.compile(
    r"[\[【［](?:\^?\d[\d\s,，、-]{0,20}|(?:source|来源|资料|文档|citation)[^\]】］]{0,20})[\]】］]", re.IGNORECASE
)
_SHORTEST_LEAK = {True: 8, False: 24}
"""Letters in a row that a statement must share with the prompt to be suspicious; Han (True) and others."""
_LEAKED = 0.5
_ECHOED = 0.8
"""Share of a statement's letters (in runs of `_RUN`) that stand in suspicious stretches and nowhere else."""
_RUN = 4
_LEAST_RUNS = 2


class OutputCheck:
    """Checks the statements of one answer. `sources` are as the documents have them, `taints` by their numbers."""

    def __init__(self, sources: Sequence[Source], taints: Mapping[int, Taint], system: str) -> None:
        """`system` is the fixed text that the model was given."""
        clean: list[str] = []
        suspicious: list[str] = []
        for source in sources:
            inside, outside = _split(source.text, taints[source.number].spans if source.number in taints else ())
            place = " ".join((source.title, *source.heading))
            (suspicious if source.number in taints else clean).append(place)
            suspicious.append(inside)
            clean.append(outside)
        self._clean = _folded("\n".join(clean))
        self._clean_runs = _runs(_letters("\n".join(clean)), _RUN)
        self._suspicious_runs = _runs(_letters("\n".join(suspicious)), _RUN) - self._clean_runs
        self._system = {han: _runs(_letters(system), length) for han, length in _SHORTEST_LEAK.items()}

    def fault(self, text: str) -> Fault | None:
        """Why this statement must not be shown; None if nothing speaks against it."""
        if unsafe := unsafe_markup(text):
            return unsafe
        folded = unicodedata.normalize("NFKC", text)
        for fault, patterns in _ONLY_AS_QUOTED:
            if any(self._is_new(found.group()) for pattern in patterns for found in pattern.finditer(folded)):
                return fault
        if PLACEHOLDER.search(text):
            return Fault.PLACEHOLDER
        if self._leaks(text):
            return Fault.PROMPT
        return Fault.ECHO if self._echoes(text) else None

    def _is_new(self, found: str) -> bool:
        return _folded(found.rstrip(".,;:!?。，；：！？")) not in self._clean

    def _leaks(self, text: str) -> bool:
        letters = _letters(text)
        length = _SHORTEST_LEAK[_is_han(letters)]
        runs = _runs(letters, length)
        return bool(runs) and len(runs & self._system[_is_han(letters)]) >= _LEAKED * len(runs)

    def _echoes(self, text: str) -> bool:
        runs = _runs(_letters(text), _RUN)
        told = len(runs & self._suspicious_runs)
        return (
            told >= _LEAST_RUNS and told + len(runs & self._clean_runs) >= _ECHOED * len(runs) and told * 3 >= len(runs)
        )


_ONLY_AS_QUOTED = (
    (Fault.MARKUP, (_MARKUP,)),
    (Fault.LINK, (_LINK, _BARE_DOMAIN)),
    (Fault.CONTACT, (_CONTACT,)),
    (Fault.CODE, (_FENCE,)),
    (Fault.MARKER, (_MARKER,)),
)
"""What may stand in an answer only if it stands literally in a source, outside of suspicious stretches."""


def unsafe_markup(text: str) -> Fault | None:
    """What no answer may contain, not even as a quote.

    Images and whatever else clients fetch unasked, script addresses, and where the answer's markers should lead.
    """
    folded = unicodedata.normalize("NFKC", text)
    image = folded.find("![")
    if (image >= 0 and _ALT_ENDS.search(folded, image)) or _LOADING.search(folded):
        return Fault.IMAGE
    plain = _CONTROL.sub("", html.unescape(folded))  # as clients read an address
    if _ENCODED.search(folded) or _SCRIPT.search(plain) or _ACTIVE.search(folded):
        return Fault.SCRIPT
    return Fault.LINK if _DEFINITION.search(folded) else None


def _split(text: str, spans: Iterable[tuple[int, int]]) -> tuple[str, str]:
    """What is inside and outside of these stretches."""
    inside, outside, done = [], [], 0
    for start, end in spans:
        outside.append(text[done:start])
        inside.append(text[start:end])
        done = end
    return "\n".join(inside), "\n".join((*outside, text[done:]))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _letters(text: str) -> str:
    return "".join(character for character in _folded(text) if character.isalnum())


def _runs(letters: str, length: int) -> set[str]:
    return {letters[at : at + length] for at in range(len(letters) - length + 1)}


def _is_han(letters: str) -> bool:
    return sum("\u3400" <= character <= "\u9fff" for character in letters) * 2 >= len(letters)
