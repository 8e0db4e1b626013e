"""The HTTP application on a real port, in a thread of the test's process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from kbcore.bootstrap import Platform
from services.api.app import create_app
from services.auth.login import PasswordLogin
from services.auth.watch import Watch
from services.limits.gate import Gate


@contextmanager
def serving(platform: Platform, gate: Gate | None = None) -> Iterator[str]:
    """Serve this platform on a free loopback port, behind this gate if one is given; yields its address."""
    app = create_app(platform.settings)
    app.state.platform = platform
    app.state.watch = Watch(platform)  # what the application made for itself would open connections of its own
    app.state.login = PasswordLogin(platform, app.state.watch)
    app.state.gate = gate or app.state.gate
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        app.state.watch.close()
        app.state.gate.close()
        app.state.model_health.close()
        listener.close()
