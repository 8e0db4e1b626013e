"""Content filters behind HTTP: an OpenAI-shaped moderation endpoint, or a simple JSON service of one's own."""

import json
from typing import Any, Literal
from urllib.parse import urlsplit

from kbcore.domain.document import Classification
from kbcore.egress.client import Egress
from kbcore.errors import Unavailable, ZhikuError
from services.guard.filters import ALLOWED, Decision, Direction, Verdict

_MOST_BYTES = 1 << 20
_NOTICE = {
    "zh": "抱歉，这个问题不符合使用规定，无法回答。",
    "en": "Sorry, this question is outside of what may be asked here.",
}


class HttpFilter:
    """`ContentFilter` that asks a server. `kind` is its shape:

    - `openai`: `{"input": text, "model": …}` → `{"results": [{"flagged": …, "categories": {word: bool}}]}`;
    - `json`: `{"text", "direction", "language"}` → `{"action": "allow" | "refuse" | "mask", "reason", "text"}`.
    """

    def __init__(
        self,
        name: str,
        egress: Egress,
        *,
        url: str,
        kind: Literal["openai", "json"],
        model: str,
        api_key: str,
        most_secret: Classification,
        timeout_s: float,
    ) -> None:
        self._name = name
        self._egress = egress
        self._url = url
        self._kind = kind
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._most_secret = most_secret
        self._timeout_s = timeout_s

    @property
    def name(self) -> str:
        """As in `[guard] filters`."""
        return self._name

    @property
    def most_secret(self) -> Classification:
        """The highest level of text that is sent there."""
        return self._most_secret

    def check(self, text: str, direction: Direction, language: str) -> Verdict:
        """What the server says. Raises `Unavailable` (`filter_unavailable`)."""
        if self._kind == "openai":
            asked: dict[str, str] = {"input": text, **({"model": self._model} if self._model else {})}
        else:
            asked = {"text": text, "direction": direction.value, "language": language}
        notice = _NOTICE.get(language, _NOTICE["en"])
        answer = self._ask(asked)
        try:
            return _flagged(answer, notice) if self._kind == "openai" else _judged(answer, notice)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise self._unavailable("it does not answer as expected") from None

    def _ask(self, asked: dict[str, str]) -> Any:
        try:
            fetched = self._egress.request(
                "POST",
                self._url,
                headers={"Content-Type": "application/json", **self._headers},
                content=json.dumps(asked).encode(),
                allow=(urlsplit(self._url).netloc.rpartition("@")[2],),
                max_bytes=_MOST_BYTES,
                timeout_s=self._timeout_s,
            )
            if fetched.status != 200:
                raise self._unavailable(f"HTTP {fetched.status}")
            return json.loads(fetched.body)
        except (ZhikuError, ValueError) as error:
            if isinstance(error, Unavailable) and error.code == "filter_unavailable":
                raise
            raise self._unavailable(type(error).__name__) from None

    def _unavailable(self, why: str) -> Unavailable:
        # Neither the address nor the text: both may be secret.
        return Unavailable(f"the content filter {self._name} does not answer ({why})", code="filter_unavailable")


def _flagged(answer: Any, notice: str) -> Verdict:
    result = answer["results"][0]
    if not isinstance(result["flagged"], bool):
        raise TypeError
    if not result["flagged"]:
        return ALLOWED
    spoken = sorted(word for word, flag in result.get("categories", {}).items() if flag is True)
    return Verdict(Decision.REFUSE, _word(spoken[0] if spoken else "flagged"), notice=notice)


def _judged(answer: Any, notice: str) -> Verdict:
    decision = Decision(answer["action"])
    if decision is Decision.ALLOW:
        return ALLOWED
    masked = answer["text"] if decision is Decision.MASK else ""
    if not isinstance(masked, str):
        raise TypeError
    return Verdict(decision, _word(str(answer.get("reason") or "flagged")), masked, notice)


def _word(reason: str) -> str:
    """A foreign reason as a word of ours: lower case, at most 40 characters."""
    return "".join(character if character.isascii() and character.isalnum() else "_" for character in reason.lower())[
        :40
    ]
