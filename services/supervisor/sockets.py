"""The private folder of the unix sockets: a socket's path may be only 107 bytes long, too short for a data folder's."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from kbcore.errors import ConfigurationError

_LONGEST_BASE = 60  # bytes; what we append is at most 45


def socket_folder(home: Path) -> Path:
    """Make (if need be) and return the socket folder of a data folder: always the same one for the same data folder.

    Only this user can enter it (as root: pass through it), which is the access control of the embedded servers.
    """
    base = tempfile.gettempdir()
    if len(os.fsencode(base)) > _LONGEST_BASE:
        base = "/tmp"  # noqa: S108 (a folder of our own in it, owner and mode checked below)
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    folder = Path(base) / f"zhiku-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigurationError(f"{folder} belongs to somebody else; remove it or point TMPDIR to another folder")
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return folder
