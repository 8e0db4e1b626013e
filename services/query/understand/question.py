"""Question: what is asked, as it would be asked without the conversation."""

from dataclasses import dataclass

from kbcore.settings import CONFIG_FOLDER
from services.query.request import AskRequest
from services.query.understand.by_model import Rewriter, reworded
from services.query.understand.rewrite import rewrite


@dataclass(frozen=True, slots=True)
class Question:
    """`text` stands alone. `follow_up` is None if it was asked like that, else `rules` or `model`."""

    text: str
    follow_up: str | None


def standalone(request: AskRequest, rewriter: Rewriter | None) -> Question:
    """The question behind a follow-up: by the model if there is one and it can be believed, else by rules."""
    asked = request.question.strip()
    if rewriter is not None and request.history and asked:
        said = reworded(request.question, request.history, rewriter, CONFIG_FOLDER / "prompts")
        if said is not None:
            return Question(said, None if said == asked else "model")
    meant = rewrite(request.question, request.history)
    return Question(meant, None if meant == asked else "rules")
