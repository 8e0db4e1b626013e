"""What one document may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a single document; see `[parsing]` in configs/default.toml. `memory_bytes` 0 = no limit."""

    timeout_s: float = 120.0
    memory_bytes: int = 2_147_483_648
    max_pages: int = 5000
    max_text_chars: int = 20_000_000
    max_expansion: int = 200
