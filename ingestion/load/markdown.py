"""Markdown (CommonMark with tables), by way of HTML."""

import re
from pathlib import Path

from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.web_page import read_html
from kbcore.domain.chunk import ElementKind, Loaded
from kbcore.domain.media_types import MARKDOWN

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<fields>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_DEEPEST = 100
"""Levels of lists and quotes; the library drops what is deeper (its own default is 20, ten nested lists)."""
_TITLE = re.compile(r"^title:[ \t]*(['\"]?)(?P<title>.+?)\1[ \t]*$", re.MULTILINE)


def load(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """A Markdown file. Its title is the front matter's `title`, or the only top heading if that comes first."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 — heavy for what most files need

    text = decode(path.read_bytes()).replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    stated = _TITLE.search(front["fields"]) if front else None
    markup = (
        MarkdownIt("commonmark", {"maxNesting": _DEEPEST})
        .enable(["table", "strikethrough"])
        .render(text[front.end() :] if front else text)
    )
    elements, _ = read_html(markup)
    tops = [element for element in elements if element.kind is ElementKind.HEADING and element.depth == 1]
    first = tops[0].text if len(tops) == 1 and elements[0] is tops[0] else None
    return Loaded(elements, MARKDOWN, title=stated["title"] if stated else first)
