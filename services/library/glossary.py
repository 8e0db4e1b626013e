"""Who writes a glossary: administrators the one that holds everywhere, its managers a space's."""

from collections.abc import Sequence

from sqlalchemy import Connection

from kbcore.domain.glossary import GlossaryEntry
from kbcore.domain.principal import Caller
from kbcore.errors import Forbidden, NotFound
from kbcore.metadata import glossary
from services.library.access import managed_space


def add_entry(
    connection: Connection, caller: Caller, *, space: str | None, term: str, expansions: Sequence[str]
) -> GlossaryEntry:
    """Add an entry. Raises `NotFound("space")`, `Forbidden`, `Conflict` (`term_taken`), `Unprocessable`."""
    space_id = written_space(connection, caller, space)
    entry_id = glossary.insert_entry(
        connection, space_id=space_id, term=term, expansions=expansions, created_by=caller.user_id
    )
    return visible_entry(connection, caller, entry_id)


def change_entry(
    connection: Connection, caller: Caller, entry_id: str, *, term: str | None, expansions: Sequence[str] | None
) -> GlossaryEntry:
    """Change what is given. Raises `NotFound("glossary_entry")`, `Forbidden`, `Conflict` (`term_taken`)."""
    entry = written_entry(connection, caller, entry_id)
    kept = entry.expansions if expansions is None else expansions
    glossary.update_entry(connection, entry, term=term or entry.term, expansions=kept)
    return visible_entry(connection, caller, entry_id)


def delete_entry(connection: Connection, caller: Caller, entry_id: str) -> None:
    """Forget an entry. Raises `NotFound("glossary_entry")`, `Forbidden`."""
    glossary.delete_entry(connection, written_entry(connection, caller, entry_id).id)


def visible_entry(connection: Connection, caller: Caller, entry_id: str) -> GlossaryEntry:
    """The entry, if the caller sees it. Raises `NotFound("glossary_entry")`."""
    found = glossary.find(connection, caller, entry_id)
    if found is None:
        raise NotFound("glossary_entry")
    return found


def written_entry(connection: Connection, caller: Caller, entry_id: str) -> GlossaryEntry:
    """The entry, if the caller may change it. Raises `NotFound("glossary_entry")`, `Forbidden`."""
    entry = visible_entry(connection, caller, entry_id)
    try:
        written_space(connection, caller, entry.space_id)
    except NotFound:  # it reads a document of the space, so it sees the entry, but has no role in the space
        raise Forbidden("This needs the role manager in the entry's space.") from None
    return entry


def written_space(connection: Connection, caller: Caller, space: str | None) -> str | None:
    """The id of a space whose glossary the caller may write; None = everywhere. Raises as `add_entry`."""
    if space is not None:
        return managed_space(connection, caller, space).space.id
    if not caller.is_admin:
        raise Forbidden("Only administrators write the glossary that holds everywhere; name a space that you manage.")
    return None
