"""How secret a question is, by itself and with all that a model would be sent along with it."""

from kbcore.domain.document import Classification
from kbcore.settings import LlmSettings
from services.query.found import Found
from services.query.request import AskRequest, SearchRequest


def level_of_question(request: AskRequest | SearchRequest, settings: LlmSettings) -> Classification:
    """What a question counts as: the setting, or the thread that it belongs to, which it may quote."""
    return max(Classification.of(settings.question_classification), request.thread_level)


def level_of(request: AskRequest, found: Found, settings: LlmSettings) -> Classification:
    """The highest classification among the question, the history and the passages that were found."""
    passages = (item.passage.classification for item in found.ranked)
    return max((level_of_question(request, settings), *passages))
