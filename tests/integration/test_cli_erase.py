"""`zhiku erase` and `zhiku verify-certificate`, as somebody types them."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kbcore.bootstrap import Platform
from kbcore.metadata import jobs
from kbcore.signing import Signer
from services.auth.api_keys import issue_key
from services.cli.main import build
from tests.integration.erasing import Traces
from tests.integration.ingesting import open_works
from tests.servers.application import serving


@pytest.fixture
def traces(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """Traces on a server that the command line is pointed to, with a worker that takes what is queued."""
    with open_works(platform) as works, serving(platform) as url:
        traces = Traces.leave(works)
        with platform.database.begin() as connection:
            token = issue_key(connection, user_id=traces.admin.user_id, name="t").token
        monkeypatch.setenv("ZHIKU_URL", url)
        monkeypatch.setenv("ZHIKU_KEY", token)
        stop = threading.Event()
        worker = threading.Thread(target=_work, args=(traces, stop))
        worker.start()
        yield traces
        stop.set()
        worker.join()


def _work(traces: Traces, stop: threading.Event) -> None:
    while not stop.is_set():
        with traces.works.platform.database.begin() as connection:
            queued = [job.id for job in jobs.list_of(connection, limit=20) if not job.ended]
        for job_id in queued:
            traces.works.bench.run(job_id)
        time.sleep(0.05)


def run(*arguments: str, said: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(build(list(arguments)), list(arguments), input=said)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def test_erase_and_verify(traces: Traces, tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    code, said = run("erase", traces.secret, "--reason", "asked for", "--yes", "--out", str(file))
    assert (code, "nothing found" in said) == (0, True), said
    assert traces.left() == []

    certificate = json.loads(file.read_text())
    code, said = run("verify-certificate", str(file), "--key", traces.works.platform.certificates.public_key)
    assert (code, f"genuine: document {traces.secret} was erased" in said) == (0, True), said
    foreign = Signer(bytes(32)).public_key
    assert run("verify-certificate", str(file), "--key", foreign)[0] == 1
    file.write_text(json.dumps({**certificate, "document_id": "another"}))
    code, said = run("verify-certificate", str(file))
    assert (code, said.startswith("not genuine")) == (1, True)


def test_without_a_yes_nothing_is_erased(traces: Traces) -> None:
    code, _ = run("erase", traces.secret, "--reason", "asked for", said="n\n")
    assert code == 1
    assert traces.left() != []


def test_the_answer_of_the_api_can_be_verified_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "erasure.json"
    signer = Signer.from_text(base64.b64encode(bytes(range(32))).decode())
    file.write_text(json.dumps({"erasure_id": "e", "certificate": signer.sign({"document_id": "d"})}))
    assert run("verify-certificate", str(file))[0] == 0
