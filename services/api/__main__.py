"""`python -m services.api`: the API process, with settings from the environment; SIGTERM ends it."""

import sys

import uvicorn

from kbcore.errors import ConfigurationError
from kbcore.observability.logging import configure_logging
from kbcore.settings import load_settings, silence_telemetry

_GRACE_S = 5  # for requests under way when it is told to end


def main() -> None:
    """Serve until told to end."""
    silence_telemetry()
    try:
        settings = load_settings()
        configure_logging(settings.log.level, json_lines=settings.log.json_lines)
        from services.api.app import create_app  # noqa: PLC0415 (after telemetry is off)
        from services.guard.configured import guard_of  # noqa: PLC0415

        app = create_app(settings)
        app.state.platform.require_audit()
        app.state.platform.require_models()
        guard_of(app.state.platform)
    except ConfigurationError as error:
        sys.exit(f"zhiku api: {error.detail}")
    uvicorn.run(
        app,
        host=settings.server.host,
        port=settings.server.port,
        log_config=None,
        access_log=False,  # the application logs each request itself, with its trace id
        server_header=False,
        proxy_headers=False,  # the application does that itself, for the proxies of its settings
        timeout_graceful_shutdown=_GRACE_S,
    )


if __name__ == "__main__":
    main()
