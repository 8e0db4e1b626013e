"""The live index generation: made once, checked at every start."""

from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.errors import ConfigurationError
from kbcore.metadata import generations
from kbcore.metadata.database import PUBLISH_LOCK
from kbcore.metadata.generations import Generation


def ensure_live(platform: Platform) -> Generation:
    """The live generation, with its collection loaded; the first call on new data makes it.

    Raises `ConfigurationError` if it was built with another embedding model than the one configured.
    """
    with platform.database.lock(PUBLISH_LOCK) as connection:
        assert connection is not None
        with connection.begin():
            generation = generations.live(connection) or _first(platform, connection)
        if generation.embedding != platform.embedder.name:
            raise ConfigurationError(
                f"setting embedding.kind: the index was built with {generation.embedding}, the configured model is "
                f"{platform.embedder.name}; set the former again"
            )
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
