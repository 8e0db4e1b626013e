"""How a person calls this program from where they stand: what is printed can be copied and run."""

import shutil
import sys
from pathlib import Path


def zhiku_command() -> str:
    """`zhiku` if the shell finds it, else the path of the one beside this Python."""
    return "zhiku" if shutil.which("zhiku") else short_path(Path(sys.executable).with_name("zhiku"))


def short_path(path: Path) -> str:
    """Relative to the present folder if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
