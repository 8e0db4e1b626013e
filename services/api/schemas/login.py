"""Logging in and passwords on the wire."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas.names import Text

_STRICT = ConfigDict(extra="forbid")

Password = Annotated[Text, Field(max_length=1000)]
"""Any characters; what looks the same is the same (NFC)."""


class Credentials(BaseModel):
    """A name and its password."""

    model_config = _STRICT

    name: Text = Field(max_length=100)
    password: Password


class Session(BaseModel):
    """What a login gives."""

    token: str = Field(description="`zs_…`, to be sent like an API key: `Authorization: Bearer zs_…`.")
    expires_at: datetime


class PasswordChange(BaseModel):
    """A new password."""

    model_config = _STRICT

    password: Password = Field(description="Long enough (`login.min_password_chars`), not common, without the name.")
    old_password: Password | None = Field(default=None, description="Needed for one's own.")
