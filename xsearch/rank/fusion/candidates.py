"""What fusion is given, what it works on and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, Mask, Ranking, UsageError
from xsearch.core.order import distinct

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """One retriever's answer with what fusion must know of it.

    name: the retriever's, unique within one fusion. ranking: (n,) passages. weight: 0 or more; what counts is the
    ratio to the others'. langs: int32 (n,), language index of each passage of the ranking. support: float32
    (languages,), 0..1: could this retriever see a relevant passage of that language at all, for this query?
    background: float (languages, 2), mean and standard deviation of the query's scores over each language at large,
    NaN where unknown. sizes: int64 (languages,), how many scores a row of `background` rests on; None takes every
    row at its word. depth: how many passages a language the retriever was asked for; a shorter list is known to be
    complete, so what it lacks matched nothing. 0 means unknown.
    """

    name: str
    ranking: Ranking
    weight: float
    langs: NDArray[np.int32]
    support: FloatArray
    background: NDArray[np.floating[Any]]
    sizes: IntArray | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One retriever's part in a fused ranking; every array is aligned to the ranking's passages.

    rank: int64, 1 is best, 0 where it did not return the passage. score: float32, the retriever's own, NaN where it
    returned nothing. calibrated: float32, the score as the method used it, NaN where the retriever was silent.
    support: float32, how far the retriever could speak of that passage's language. unmatched: bool, whether it is known
    to match nothing in the passage: it did not return it, and has returned all that matches in its language.
    """

    rank: IntArray
    score: FloatArray
    calibrated: FloatArray
    support: FloatArray
    weight: float
    unmatched: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The union of r retrievers' n passages as a table, retrievers by name, passages by ascending number.

    passages: int64 (n,). langs: int32 (n,), language index. ranks: int64 (r, n), 1 is best, 0 is not returned.
    scores: float64 (r, n), NaN where not returned. weights: float64 (r,). sources: the retrievers' answers. places:
    for each of them, int64, where the passages of its ranking stand in `passages`.
    """

    passages: IntArray
    langs: NDArray[np.int32]
    ranks: IntArray
    scores: Float64Array
    weights: Float64Array
    sources: tuple[Candidates, ...]
    places: tuple[IntArray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A method's verdict on a pool: the fused scores, float64 (n,), and what each retriever's score became on the
    method's own scale, float64 (r, n), NaN where the retriever was silent."""

    scores: Float64Array
    calibrated: Float64Array


@dataclass(frozen=True, eq=False)
class Fused:
    """One ranking made of several: the passages of `table` in the order `order`, places int64 (n,), with what `judged`
    says of them."""

    ranking: Ranking
    table: Pool
    judged: Judged
    order: IntArray

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        """Each retriever's part by name, made when it is asked for: few searches show it."""
        table, order, langs = self.table, self.order, self.table.langs[self.order]
        return {
            source.name: Part(
                rank=table.ranks[row, order],
                score=table.scores[row, order].astype(np.float32),
                calibrated=self.judged.calibrated[row, order].astype(np.float32),
                support=source.support[langs].astype(np.float32),
                weight=source.weight,
                unmatched=(table.ranks[row, order] == 0) & _complete(source)[langs],
            )
            for row, source in enumerate(table.sources)
        }


def _complete(source: Candidates) -> Mask:
    """Of each language, whether the retriever returned fewer passages than it was asked for."""
    complete: Mask = np.bincount(source.langs, minlength=len(source.support)) < source.depth
    return complete


Method = Callable[[Pool], Judged]


def pool(candidates: Sequence[Candidates]) -> Pool:
    """The candidates in one table. The order in which retrievers are given leaves no trace, to the last bit.

    Raises `UsageError` for no retriever, two of one name, a weight below 0 or not finite, or no weight above 0.
    """
    sources = tuple(sorted(candidates, key=lambda source: source.name))
    _check(sources)
    given = np.concatenate([source.ranking.passages for source in sources])
    langs = np.concatenate([source.langs for source in sources])
    passages, first, column = distinct(given)
    shape = (len(sources), len(passages))
    ranks = np.zeros(shape, dtype=np.int64)
    scores = np.full(shape, np.nan)
    places = tuple(np.split(column, np.cumsum([len(source.ranking) for source in sources[:-1]])))
    for row, source in enumerate(sources):
        ranks[row, places[row]] = np.arange(1, len(source.ranking) + 1)
        scores[row, places[row]] = source.ranking.scores
    weights = np.array([source.weight for source in sources], dtype=np.float64)
    return Pool(passages, langs[first], ranks, scores, weights, sources, places)


def _check(sources: tuple[Candidates, ...]) -> None:
    if not sources:
        raise UsageError("nothing to fuse: at least one retriever is needed")
    names = [source.name for source in sources]
    twice = next((name for name, following in pairwise(names) if name == following), None)
    if twice is not None:
        raise UsageError(f"two retrievers are named '{twice}': fusion tells them apart by name")
    for source in sources:
        if not (np.isfinite(source.weight) and source.weight >= 0):
            raise UsageError(f"the weight of '{source.name}' must be 0 or more, not {source.weight}")
    if not any(source.weight > 0 for source in sources):
        raise UsageError(f"every weight is 0 ({', '.join(names)}): one retriever at least must count")
