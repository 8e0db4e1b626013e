"""`zhiku verify-certificate FILE`: was this certificate, or receipt, of an erasure signed, and is it unchanged?"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kbcore.errors import ConfigurationError
from kbcore.signing import verify


def command(
    file: Annotated[Path, typer.Argument(help="The certificate, or what GET /v1/erasures/{id} answered.")],
    key: Annotated[
        str | None,
        typer.Option(help="The public key (base64) that it must be signed with, as the signer told you."),
    ] = None,
) -> None:
    """Verify a certificate of erasure; needs no server. Exit code 1 if it is not genuine."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise ConfigurationError(f"{file} is not JSON") from None
    certificate = read.get("certificate", read) if isinstance(read, dict) else None
    if not isinstance(certificate, dict):
        raise ConfigurationError(f"{file} holds no certificate")
    console = Console(highlight=False, soft_wrap=True)
    if not verify(certificate):
        console.print("[red]not genuine[/red]: the signature does not fit what it says")
        raise typer.Exit(1)
    if key is not None and certificate["public_key"] != key:
        console.print(f"[red]not genuine[/red]: signed with another key, {certificate['public_key']}")
        raise typer.Exit(1)
    if "user_id" in certificate:
        console.print(f"[green]genuine[/green]: person {certificate['user_id']} was erased")
        console.print(f"  done {certificate.get('erased_at')}")
    else:
        console.print(f"[green]genuine[/green]: document {certificate.get('document_id')} was erased")
        console.print(f"  asked for {certificate.get('requested_at')}, done {certificate.get('finished_at')}")
    if key is None:
        console.print(f"  signed with {certificate['public_key']}; that this key is your server's, only --key verifies")
