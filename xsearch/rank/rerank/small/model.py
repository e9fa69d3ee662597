"""The small reranker: measurements weighed by its card, and passages that vouch for each other.

With the features φ, the spelling σ and the likeness c of `features`, and weights w, λ and γ,

    s(d) = Σ_f w_f φ_f(q, d) + λ σ(q, d)        P(d) = exp(s(d)) / Σ_d' exp(s(d'))
    score(d) = s(d) + γ Σ_d' P(d') c(d, d')

P is what the listwise loss makes of s: how likely d is what was asked for. That what looks right lends its weight to
what is like it is pseudo-relevance feedback with the probabilities of relevance models (Lavrenko and Croft 2001), here
across languages alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import FloatArray, Query, UsageError
from xsearch.encode import PieceEncoder, Runtime, has_pieces, load_encoder
from xsearch.rank.rerank.card import RerankerCard
from xsearch.rank.rerank.protocol import RerankCandidate
from xsearch.rank.rerank.small.features import FEATURES, Measured, measure


class SmallSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """encoder: the static encoder whose vectors are compared. agreement: γ. spelled: λ. The rest: w, by name of
    `FEATURES`."""

    encoder: str
    agreement: float
    fused: float
    similar: float
    rare: float
    translated: float
    window: float
    lead: float
    least: float
    spelled: float = 0.0

    @property
    def weights(self) -> FloatArray:
        """float32 (len(FEATURES),), in their order."""
        return np.array([getattr(self, name) for name in FEATURES], dtype=np.float32)


def final_scores(measured: Measured, weights: FloatArray, agreement: float, spelled: float = 0.0) -> FloatArray:
    """float32 (n,), the score of every passage of a list."""
    first = measured.features @ weights + np.float32(spelled) * measured.spelled
    scores: FloatArray = (first + agreement * witnessed(measured, first)).astype(np.float32)
    return scores


def witnessed(measured: Measured, first: FloatArray) -> FloatArray:
    """Σ_d' P(d') c(d, d') of every passage, (n,), given s(d), `first`."""
    powers = np.exp(first - first.max(initial=-np.inf))
    mean: FloatArray = measured.likeness @ (powers / max(float(powers.sum()), 1e-9))
    return mean


class SmallReranker:
    """Orders a list as a whole: features are measured against the other passages of the list. Safe to share between
    threads."""

    counts: Mapping[str, int] = {}

    def __init__(self, card: RerankerCard, encoder: PieceEncoder, settings: SmallSettings) -> None:
        self.card = card
        self._encoder = encoder
        self._weights, self._agreement, self._spelled = settings.weights, settings.agreement, settings.spelled
        self._unit = settings.fused if settings.fused > 0 else 1.0

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), higher is better, between 0 and 1: 1 / (1 + exp(−score / w_fused)), the fused score
        where nothing speaks for or against a passage. Scores of one call alone compare."""
        measured = measure(self._encoder, query, passages)
        scores = final_scores(measured, self._weights, self._agreement, self._spelled)
        chances: FloatArray = 1.0 / (1.0 + np.exp(-scores / np.float32(self._unit)))
        return chances

    def improve(self, query: Query, passages: Sequence[RerankCandidate]) -> Iterator[FloatArray]:
        """`score`, which takes one pass."""
        yield self.score(query, passages)

    def passes(self, count: int) -> int:
        """One."""
        return 1


def small_reranker(card: RerankerCard, folder: Path, runtime: Runtime) -> SmallReranker:
    """The reranker of a card of kind "reranker-small". Raises `UsageError` where the encoder it names has no pieces."""
    settings = card.read_settings(SmallSettings)
    encoder = load_encoder(settings.encoder)
    if not has_pieces(encoder):
        raise UsageError(f"encoder '{settings.encoder}' has no pieces: the small reranker needs a static one")
    return SmallReranker(card, encoder, settings)
