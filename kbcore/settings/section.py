"""What every section of the settings has in common."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _words(value: object) -> object:
    return [word for word in re.split(r"[\s,]+", value) if word] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""A list; from the environment its words are parted by commas or spaces."""


Level = Literal["public", "internal", "confidential", "restricted"]
"""A classification."""


class Section(BaseModel):
    """Frozen; a key that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
