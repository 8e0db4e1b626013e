"""PowerPoint presentations (pptx): a slide is a page, its title placeholder the heading."""

from pathlib import Path
from zipfile import BadZipFile

from ingestion.load import offline
from ingestion.load.archive import open_archive
from ingestion.load.limits import Limits
from ingestion.load.office import ordinary_copy
from ingestion.load.partitioned import LANGUAGES, converted
from kbcore.domain.chunk import Loaded
from kbcore.domain.media_types import PPTX
from kbcore.errors import ItemFailed

_EMPTY_TITLES = ("", "PowerPoint Presentation", "PowerPoint 演示文稿")


def load(path: Path, limits: Limits) -> Loaded:
    """A .pptx file, speaker notes included (in front of their slide's text, as the library gives them)."""
    from lxml.etree import LxmlError  # noqa: PLC0415 — heavy
    from pptx.exc import PythonPptxError  # noqa: PLC0415

    try:
        with open_archive(path, limits.max_expansion) as archive, ordinary_copy(archive, path) as copy:
            return _read(copy, limits)
    except (
        PythonPptxError,
        LxmlError,
        BadZipFile,
        KeyError,
        ValueError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:
        raise ItemFailed(
            "broken_file", f"The presentation is damaged ({type(error).__name__}). Open it and save it again."
        ) from None


def _read(path: Path, limits: Limits) -> Loaded:
    offline.prepare()
    import pptx  # noqa: PLC0415 — heavy
    from unstructured.partition.pptx import partition_pptx  # noqa: PLC0415

    presentation = pptx.Presentation(str(path))
    pages = len(presentation.slides)
    if pages > limits.max_pages:
        raise ItemFailed("too_many_pages", f"{pages:,} slides, more than {limits.max_pages:,}. Split the file.")
    found = partition_pptx(filename=str(path), languages=LANGUAGES, include_slide_notes=True)
    elements = tuple(converted(found, lambda item: item.metadata.category_depth == 0))
    title = " ".join((presentation.core_properties.title or "").split())
    return Loaded(elements, PPTX, title=title if title not in _EMPTY_TITLES else None, pages=pages)
