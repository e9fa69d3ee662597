"""What every encoder of one vector a text (or a window of it) offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from xsearch.core import FloatArray, Windows
from xsearch.encode.card import EncoderCard


class Encoder(Protocol):
    """An encoder, whatever runs it. `langs` are language codes of the texts, where they are known."""

    card: EncoderCard

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> FloatArray:
        """float32 (len(texts), dim), rows of length 1, a zero row for a text the encoder sees nothing in."""

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Windows:
        """Vectors of length 1 of windows of every text; owners are rows of `texts`."""

    def supports(self, lang: str) -> float:
        """How well the encoder knows a language, 0 (not at all) to 1."""

    def word_weights(self, words: Sequence[str]) -> FloatArray:
        """How much each word says, float32 (len(words),), 0 or more: function words stay below 1. An encoder that
        does not know says 1 of every word."""
