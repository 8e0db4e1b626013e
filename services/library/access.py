"""What the caller may do with a space or a document, and the answer when it may not (docs/permissions.md)."""

from sqlalchemy import Connection

from kbcore.domain.document import Document, Space
from kbcore.domain.principal import Caller
from kbcore.errors import Forbidden, NotFound, VersionConflict
from kbcore.metadata import documents
from kbcore.metadata.access import role_under
from kbcore.metadata.passages import entitled_documents
from kbcore.metadata.spaces import SpaceAccess, find_space
from kbcore.permissions.policy import Role


def visible_space(connection: Connection, caller: Caller, id_or_name: str) -> SpaceAccess:
    """The space, if the caller has a role in it or is an administrator. Raises `NotFound("space")`."""
    found = find_space(connection, caller, id_or_name)
    if found is None or (found.role is None and not caller.is_admin):
        raise NotFound("space")
    return found


def named_space(connection: Connection, caller: Caller, id_or_name: str) -> Space:
    """The space that a list is narrowed to: a visible one, or one in which the caller may read a single document.

    As a search does. Raises `NotFound("space")`.
    """
    found = find_space(connection, caller, id_or_name)
    if found is None or (
        found.role is None
        and not caller.is_admin
        and not documents.list_readable(connection, caller.user_id, space_id=found.space.id, limit=1)
    ):
        raise NotFound("space")
    return found.space


def managed_space(connection: Connection, caller: Caller, id_or_name: str) -> SpaceAccess:
    """The space, if the caller manages it or is an administrator. Raises `NotFound("space")`, `Forbidden`."""
    found = visible_space(connection, caller, id_or_name)
    _require(found.role, Role.MANAGER, or_admin=caller)
    return found


def writable_space(connection: Connection, caller: Caller, id_or_name: str) -> SpaceAccess:
    """The space, if the caller may upload to it. Raises `NotFound("space")`, `Forbidden`."""
    found = visible_space(connection, caller, id_or_name)
    _require(found.role, Role.EDITOR, or_admin=caller)
    return found


def readable_document(connection: Connection, caller: Caller, document_id: str) -> Document:
    """The document, if the caller may read it now. Raises `NotFound("document")`."""
    document = documents.get_readable(connection, caller.user_id, document_id)
    if document is None:
        raise NotFound("document")
    return document


def once_readable(connection: Connection, caller: Caller, document_id: str) -> None:
    """Return if the caller may read the document, or could if it were not deleted. Raises `NotFound("document")`."""
    if not entitled_documents(connection, caller.user_id, [document_id]):
        raise NotFound("document")


def editable_document(
    connection: Connection, caller: Caller, document_id: str, *, if_match: int | None = None
) -> Document:
    """The document, locked, if the caller may change it.

    Raises `NotFound("document")`, `Forbidden`, and `VersionConflict` if `if_match` is not its latest version.
    """
    readable_document(connection, caller, document_id)
    document = _locked(connection, document_id)
    _require(role_under(connection, caller, document.policy_id), Role.EDITOR)
    _match(document, if_match)
    return document


def managed_document(
    connection: Connection, caller: Caller, document_id: str, *, if_match: int | None = None
) -> Document:
    """The document, locked, if the caller may set its policy; an administrator may without reading it.

    Raises as `editable_document`.
    """
    if not caller.is_admin:
        readable_document(connection, caller, document_id)
    document = _locked(connection, document_id)
    _require(role_under(connection, caller, document.policy_id), Role.MANAGER, or_admin=caller)
    _match(document, if_match)
    return document


def accountable_for_document(connection: Connection, caller: Caller, document_id: str) -> None:
    """Return if the caller manages the document, or is an administrator: those see deleted and erased ones too.

    Raises `NotFound("document")`, `Forbidden`.
    """
    if caller.is_admin:
        if not documents.ever_existed(connection, document_id):
            raise NotFound("document")
        return
    document = readable_document(connection, caller, document_id)
    _require(role_under(connection, caller, document.policy_id), Role.MANAGER)


def _locked(connection: Connection, document_id: str) -> Document:
    document = documents.lock(connection, document_id)
    if document is None:
        raise NotFound("document")
    return document


def _match(document: Document, if_match: int | None) -> None:
    if if_match is not None and if_match != document.latest_version:
        raise VersionConflict(f"The latest version is {document.latest_version}; read it and try again.")


def _require(role: Role | None, needed: Role, *, or_admin: Caller | None = None) -> None:
    if or_admin is not None and or_admin.is_admin:
        return
    if role is None or not role.includes(needed):
        raise Forbidden(f"This needs the role {needed.value}; you are {role.value if role else 'without one'} here.")
