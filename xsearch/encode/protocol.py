"""What the engine asks of an encoder whose vectors are compared by their inner product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from xsearch.core import FloatArray, Windows
from xsearch.encode.card import EncoderCard


class Encoder(Protocol):
    """Texts → unit vectors. A user's own class needs no base class, only these members."""

    @property
    def card(self) -> EncoderCard:
        """Name, dimension, languages, fingerprint."""

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> FloatArray:
        """float32 (len(texts), dim), rows of length 1; a zero row for a text with nothing to encode."""

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Windows:
        """Vectors of stretches of each text, several a text; owners are rows of `texts`."""

    def supports(self, lang: str) -> float:
        """How well a language is known, 0..1; 0 where a passage in it could not be found."""
