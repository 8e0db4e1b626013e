"""The model of `zhiku models add` as `zhiku up` runs it, for scripts that need the real one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kbcore.bootstrap import Platform
from kbcore.settings import Settings, load_settings
from services.supervisor.local_model import local_model_server, model_answers
from tests.servers import running


@contextmanager
def local_model(home: Path, scratch: Path, **variables: str) -> Iterator[Settings]:
    """Serve the model that was added to `home`; yields settings that name it. Raises `RuntimeError` without one."""
    server = local_model_server(load_settings({"ZHIKU_HOME": str(home), **variables}))
    if server is None:
        raise RuntimeError(f"no local model in {home}: zhiku models add local-qwen")
    with running(server.prepare(), scratch / "model.log") as child:
        while not model_answers(server.addresses):
            if not child.running:
                raise RuntimeError((scratch / "model.log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        yield load_settings({"ZHIKU_HOME": str(home), **variables, **server.addresses})


def adopt(platform: Platform, settings: Settings) -> None:
    """Let this platform answer with the models of those settings."""
    platform.settings = platform.settings.model_copy(update={"llm": settings.llm})
    platform.__dict__.pop("answer_models", None)
