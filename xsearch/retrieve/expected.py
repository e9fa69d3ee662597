"""Passages translated when they are indexed: how often a query's pieces are to be expected in them, as postings.

What a passage has of a query piece q, tf(q, d) = Σ_t p(t | q) · tf(t, d) (`retrieve.psq`), depends of the query on its
language alone. For the languages that are asked in it can be summed up beforehand, as Yang et al. do ("Efficiency-
Effectiveness Tradeoff of Probabilistic Structured Queries for Cross-Language Information Retrieval", 2024): a search
then reads one list for each piece, not one for each of its translations, and the index grows by a posting for every
piece that a passage may be asked for with.

A term of the postings is ``place << PLACE | piece``: at place 0 the pieces of the passage as they are, at place i those
of the i-th language asked in. A piece that has no translation is asked for as it is. Counts are kept in steps of
1 / `SCALE`, rounded, up to `MOST`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Mask, PassageBatch, Translations
from xsearch.retrieve.impact import ImpactWriter, Terms
from xsearch.storage.files import Files

PLACE = 24
"""Bits of a term that hold the piece."""
SCALE = 32
MOST = 255 / SCALE
"""The largest count, so that a weight takes one byte: one that is larger says little more."""


def unchanged(translations: Translations, tokens: NDArray[np.integer]) -> Mask:
    """Which of `tokens` have themselves for their only translation, bool (q,)."""
    sizes = np.diff(translations.starts)
    if not len(translations.tokens):
        return np.zeros(len(sizes), dtype=np.bool_)
    first = np.minimum(translations.starts[:-1], len(translations.tokens) - 1)
    sure = translations.probabilities[first] > 1.0 - 1e-6
    same: Mask = (sizes == 1) & (translations.tokens[first] == tokens) & sure
    return same


def expected_of(batch: PassageBatch) -> Terms | None:
    """The expected counts of a batch in steps, with the passages' own lengths."""
    if batch.expected is None or batch.pieces is None:
        return None
    steps = np.minimum(np.rint(batch.expected.weights.astype(np.float64) * SCALE), MOST * SCALE).astype(np.int64)
    return Terms(batch.expected.terms, batch.expected.starts, steps, np.diff(batch.pieces.starts))


class ExpectedWriter:
    """Appends expected counts to the segments of `folder`, as `ImpactWriter` does. state: has also "langs", the
    languages that are asked in, in their order."""

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._langs = list(state["langs"])
        self._postings = ImpactWriter(folder, state, high_water=high_water, files=files, read=expected_of)

    def add(self, batch: PassageBatch) -> None:
        """Append the counts of `batch`. Raises ValueError as `ImpactWriter` does."""
        self._postings.add(batch)

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it."""
        return {**self._postings.flush(), "langs": self._langs}

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._postings.close()
