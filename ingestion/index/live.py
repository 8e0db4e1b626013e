"""The live index generation: made once, checked at every start."""

import structlog
from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.errors import ConfigurationError, Unavailable
from kbcore.metadata import generations
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.generations import Generation

log = structlog.get_logger(__name__)


def ensure_live(platform: Platform) -> Generation:
    """The live generation, with its collection loaded; the first call on new data makes it.

    Raises `ConfigurationError` if the embedding model that it was built with is not configured any more. If it is, but
    is no longer the one in `[embedding]`, the index stays as it is until somebody re-indexes.
    """
    with platform.database.lock(PUBLISH_LOCK) as connection:
        assert connection is not None
        with connection.begin():
            generation = generations.live(connection) or _first(platform, connection)
        try:
            platform.embedder_for(generation.embedding)
        except Unavailable as error:
            raise ConfigurationError(f"setting embedding: {error.detail}") from None
        if generation.embedding != platform.embedder.name:
            log.warning("re-index to use the configured embedding model", index=generation.embedding)
        platform.vectors.create(generation.collection, generation.dimension)
        platform.vectors.load(generation.collection)
    return generation


def _first(platform: Platform, connection: Connection) -> Generation:
    chunking = platform.settings.chunking
    return generations.insert_live(
        connection,
        prefix=platform.settings.milvus.prefix,
        embedding=platform.embedder.name,
        dimension=platform.embedder.dimension,
        chunking={"max_tokens": chunking.max_tokens, "min_tokens": chunking.min_tokens},
    )
