"""Going back and correcting, on the wire."""

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.names import Comment, Text

_STRICT = ConfigDict(extra="forbid")
_WHY = "Why: shown in the history."


class RollBack(BaseModel):
    """The version to go back to."""

    model_config = _STRICT

    to: int = Field(description="Its number.")
    comment: Comment | None = Field(default=None, description=_WHY)


class EditedText(BaseModel):
    """A document's corrected text."""

    model_config = _STRICT

    text: Text = Field(description="The whole stored text as it shall be; lines that stay the same keep their outline.")
    comment: Comment | None = Field(default=None, description=_WHY)


class Reparse(BaseModel):
    """Reading the original bytes again."""

    model_config = _STRICT

    comment: Comment | None = Field(default=None, description=_WHY)
