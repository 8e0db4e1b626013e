"""Settings of the search, its reranker and its evaluation."""

from typing import Literal

from pydantic import Field, SecretStr

from kbcore.settings.section import Level, Section


class RetrievalSettings(Section):
    """The question path's search."""

    candidates: int = Field(ge=1)
    max_candidates: int = Field(ge=1)
    exact_rows: int = Field(ge=0)
    keyword_weight: float = Field(ge=0, le=1)
    keyword_power: float = Field(gt=0)
    max_top_k: int = Field(ge=1)
    max_query_chars: int = Field(ge=1)


class EvaluationSettings(Section):
    """Measurements on golden sets."""

    run_here: bool
    permission_trials: int = Field(ge=0)


class RerankSettings(Section):
    """Reranking."""

    kind: Literal["none", "cross_encoder", "http"]
    model: str
    base_url: str
    api_key: SecretStr
    max_classification: Level
    shape: Literal["cohere", "jina", "tei"]
    raw_scores: bool
    batch: int = Field(ge=0)
    timeout_s: float = Field(gt=0)
