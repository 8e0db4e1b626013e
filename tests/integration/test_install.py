"""deploy/install.py on a fresh folder: what it says when it can't go on, and that it then leaves no stamp."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def install(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "deploy/install.py", "some.lock"],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "HOME": str(project), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "install.py", folder / "deploy")
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\n', encoding="utf-8")
    return folder


def test_a_package_that_cannot_be_had_is_one_clear_message(project: Path) -> None:
    (project / "some.lock").write_text("# a comment\nzhiku-no-such-package==0.0.1\n", encoding="utf-8")
    for _ in range(2):  # the second time with the virtual environment already there
        finished = install(project)
        assert finished.returncode == 1
        assert "Installing 1 packages from some.lock" in finished.stdout
        assert "No matching distribution found for zhiku-no-such-package" in finished.stderr
        assert "→ the package index that pip uses lacks this version" in finished.stderr
        assert "Traceback" not in finished.stderr
    assert not (project / ".venv" / ".installed-some").exists()


def test_a_finished_installation_is_not_done_again(project: Path) -> None:
    (project / "some.lock").write_text("zhiku-no-such-package==0.0.1\n", encoding="utf-8")
    code = (
        "import runpy, sys; sys.argv = ['x', 'some.lock']; m = runpy.run_path('deploy/install.py')\n"
        "lock = m['PROJECT'] / 'some.lock'\n"
        "(m['VENV'] / '.installed-some').write_text(m['fingerprint'](lock))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=project, check=True)
    finished = install(project)
    assert (finished.returncode, finished.stdout) == (0, "")
