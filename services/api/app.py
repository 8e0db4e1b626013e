"""The HTTP application; `python -m services.api` serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from kbcore.bootstrap import Platform
from kbcore.settings import Settings, load_settings
from services.api import errors
from services.api.audit_edge import AuditEdge
from services.api.dependencies import authenticated
from services.api.middleware import BodyLimit, HeadAsGet, RequestEdge
from services.api.model_health import ModelHealth
from services.api.openapi import DESCRIPTION, Api
from services.api.rights import require_complete
from services.api.routes import (
    access,
    answers,
    api_keys,
    ask,
    audit,
    complaints,
    conversations,
    dify,
    document_policy,
    documents,
    erasures,
    evaluations,
    glossary,
    golden_sets,
    groups,
    health,
    indexes,
    jobs,
    ledger,
    login,
    mcp,
    mcp_oauth,
    openai,
    own_keys,
    person,
    revisions,
    scim_discovery,
    scim_groups,
    scim_users,
    search,
    snapshots,
    spaces,
    traces,
    uploads,
    usage,
    users,
    versions,
)
from services.api.schemas.problem import problems
from services.auth.login import PasswordLogin
from services.auth.watch import Watch
from services.evaluation.runner import EvaluationRunner
from services.limits.gate import Gate
from services.query.warm import WarmUp
from services.web import pages

_UTF8_BYTES = 4
"""That a character takes at most."""

_ROUTERS = (
    search.router,
    ask.router,
    conversations.router,
    complaints.router,
    openai.router,
    dify.router,
    mcp.router,
    mcp_oauth.router,
    uploads.router,
    documents.router,
    document_policy.router,
    versions.router,
    revisions.router,
    erasures.router,
    answers.router,
    snapshots.router,
    glossary.router,
    spaces.router,
    own_keys.router,
    person.router,
    users.router,
    login.router,
    groups.router,
    api_keys.router,
    access.router,
    scim_users.router,
    scim_groups.router,
    scim_discovery.router,
    jobs.router,
    indexes.router,
    ledger.router,
    audit.router,
    golden_sets.router,
    evaluations.router,
    traces.router,
    usage.router,
    health.router,
    pages.router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application on these settings (default: what `load_settings` finds). Connects to nothing until it is used.

    Raises `LookupError` if a route and the table of rights do not match.
    """
    settings = settings or load_settings()
    platform = Platform(settings)
    warm_up = WarmUp(platform)
    evaluation_runner = EvaluationRunner(platform)
    watch = Watch(platform)
    model_health = ModelHealth()
    gate = Gate(settings.limits, settings.redis.url.get_secret_value())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.server.threads
        warm_up.start()
        if settings.evaluation.run_here:
            evaluation_runner.start()
        yield
        evaluation_runner.stop()
        warm_up.stop()
        watch.close()
        gate.close()
        model_health.close()
        platform.close()

    app = Api(
        title="Zhiku",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load their scripts from a foreign network
        redoc_url=None,
        responses=problems(),
        redirect_slashes=False,
    )
    app.state.platform = platform
    app.state.warm_up = warm_up
    app.state.watch = watch
    app.state.gate = gate
    app.state.model_health = model_health
    app.state.login = PasswordLogin(platform, watch)
    for router in _ROUTERS:
        app.include_router(router)
    require_complete(app.routes, authenticated)
    errors.install(app)
    app.add_middleware(
        BodyLimit,
        max_body_bytes=settings.server.max_body_bytes,
        max_upload_bytes=settings.server.max_upload_bytes,
        max_text_bytes=min(_UTF8_BYTES * settings.parsing.max_text_chars, settings.server.max_upload_bytes),
    )
    app.add_middleware(AuditEdge, refusals_per_minute=settings.audit.refusals_per_minute)
    app.add_middleware(RequestEdge)
    app.add_middleware(HeadAsGet)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.server.trusted_proxies))
    return app
