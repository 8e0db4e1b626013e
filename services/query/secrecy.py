"""How secret a question is with all that a model would be sent along with it."""

from kbcore.domain.document import Classification
from kbcore.settings import LlmSettings
from services.query.found import Found
from services.query.request import AskRequest


def level_of(request: AskRequest, found: Found, settings: LlmSettings) -> Classification:
    """The highest classification among the question, the history and the passages that were found."""
    passages = (item.passage.classification for item in found.ranked)
    history = request.history_level if request.history else Classification.PUBLIC
    return max(Classification.of(settings.question_classification), history, *passages)
