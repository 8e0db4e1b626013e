import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, ProgrammingError

from kbcore.errors import AclUnavailable
from kbcore.metadata.database import Database
from kbcore.metadata.migrate import pending_changes

SECRET = "whose salary is it"


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    with database.begin() as connection:
        assert pending_changes(connection) == []


@pytest.mark.parametrize("kind", ["begin", "statement", "snapshot"])
def test_an_error_of_sql_does_not_repeat_what_was_asked(database: Database, kind: str) -> None:
    wrong = sa.text("SELECT * FROM users WHERE name = :secret AND created_at > CAST(repeat('x', 2) AS timestamptz)")
    with pytest.raises(DataError) as raised, getattr(database, kind)() as connection:
        connection.execute(wrong, {"secret": SECRET})
    assert SECRET not in str(raised.value)


def test_a_standby_is_unavailable_and_other_errors_stay_what_they_are(database: Database) -> None:
    with pytest.raises(AclUnavailable, match="ReadOnlySqlTransaction"), database.begin() as connection:
        connection.execute(sa.text("SET TRANSACTION READ ONLY; CREATE TABLE nothing ()"))
    with pytest.raises(ProgrammingError), database.begin() as connection:
        connection.execute(sa.text("SELECT nothing"))
