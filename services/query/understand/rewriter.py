"""The model that rewrites follow-ups, if one is configured (`[llm] rewrite`) and may see the thread."""

from collections.abc import Sequence

from kbcore.bootstrap import Platform
from kbcore.errors import Unavailable
from kbcore.llm.interface import Chatting, Message
from services.limits.asking import MayAsk, any_model
from services.query.request import AskRequest
from services.query.secrecy import level_of_question
from services.query.understand.by_model import Rewriter

_TOKENS = 200


def rewriter(platform: Platform, request: AskRequest, may_ask: MayAsk = any_model) -> Rewriter | None:
    """None if none is configured, or if it may not be sent text as secret as the question and its history.

    Only questions are sent; their level is taken to be that of the answers before all the same, which they may quote.
    """
    settings = platform.settings.llm
    model = platform.answer_models.get(settings.rewrite) if settings.rewrite else None
    if model is None or level_of_question(request, settings) > model.allowed or not isinstance(model, Chatting):
        return None
    chatting = model

    def say(messages: Sequence[Message]) -> str:
        if not may_ask(settings.rewrite):
            raise Unavailable(f"the model {settings.rewrite} is asked too often")
        return chatting.say(messages, max_tokens=_TOKENS)

    return say
