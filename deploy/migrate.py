"""`python -m deploy.migrate [--first-admin]`: bring the database to this version's schema.

With `--first-admin`, in a fresh installation, also make the user `admin` and print its API key: once, to this terminal.
"""

import sys

from kbcore.bootstrap import audit_trail
from kbcore.errors import ZhikuError
from kbcore.metadata.database import Database
from kbcore.metadata.migrate import upgrade
from kbcore.settings import load_settings
from services.auth.first_admin import create_first_admin


def main() -> None:
    """Read the settings, migrate, make the administrator if asked."""
    try:
        settings = load_settings()
        database = Database(settings.database.url.get_secret_value(), pool_size=1)
        upgrade(database)
        print("the database is up to date")
        if "--first-admin" in sys.argv[1:]:
            key = create_first_admin(database, audit_trail(settings, database))
            print(
                f"the administrator's API key, shown now and never again: {key}" if key else "there are users already"
            )
        database.dispose()
    except ZhikuError as error:
        sys.exit(f"zhiku: {error.detail}")


if __name__ == "__main__":
    main()
