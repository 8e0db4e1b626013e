"""One bundled embedder for the whole session: it takes a second and 400 MB to load."""

from functools import cache

from kbcore.embedding.bundled import BundledEmbedder


@cache
def bundled() -> BundledEmbedder:
    return BundledEmbedder()
