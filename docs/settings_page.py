"""Writes docs/settings.md from configs/default.toml, whose comments are the documentation: `make docs`."""

import re
import tomllib
from pathlib import Path

from kbcore.settings import CONFIG_FOLDER, variable_name

PAGE = Path(__file__).with_name("settings.md")

_HEAD = """\
# Settings

Made by `make docs` from `configs/default.toml`; a test holds the two together.

Sources, later ones win: `configs/default.toml`, `configs/<profile>.toml` (`ZHIKU_PROFILE`, default `development`), the
file that `ZHIKU_CONFIG` names, environment variables. A variable that names no setting stops the start and suggests the
nearest one. The command line also reads `ZHIKU_URL` and `ZHIKU_KEY`, the tests `ZHIKU_DATA`.
"""
_ASSIGNMENT = re.compile(r"^(?P<key>[a-z_]+) = (?P<value>.+?)(?:\s{2,}# (?P<comment>.*))?$")
_SECTION = re.compile(r"^\[(?P<name>[a-z_]+)\]$")
_ENTRY = re.compile(r"^# (?P<line>\[\[(?P<name>[a-z_.]+)\]\]|[a-z_]+ = .*)$")
_LISTS = {
    "embedding_profiles": "embedding model that a re-index may choose",
    "llm.models": "generation backend",
    "guard.http_filters": "content filter behind HTTP",
    "limits.overrides": "user or group with limits of its own",
}


def page() -> str:
    """The page's text."""
    parts = [_HEAD]
    section = name = ""
    entries: dict[str, list[str]] = {}
    above: list[str] = []
    for line in (CONFIG_FOLDER / "default.toml").read_text(encoding="utf-8").splitlines():
        if found := _SECTION.match(line):
            section = found["name"]
            parts.append(f"\n## {section}\n\n| key | default | environment variable | |\n|---|---|---|---|\n")
        elif found := _ASSIGNMENT.match(line):
            path = (section, found["key"]) if section else (found["key"],)
            comment = found["comment"] or " ".join(above)
            if not section:
                parts.append("\n| key | default | environment variable | |\n|---|---|---|---|\n")
            parts.append(
                f"| `{found['key']}` | `{_shown(found['value'])}` | `{variable_name(path)}` | {_cell(comment)} |\n"
            )
        elif found := _ENTRY.match(line):
            name = found["name"] or name
            entries.setdefault(name, []).append(found["line"])
        above = [*above, line.removeprefix("# ")] if line.startswith("# ") else []
    for name, lines in entries.items():
        parts.append(f"\n## {name}\n\nOne entry for each {_LISTS[name]}:\n\n```toml\n{chr(10).join(lines)}\n```\n")
    return "".join(parts)


def _shown(value: str) -> str:
    """The value as a person would type it into the environment."""
    read = tomllib.loads(f"value = {value}")["value"]
    return str(read).lower() if isinstance(read, bool) else str(read) if read != "" else '""'


def _cell(comment: str) -> str:
    return re.sub(r"\s*ZHIKU_[A-Z]+\.?$", "", comment).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
