"""Replays on the wire."""

from typing import Self

from pydantic import BaseModel, Field

from kbcore.metadata.places import Place
from services.library.replay import ContextPassage, Replay
from services.library.replay_today import Passages, Today


class ContextPassageOut(BaseModel):
    """A passage of the context, in the words of the stored version."""

    number: int
    document_id: str
    version: int
    start: int
    end: int
    title: str
    heading: list[str]
    text: str

    @classmethod
    def of(cls, passage: ContextPassage) -> Self:
        """The public shape."""
        shown = {name: getattr(passage, name) for name in passage.__slots__}
        return cls.model_validate({**shown, "heading": list(passage.heading)})


class MessageOut(BaseModel):
    """A message of the prompt."""

    role: str
    content: str


class PlaceOut(BaseModel):
    """Where a passage stands."""

    document_id: str
    version: int
    start: int
    end: int

    @classmethod
    def of(cls, place: Place) -> Self:
        """The public shape."""
        document_id, version, start, end = place
        return cls(document_id=document_id, version=version, start=start, end=end)


class PassagesOut(BaseModel):
    """Passages that you may read now, and how many others there are."""

    shown: list[PlaceOut]
    withheld: int

    @classmethod
    def of(cls, passages: Passages) -> Self:
        """The public shape."""
        return cls(shown=[PlaceOut.of(place) for place in passages.shown], withheld=passages.withheld)


class TodayOut(BaseModel):
    """What would differ if it were asked now, with the asker's present rights."""

    epoch: int
    index: int | None
    same_index: bool
    model: str | None = Field(description="Which model would be asked; null for a search.")
    same_model: bool | None
    same_template: bool | None = Field(description="Whether the fixed text of its prompt is the same.")
    abstains: str | None = Field(description="Why no model would be asked; null = one would be, or it is a search.")
    unreadable: PassagesOut = Field(description="Passages of then that the asker may not read now.")
    not_found: PassagesOut = Field(description="Passages of then that it may read, but that are not found any more.")
    added: PassagesOut = Field(description="Passages that are found now and were not then.")

    @classmethod
    def of(cls, today: Today) -> Self:
        """The public shape."""
        lists = ("unreadable", "not_found", "added")
        plain = {name: getattr(today, name) for name in today.__slots__ if name not in lists}
        return cls(**plain, **{name: PassagesOut.of(getattr(today, name)) for name in lists})


class ReplayOut(BaseModel):
    """The context of an old answer once more, and whether the prompt is the same to the byte."""

    id: str = Field(description="Of the trace's record.")
    trace_id: str
    identical: bool | None = Field(description="Null if no model was asked, or you may not be told.")
    why_not: str | None = Field(
        description="`access_withdrawn`, `no_model_asked`, `question_erased`, `text_gone`, `place_gone`, "
        "`history_not_kept`, `history_gone`, `model_gone`, `template_changed` or `changed`."
    )
    context: list[ContextPassageOut] | None = Field(
        description="What the model got, of a search all passages; null if withheld or gone."
    )
    prompt: list[MessageOut] | None = Field(description="The exact messages, if identical and you may read all of it.")
    withheld: bool = Field(description="You may not read every passage of it now.")
    today: TodayOut | None
    today_why_not: str | None = Field(description="Why `today` is null.")

    @classmethod
    def of(cls, replay: Replay) -> Self:
        """The public shape."""
        context, prompt = replay.context, replay.prompt
        return cls(
            id=replay.trace.id,
            trace_id=replay.trace.trace_id,
            identical=replay.identical,
            why_not=replay.why_not,
            context=None if context is None else [ContextPassageOut.of(each) for each in context],
            prompt=None if prompt is None else [MessageOut(role=each.role, content=each.content) for each in prompt],
            withheld=replay.withheld,
            today=None if replay.today is None else TodayOut.of(replay.today),
            today_why_not=replay.today_why_not,
        )
