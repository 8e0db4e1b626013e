"""The collections that whoever removes or changes rows has to visit: those of every kept generation."""

from sqlalchemy import Connection

from kbcore.bootstrap import Platform
from kbcore.metadata import generations
from kbcore.metadata.generations import Generation, GenerationState


def every_collection(platform: Platform, connection: Connection) -> list[Generation]:
    """The kept generations, oldest first, each with a collection. The caller holds the publish lock on `connection`.

    One whose building has not begun gets its collection now, empty: else everybody would wait for that.
    """
    with connection.begin():
        kept = generations.kept(connection)
    for generation in kept:
        if generation.state is GenerationState.BUILDING:
            platform.vectors.create(generation.collection, generation.dimension)
    return kept
