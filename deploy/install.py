"""Make `.venv` and install a lock file into it, with progress; does nothing when that is done already.

    python3 deploy/install.py requirements.lock

Runs on the system's Python, so it uses the standard library alone. Everything pip says goes to `.venv/install.log`.
"""

import hashlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
NEEDED_BYTES = 3_000_000_000
_BAR = 30


def main() -> None:
    """Install the lock file that the first argument names."""
    lock = PROJECT / sys.argv[1]
    stamp = VENV / f".installed-{lock.stem}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint(lock):
        return
    check_machine()
    make_venv()
    names = [line for line in lock.read_text(encoding="utf-8").splitlines() if line and line[0] not in "# "]
    print(f"Installing {len(names)} packages from {lock.name} into .venv (once; a few minutes)", flush=True)
    (VENV / "install.log").unlink(missing_ok=True)
    began = time.monotonic()
    install(["--no-deps", "-r", str(lock)], total=len(names))
    install(["--no-deps", "--no-build-isolation", "-e", str(PROJECT)], total=0)
    stamp.write_text(fingerprint(lock), encoding="utf-8")
    print(f"Installed in {time.monotonic() - began:.0f} s", flush=True)


def fingerprint(lock: Path) -> str:
    """What an installation is made from: the lock, pyproject.toml, this Python."""
    made_from = (lock.read_bytes(), (PROJECT / "pyproject.toml").read_bytes(), sys.version.encode())
    return hashlib.sha256(b"\0".join(made_from)).hexdigest()


def check_machine() -> None:
    """Say what is missing, and how to get it, before anything is changed."""
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        stop(
            f"this is Python {sys.version.split()[0]}; Zhiku needs 3.11, 3.12 or 3.13",
            "install one of them, then: make run PYTHON=/path/to/python3.11",
        )
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        stop("this Python has no venv module", f"on Debian and Ubuntu: apt-get install python{version}-venv")
    free = shutil.disk_usage(PROJECT).free
    if free < NEEDED_BYTES and not VENV.exists():
        stop(f"only {free / 1e9:.1f} GB free on the disk of {PROJECT}", f"free {NEEDED_BYTES / 1e9:.0f} GB")


def make_venv() -> None:
    """Make `.venv`, or make it again if its Python is gone or another one."""
    python = VENV / "bin" / "python"
    wanted = f"{sys.version_info[0]}.{sys.version_info[1]}"
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    if python.exists():
        found = run([str(python), "-c", probe])
        if found.stdout.strip() == wanted:
            return
    made = run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode:
        stop(f"the virtual environment {VENV} can't be made", (made.stdout + made.stderr).strip()[-500:])


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a short command, keep what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)


def install(arguments: list[str], *, total: int) -> None:
    """Run pip; draw a bar from what it collects and what stands in site-packages."""
    python = VENV / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    log = VENV / "install.log"
    collected = 0
    before = installed()
    with log.open("a", encoding="utf-8") as stream:
        pip = subprocess.Popen(  # noqa: S603 (our own words)
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        done = threading.Event()
        bar = threading.Thread(target=draw, args=(lambda: (collected, installed() - before), total, done))
        if total:
            bar.start()
        assert pip.stdout is not None
        for line in pip.stdout:
            stream.write(line)
            collected += line.startswith(("Collecting ", "Requirement already satisfied"))
        code = pip.wait()
        done.set()
        if total:
            bar.join()
    if code:
        explain(log)


def installed() -> int:
    """How many packages stand in `.venv`."""
    return sum(1 for _ in VENV.glob("lib/python3*/site-packages/*.dist-info"))


def draw(state: Callable[[], tuple[int, int]], total: int, done: threading.Event) -> None:
    """One line that is redrawn on a terminal; elsewhere a line at each quarter."""
    told = -1
    while not done.wait(0.3):
        collected, placed = state()
        share = min(1.0, (collected + placed) / (2 * total))
        words = "downloading" if placed == 0 else "unpacking"
        if sys.stdout.isatty():
            filled = round(share * _BAR)
            print(f"\r  [{'█' * filled}{'·' * (_BAR - filled)}] {share:4.0%}  {words}   ", end="", flush=True)
        elif int(share * 4) > told:
            told = int(share * 4)
            print(f"  {share:4.0%}  {words}", flush=True)
    if sys.stdout.isatty():
        print("\r" + " " * (_BAR + 30) + "\r", end="", flush=True)


def explain(log: Path) -> None:
    """End with pip's own words and what most probably helps."""
    text = log.read_text(encoding="utf-8")
    errors = [line for line in text.splitlines() if line.startswith("ERROR")][-3:] or text.splitlines()[-3:]
    if "No space left on device" in text:
        remedy = "free space on this disk (and in the temporary folder, TMPDIR), then run it again"
    elif "Temporary failure in name resolution" in text or "ConnectionError" in text or "Max retries" in text:
        remedy = "pip can't reach its package index; check the network, or pip's own configuration (pip config list)"
    elif "No matching distribution" in text:
        remedy = "the package index that pip uses lacks this version; see pip config list"
    elif "error: command" in text or "compiler" in text:
        remedy = "a package has no wheel for this system: use Linux on x86-64, or install a C compiler"
    else:
        remedy = f"all that pip said is in {log}"
    stop("pip could not install the packages:\n  " + "\n  ".join(errors), remedy)


def stop(problem: str, remedy: str) -> None:
    """Say it and end."""
    sys.exit(f"\nzhiku: {problem}\n  → {remedy}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
