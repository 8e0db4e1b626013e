"""The sample documents into their spaces; what is there already is not done again."""

from collections.abc import Iterator

from rich.console import Console

from services.cli.batch import Item, Outcome, ingest
from services.cli.client import Client
from services.demo.manifest import SAMPLES, Manifest, SampleDocument


def ingest_samples(admin: Client, company: Manifest, console: Console) -> list[Outcome]:
    """Upload all documents, older versions first, and wait until each has ended."""
    known = {
        (space.name, document.external_id): document.version
        for space in company.spaces
        for document in admin.documents(space.name)
    }
    outcomes: list[Outcome] = []
    rounds = max(len(document.files) for document in company.documents)
    for number in range(rounds):
        items = list(_items(company, known, number))
        if items:
            outcomes += ingest(admin, items, console)
    return outcomes


def _items(company: Manifest, known: dict[tuple[str, str | None], int], number: int) -> Iterator[Item]:
    """The uploads of one round: version `number + 1` of each document that has so many."""
    for document in company.documents:
        published = known.get((document.space, document.external_id), 0)
        is_last = number == len(document.files) - 1
        # An older version would come back as the newest one if it were sent again.
        if number < len(document.files) and (is_last or published <= number):
            yield _item(document, number)


def _item(document: SampleDocument, number: int) -> Item:
    fields = {
        "external_id": document.external_id,
        "title": document.title,
        "classification": document.classification,
        "tags": ",".join(document.tags),
    }
    if document.effective_from:
        fields["effective_from"] = document.effective_from[number].isoformat()
    file = document.files[number]
    return Item(SAMPLES / file, file, document.space, fields)
