"""The rule filter: word lists by category, from a TOML file (`configs/filters/default.toml` says how it is written)."""

import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from kbcore.domain.document import Classification
from kbcore.errors import ConfigurationError
from services.guard.filters import ALLOWED, Decision, Direction, Verdict
from services.guard.plain_text import plain

MASKED = "******"
"""Stands for what a rule masks."""

_CREDENTIALS = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,8000}(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,200}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,255}\b|\bgithub_pat_[A-Za-z0-9_]{20,255}\b|\bglpat-[A-Za-z0-9_-]{16,64}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,200}|\bAIza[A-Za-z0-9_-]{30,60}"
    r"|\beyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,1000}"
    r"|\b[a-z][a-z0-9+]{1,15}://[^\s:/@]{1,64}:(?P<url>[^\s@/]{1,128})@"
    r"|(?:\b(?:password|passwd|pwd|passphrase|api[ _-]?key|secret[ _-]?key|access[ _-]?token|client[ _-]?secret)"
    r"\b ?(?:is|was|=|:|：) ?|(?:密码|口令|密钥|令牌)(?: ?[=:：]| ?(?:是|为)) ?)"
    r"[\"'“‘`]?(?P<said>(?=[!-~]{0,63}[\d!@#$%^&*_+=\-])[!#-&(-+.-~-]{6,64})",
    re.IGNORECASE,
)
"""Keys of well-known forms, and what somebody calls a password if it has a digit or sign in it."""


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    category: str
    direction: Literal["in", "out", "both"] = "in"
    action: Decision
    words: tuple[str, ...] = ()
    detector: Literal["credentials"] | None = None
    notice_zh: str = ""
    notice_en: str = ""

    @model_validator(mode="after")
    def _speaks(self) -> "_Rule":
        if bool(self.words) == (self.detector is not None):
            raise ValueError("a rule has either words or a detector")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.category):
            raise ValueError("a category is a word of a-z, 0-9 and _")
        return self


class RuleFilter:
    """`ContentFilter` by word lists; the first rule that speaks decides, masks add up."""

    def __init__(self, name: str, rules: "tuple[_Compiled, ...]") -> None:
        self._name = name
        self._rules = rules

    @classmethod
    def read(cls, name: str, file: Path) -> "RuleFilter":
        """The rules of a file. Raises `ConfigurationError`."""
        try:
            tree = tomllib.loads(file.read_text(encoding="utf-8"))
            return cls(name, tuple(_Compiled(entry) for entry in tree["rules"]))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError, KeyError, TypeError) as error:
            raise ConfigurationError(f"setting guard.filters: {file} is no list of rules ({error})") from None

    @property
    def name(self) -> str:
        """As in `[guard] filters`."""
        return self._name

    @property
    def most_secret(self) -> Classification:
        """Everything: it works in this process."""
        return max(Classification)

    def check(self, text: str, direction: Direction, language: str) -> Verdict:
        """What the rules say."""
        shown = plain(text).text
        masked, verdict = text, ALLOWED
        for rule in self._rules:
            if not rule.speaks(shown, masked, direction):
                continue
            if rule.decision is Decision.ALLOW:
                return verdict
            if rule.decision is Decision.REFUSE:
                return Verdict(Decision.REFUSE, rule.category, notice=rule.notice(language))
            masked = rule.hide(masked)
            verdict = Verdict(Decision.MASK, rule.category, masked, rule.notice(language))
        return verdict


class _Compiled:
    def __init__(self, entry: dict[str, object]) -> None:
        self._with = _words(entry.pop("with", ()))
        self._rule = _Rule.model_validate(entry)
        self._words = _words(self._rule.words)
        self.decision = self._rule.action
        self.category = self._rule.category

    def speaks(self, shown: str, text: str, direction: Direction) -> bool:
        if self._rule.direction not in (direction.value, "both"):
            return False
        if self._rule.detector is not None:
            return _CREDENTIALS.search(text) is not None
        if self._words is None or not self._words.search(shown):
            return False
        return self._with is None or self._with.search(shown) is not None

    def hide(self, text: str) -> str:
        if self._rule.detector is not None:
            return _CREDENTIALS.sub(_covered, text)
        seen = plain(text)
        for found in reversed(list(self._words.finditer(seen.text) if self._words else ())):
            text = text[: seen.places[found.start()]] + MASKED + text[seen.places[found.end() - 1] + 1 :]
        return text

    def notice(self, language: str) -> str:
        return self._rule.notice_zh if language == "zh" else self._rule.notice_en


def _covered(found: re.Match[str]) -> str:
    secret = found.group("said") or found.group("url")
    return found.group().replace(secret, MASKED) if secret else MASKED


def _words(words: object) -> re.Pattern[str] | None:
    """One pattern of literal words, whole ones where they are of Latin letters; None for no words."""
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) and word for word in words):
        raise TypeError("words must be a list of strings")
    folded = [plain(word).text for word in words]
    parts = [rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])" if word.isascii() else re.escape(word) for word in folded]
    return re.compile("|".join(parts)) if parts else None
