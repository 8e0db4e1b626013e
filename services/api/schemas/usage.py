"""What models cost, on the wire."""

from typing import Self

from pydantic import BaseModel, Field

from kbcore.metadata.usage import By, Figures


class UsageFigures(BaseModel):
    """Sums of one day, user, model or space, or of all of them."""

    key: str | None = Field(
        description="The day, the user's id, the model, or the space's id; null in `total`. Empty: no model was asked, "
        "or the question was not about one space alone. `erased`: people whose data was erased."
    )
    requests: int = Field(description="Answers and embeddings.")
    prompt_tokens: int
    completion_tokens: int
    cost: float = Field(description="In the currency of the models' prices.")
    cost_micros: int = Field(description="The same, exactly, in millionths.")
    latency_ms: int = Field(description="Summed over the requests.")

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """The public shape."""
        return cls(
            key=figures.key,
            requests=figures.requests,
            prompt_tokens=figures.prompt_tokens,
            completion_tokens=figures.completion_tokens,
            cost=figures.cost_micros / 1_000_000,
            cost_micros=figures.cost_micros,
            latency_ms=figures.latency_ms,
        )


class UsageAnswer(BaseModel):
    """Sums by what was asked for, in its order, and their total."""

    by: By
    items: list[UsageFigures]
    total: UsageFigures
