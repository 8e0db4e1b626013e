"""What an answer or an embedding cost: for the table of usage, and for the metrics."""

from kbcore.domain.trace import Trace, TracedAnswer
from kbcore.metadata.usage import Price, Use
from kbcore.observability.metrics import model_cost, model_tokens
from kbcore.settings import Settings

NO_MODEL = ""
"""The model of an answer for which none was asked: too little was found, or the answer had been given before."""


def price_of(settings: Settings, model: str) -> Price:
    """Of a generation backend; what costs nothing, or is not in the settings, is free."""
    for each in settings.llm.models:
        if each.name == model:
            return Price(each.price_input, each.price_output)
    return Price()


def use_of_answer(settings: Settings, trace: Trace, answer: TracedAnswer) -> Use:
    """The use of a question's answer, however it ended. A model that was given up has no tokens that are known."""
    asked = bool(answer.prompts)
    model = answer.model or NO_MODEL if asked else NO_MODEL
    spaces: list[str] = trace.asked.get("spaces") or []
    price = price_of(settings, model)
    return Use(
        user_id=trace.user_id,
        model=model,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        cost_micros=price.micros(answer.prompt_tokens, answer.completion_tokens),
        latency_ms=round(answer.took_ms),
        space=spaces[0] if len(spaces) == 1 else "",
    )


def count(use: Use) -> None:
    """Add a use that has been written to the metrics."""
    if use.model != NO_MODEL:
        model_tokens.labels(use.model, "prompt").inc(use.prompt_tokens)
        model_tokens.labels(use.model, "completion").inc(use.completion_tokens)
        model_cost.labels(use.model).inc(use.cost_micros / 1_000_000)
