"""Reading the bytes of an edited document again: what people corrected is laid over what is read now."""

from sqlalchemy import Connection

from kbcore.domain.chunk import StoredText
from kbcore.domain.document import Version
from kbcore.errors import ItemFailed, ItemSkipped
from kbcore.metadata import versions
from kbcore.revisions.merge import MergeConflict, merged
from kbcore.revisions.outline import carried_outline


def with_edits(connection: Connection, version: Version, parsed: StoredText) -> StoredText:
    """The text of a version of origin `reparse`: `parsed` with the edits of the version that it is based on.

    Raises `ItemSkipped` (`unchanged`) if that is the text that is there, `ItemFailed` (`edit_conflict`).
    """
    assert version.based_on is not None
    latest = versions.stored_text(connection, version.document_id, version.based_on)
    before = versions.parsed_text(connection, version.document_id, version.based_on)
    if latest is None or before is None:
        raise ItemFailed("edit_conflict", f"version {version.based_on} was purged, and what was edited in it with it")
    try:
        text = merged(before, latest.text, parsed.text)
    except MergeConflict as conflict:
        raise ItemFailed(
            "edit_conflict",
            f"line {conflict.line} of the text of version {version.based_on} was edited, and is read differently now",
        ) from None
    laid_over = parsed if text == parsed.text else StoredText(text, carried_outline(parsed, text))
    if laid_over == latest:
        raise ItemSkipped("unchanged", "the bytes, read again, give the text that is there")
    return laid_over
