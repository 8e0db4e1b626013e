"""`zhiku`: one command for a person at a terminal and for scripts (`--json`, exit code ≠ 0 on failure)."""

import io
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path

import typer
from rich.console import Console

from kbcore.errors import ZhikuError
from kbcore.settings import silence_telemetry

# Each is a module with a `command` function, imported by name: the demo stands above this package, not inside it.
COMMANDS = {
    **{
        name: f"services.cli.{name}"
        for name in (
            *("up", "down", "status", "doctor", "ingest", "search", "ask", "jobs", "reindex", "eval", "calibrate"),
            *("history", "diff", "rollback", "audit", "models"),
        )
    },
    "demo": "services.demo.command",
    "key": "services.cli.key",
    "erase": "services.cli.erase",
    "verify-certificate": "services.cli.verify_certificate",
}


def main() -> None:
    """Run the command that the arguments name. Ends with a message, never with a stack trace."""
    silence_telemetry()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no Chinese; still JSON with --json
    errors = Console(stderr=True, highlight=False)
    try:
        build(sys.argv[1:])(prog_name="zhiku")
    except ZhikuError as error:
        errors.print("[red]zhiku:[/red]", error.detail, markup=True, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # a full disk, a folder without rights
        errors.print("[red]zhiku:[/red]", f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 (the outermost edge: details to a file, one line to the person)
        errors.print("[red]zhiku:[/red]", f"{type(error).__name__}; details: {_keep(traceback.format_exc())}")
        sys.exit(70)


def build(arguments: list[str]) -> typer.Typer:
    """The application, with only the module of the named command imported: `zhiku status` shall be quick."""
    named = next((word for word in arguments if word in COMMANDS), None)
    app = typer.Typer(
        help="Zhiku (知库): answers from your own documents, cited, versioned, by permission.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)  # keeps the command's name when there is only one
    for name in [named] if named else COMMANDS:
        app.command(name)(import_module(COMMANDS[name]).command)
    return app


def _root() -> None:
    """Zhiku (知库): answers from your own documents, cited, versioned, by permission."""


def _keep(text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", prefix="zhiku-error-", suffix=".log", delete=False) as file:
        file.write(text)
    return Path(file.name)


if __name__ == "__main__":
    main()
