"""What `search` names and `fetch` takes: a place in a version of a document, as one string.

`<document>:<version>:<start>-<end>` is a passage, `<document>:<version>` a version, `<document>` what readers see now.
It says where to look and grants nothing: `fetch` asks for the caller's rights, as if nobody had searched.
"""

import re
from dataclasses import dataclass
from typing import Self

from kbcore.errors import NotFound

_FORM = re.compile(
    r"(?P<document>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"(?::(?P<version>[0-9]{1,9})(?::(?P<start>[0-9]{1,9})-(?P<end>[0-9]{1,9}))?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to read. `version` None = the one that readers see; `start` and `end` are characters of its stored text."""

    document_id: str
    version: int | None = None
    start: int = 0
    end: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `NotFound("document")` for what is no such string: it names nothing."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise NotFound("document")
        version = match["version"]
        return cls(
            match["document"],
            None if version is None else int(version),
            int(match["start"] or 0),
            int(match["end"] or 0),
        )

    def __str__(self) -> str:
        if self.version is None:
            return self.document_id
        span = f":{self.start}-{self.end}" if self.end else ""
        return f"{self.document_id}:{self.version}{span}"

    def window(self, length: int, limit: int) -> tuple[int, int]:
        """At most `limit` characters (start, end) of a text of `length`, with the passage in the middle."""
        start = min(self.start, length)
        spare = max(limit - max(self.end - start, 0), 0)
        begin = max(start - spare // 2, 0)
        finish = min(begin + limit, length)
        return max(finish - limit, 0) if begin < start else begin, finish
