"""HTML, in which mail, EPUB and rendered Markdown are written too."""

import re
from pathlib import Path

from lxml import etree, html

from ingestion.load import offline
from ingestion.load.encoding import decode
from ingestion.load.limits import Limits
from ingestion.load.partitioned import LANGUAGES, converted, styled
from ingestion.load.table import rows_of_element
from kbcore.domain.chunk import Element, Loaded
from kbcore.domain.media_types import HTML

_DECLARED = re.compile(
    rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)|^\s*<\?xml[^>]+encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE
)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_UNREAD = (
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "math", "canvas", "audio", "video",
    "input", "select", "button", "textarea", "datalist", "dialog",
)  # fmt: skip
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?:font-size|opacity)\s*:\s*0(?![.\d])", re.IGNORECASE
)
_PARAGRAPHS = ("dt", "dd", "figcaption", "caption", "summary", "legend", "label")
_CONTAINERS = ("details", "figure", "form", "fieldset")
"""The library drops these with all that is in them, which on some sites is the whole page."""
_LAYOUT = ("tbody", "thead", "tfoot", "tr", "td", "th")
_BLOCKS = ("table", "ul", "ol", "h1", "h2", "h3")
_DEEPEST = 200


def load(path: Path, limits: Limits) -> Loaded:  # noqa: ARG001 — every loader is called the same way
    """An HTML file. `title` is its `<title>`."""
    data = path.read_bytes()
    found = _DECLARED.search(data[:4096])
    declared = (found.group(1) or found.group(2)).decode("ascii", "replace") if found else None
    elements, title = read_html(decode(data, declared))
    return Loaded(elements, HTML, title=title)


def read_html(markup: str) -> tuple[tuple[Element, ...], str | None]:
    """Elements and title of an HTML text, in reading order; what a reader would not see is left out."""
    offline.prepare_html()
    from unstructured.partition.html import partition_html  # noqa: PLC0415 — heavy

    tree = _parsed(markup)
    if tree is None:
        return (), None
    title = " ".join((tree.findtext(".//title") or "").split()) or None
    _drop_unseen(tree)
    _unwrap_layout_tables(tree)
    _lift_captions(tree)
    _expand_merged_cells(tree)
    _number_ordered_lists(tree)
    for element in tree.iter(*_PARAGRAPHS):
        element.tag = "p"
    for element in tree.iter(*_CONTAINERS):
        element.tag = "div"
    visible = etree.tostring(tree, encoding="unicode", method="html")
    found = partition_html(text=visible, languages=LANGUAGES)
    return tuple(converted(found, styled)), title


def _parsed(markup: str) -> html.HtmlElement | None:
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=False)
    try:
        tree = html.document_fromstring(_XML_DECLARATION.sub("", markup).encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return None
    _flatten(tree)
    body = tree.find("body")
    for stray in [child for child in tree if body is not None and child.tag not in ("head", "body")]:
        body.append(stray)
    return tree


def _flatten(tree: html.HtmlElement) -> None:
    """Cut off nesting that no author wrote: readers of trees recurse."""
    deep = [(tree, 0)]
    while deep:
        element, depth = deep.pop()
        if depth >= _DEEPEST:
            text = " ".join(element.itertext())
            for child in list(element):
                element.remove(child)
            element.text = text
        else:
            deep += [(child, depth + 1) for child in element]


def _drop_unseen(tree: html.HtmlElement) -> None:
    for element in list(tree.iter()):
        if not isinstance(element.tag, str) or element.getparent() is None:
            continue
        hidden = element.get("hidden") is not None or _HIDDEN_STYLE.search(element.get("style") or "")
        if element.tag.rpartition("}")[2] in _UNREAD or (hidden and element.tag != "body"):
            element.drop_tree()


def _unwrap_layout_tables(tree: html.HtmlElement) -> None:
    """Tables that place things on a page (around tables, headings and lists, or one cell a row) become blocks."""
    for table in list(tree.iter("table")):
        own = [part for part in table.iterdescendants(*_LAYOUT) if next(part.iterancestors("table")) is table]
        widths = [len(list(row.iterchildren("td", "th"))) for row in own if row.tag == "tr"]
        holds_blocks = next(table.iterdescendants(*_BLOCKS), None) is not None
        if holds_blocks or table.get("role") == "presentation" or max(widths, default=0) <= 1:
            for part in (table, *own):
                part.tag = "div"


def _lift_captions(tree: html.HtmlElement) -> None:
    for caption in list(tree.iter("caption")):
        table = next(caption.iterancestors("table"), None)
        if table is not None:
            table.addprevious(caption)


def _expand_merged_cells(tree: html.HtmlElement) -> None:
    """Repeat the text of merged cells in each place they cover; otherwise the columns of later rows shift."""
    for table in list(tree.iter("table")):
        if not table.xpath(".//*[@rowspan or @colspan]"):
            continue
        rows = rows_of_element(table)
        for child in list(table):
            table.remove(child)
        for row in rows:
            line = etree.SubElement(table, "tr")
            for text in row:
                etree.SubElement(line, "td").text = text


def _number_ordered_lists(tree: html.HtmlElement) -> None:
    for ordered in tree.iter("ol"):
        try:
            number = int(ordered.get("start") or 1)
        except ValueError:
            number = 1
        for item in ordered.iterchildren("li"):
            first = item[0] if len(item) and not (item.text or "").strip() and item[0].tag == "p" else item
            first.text = f"{number}. {(first.text or '').lstrip()}"
            number += 1
