"""JSON bodies that a route reads itself, once it knows that the caller may send one: for those that may be large."""

import json
from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from kbcore.errors import UnsupportedMediaType
from services.api.errors import SEND_JSON, UNPARSED, says_json

Body = TypeVar("Body", bound=BaseModel)


def parse_json(request: Request, sent: bytes, model: type[Body]) -> Body:
    """The body as the framework would have read it, with the same errors. Raises `UnsupportedMediaType` too."""
    if not says_json(request):
        raise UnsupportedMediaType(SEND_JSON)
    try:
        return model.model_validate(json.loads(sent))
    except json.JSONDecodeError as error:
        broken = {"type": "json_invalid", "loc": ("body", error.pos), "msg": error.msg, "ctx": {"error": error.msg}}
        raise RequestValidationError([broken]) from None
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in details]) from None
    except (ValueError, RecursionError):  # not UTF-8, or nested too deep
        raise HTTPException(400, UNPARSED) from None
