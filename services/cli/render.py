"""How answers, hits and jobs look on a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from services.cli.responses import Answer, Citation, Hit, Job, Source
from services.cli.wrap import Wrapped


def place(title: str, version: int, source: Source, *, current: bool = True) -> Text:
    """`差旅报销制度 · v2 · 第二章 住宿标准 · p. 3`, and whether it is not what readers see now."""
    parts = [f"v{version}", *([" › ".join(source.heading)] if source.heading else [])]
    if source.page is not None:
        parts.append(f"p. {source.page}")
    if not current:
        parts.append("not the present version")
    return Text.assemble((title, "bold"), (" · " + " · ".join(parts), "dim"))


def answer_view(answer: Answer) -> RenderableType:
    """The answer, what has to be said about it, then each source with its verbatim quote."""
    text = Text(answer.answer, style="yellow" if answer.abstained else "")
    remarks = [Wrapped(Text(remark, style="dim")) for remark in _remarks(answer)]
    return Group(Wrapped(text), *remarks, *(citation_view(citation) for citation in answer.citations))


def _remarks(answer: Answer) -> Iterator[str]:
    if answer.experimental and not answer.abstained:
        yield f"{answer.model} is an experimental model: checked against the documents, it may still be wrong."
    if answer.reason == "model_interrupted":
        yield "The model broke off; this is what it had said that the documents confirm."


def citation_view(citation: Citation) -> RenderableType:
    """One source: marker, place, quote."""
    head = Text.assemble(
        (f"{citation.marker} ", "cyan"),
        place(citation.title, citation.version, citation.source, current=citation.current),
    )
    return Padding(
        Group(Wrapped(head), Padding(Wrapped(Text(f"“{citation.quote}”", style="italic")), (0, 0, 0, 4))), (1, 0, 0, 0)
    )


def hit_view(number: int, hit: Hit) -> RenderableType:
    """One search result: number, place, space, score, passage."""
    head = Text.assemble((f"{number}. ", "cyan"), place(hit.title, hit.version, hit.source, current=hit.current))
    head.append(f" · {hit.space} · {hit.score:.3f}", style="dim")
    return Padding(Group(Wrapped(head), Padding(Wrapped(Text(hit.text)), (0, 0, 0, 3))), (0, 0, 1, 0))


def job_line(job: Job) -> Text:
    """One job: id, what, state and stage, progress, error."""
    colours = {"succeeded": "green", "failed": "red", "running": "cyan"}
    line = Text.assemble((job.id, "dim"), f"  {job.kind:<10}", (f"{job.state:<10}", colours.get(job.state, "yellow")))
    if not job.ended:
        line.append(f"{job.stage} {job.done}/{job.total}" + ("" if job.eta is None else f", {job.eta:.0f} s left"))
    if job.error is not None:
        where = "" if job.error.page is None else f" (page {job.error.page})"
        line.append(f"{job.error.code}{where}: {job.error.detail}")
    return line
