"""History: as much of a conversation as a model is to read again."""

from collections.abc import Callable, Sequence

Pairs = tuple[tuple[str, str], ...]


def within_budget(history: Pairs, budget: int, count_tokens: Callable[[Sequence[str]], list[int]]) -> Pairs:
    """The same turns; the newest keep their answers while question and answer fit, all older ones have theirs empty.

    A turn is kept whole or not at all. Questions stay, for a follow-up may need them: they are only searched.
    """
    left, kept = budget, len(history)
    for question, answer in reversed(history):
        if answer:
            left -= sum(count_tokens([question, answer]))
        if left < 0:
            break
        kept -= 1
    return tuple((question, answer if at >= kept else "") for at, (question, answer) in enumerate(history))
