"""docs/settings.md and the comments of configs/default.toml hold what the code holds."""

import tomllib

from docs.settings_page import PAGE, page
from kbcore.settings import CONFIG_FOLDER, variable_name


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_key_has_a_row_and_a_comment() -> None:
    tree = tomllib.loads((CONFIG_FOLDER / "default.toml").read_text(encoding="utf-8"))
    rows = {row.split("`")[5]: row for row in page().splitlines() if row.startswith("| `")}
    for section, keys in tree.items():
        for path in [(section, key) for key in keys] if isinstance(keys, dict) else [(section,)]:
            comment = rows[variable_name(path)].split("|")[-2].strip()
            assert comment, f"{'.'.join(path)} has no comment in configs/default.toml"
