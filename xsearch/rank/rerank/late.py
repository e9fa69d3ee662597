"""Late interaction as a second stage: a multi-vector encoder's MaxSim over what another first stage found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import BadInput, FloatArray, Query
from xsearch.encode import MultiVectorEncoder, Runtime, load_multivector
from xsearch.rank.rerank.card import RerankerCard
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text


class LateReranker:
    """score(q, d) = Σ_i max_j q_i · d_j  over the query's tokens i and the passage's tokens j, divided by the query's
    tokens (Khattab and Zaharia 2020, equation 3, as a mean: scores of queries of any length lie between -1 and 1). A
    passage or a query without tokens has 0."""

    def __init__(self, card: RerankerCard, encoder: MultiVectorEncoder) -> None:
        self.card = msgspec.structs.replace(card, fingerprint=encoder.card.fingerprint)
        self.counts: Counter[str] = Counter()
        self._encoder = encoder

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), mean of cosines."""
        asked = self._encoder.encode_queries([query.text], [query.lang])[0]
        texts, langs = [passage_text(passage) for passage in passages], [passage.lang for passage in passages]
        vectors = self._encoder.encode_passages(texts, langs)
        scores = np.zeros(len(passages), dtype=np.float32)
        for row in range(len(passages)):
            if len(asked) and len(vectors[row]):
                scores[row] = (asked @ vectors[row].T).max(axis=1).mean()
        return scores


def load(card: RerankerCard, folder: Path, runtime: Runtime) -> LateReranker:
    """The reranker of a card whose `model` is a multi-vector encoder: a name in `encoders/`, a model's folder or its
    name on the hub. Raises what `load_multivector` raises."""
    if not card.model:
        raise BadInput(f"the card of reranker '{card.name}' needs model, a multi-vector encoder")
    beside = folder / card.model
    return LateReranker(card, load_multivector(beside if beside.exists() else card.model, runtime))
