"""Expectation maximisation over a corpus: model 1, then the HMM, in both directions at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray
from xsearch.train.align.hmm import REACH, Jumps, hmm_posteriors
from xsearch.train.align.model1 import model1_posteriors
from xsearch.train.align.pairs import Block, Corpus
from xsearch.train.align.recipe import Alignment
from xsearch.train.align.symmetrise import SYMMETRISED
from xsearch.train.align.tables import Floats, Model

CHUNK = 1 << 22
LEAST_NULL = 1e-7


Posteriors = tuple[FloatArray, FloatArray, FloatArray, FloatArray]


def expected_counts(corpus: Corpus, settings: Alignment) -> Floats:
    """Expected counts c(e, f) of the pairs of `corpus`, float64 (pairs,): both directions' final posteriors, joined."""
    model = Model.uniform(corpus)
    jumps = (Jumps.initial(), Jumps.initial())
    moved = np.zeros((2, 2 * REACH + 1))

    def independent(block: Block) -> Posteriors:
        return model1_posteriors(block, model, settings.null)

    def chained(block: Block) -> Posteriors:
        return _hmm(block, model, jumps, settings.null, moved)

    for _ in range(settings.model1):
        _iterate(corpus, model, settings, independent)
    for _ in range(settings.hmm):
        moved[:] = 0
        _iterate(corpus, model, settings, chained)
        for side, counts in zip(jumps, moved, strict=True):
            side.maximise(counts)
    join = SYMMETRISED[settings.symmetrisation]
    joined = np.empty(len(corpus.cells), dtype=np.float32)
    for block, at in _places(corpus):
        right, _, left, _ = chained(block) if settings.hmm else independent(block)
        joined[at] = (join(right, left) * block.weights[:, None]).ravel()
    return counted(corpus.cells, joined, len(corpus))


def _iterate(corpus: Corpus, model: Model, settings: Alignment, posteriors: Callable[[Block], Posteriors]) -> None:
    """One E-step and one M-step.

    With agreement, both directions are counted by the product of their posteriors (Liang, Taskar and Klein 2006,
    "Alignment by Agreement", equation 9), so that neither learns what the other does not see.
    """
    rights = np.empty(len(corpus.cells), dtype=np.float32)
    lefts = rights if settings.agreement else np.empty_like(rights)
    right_null = np.full(len(corpus.right_pieces), LEAST_NULL)
    left_null = np.full(len(corpus.left_pieces), LEAST_NULL)
    for block, at in _places(corpus):
        right, no_right, left, no_left = posteriors(block)
        if settings.agreement:
            right *= left
        right *= block.weights[:, None]
        rights[at] = right.ravel()
        if not settings.agreement:
            left *= block.weights[:, None]
            lefts[at] = left.ravel()
        right_null += _at_pieces(block.rights.T, no_right * block.weights, len(right_null))
        left_null += _at_pieces(block.lefts, no_left * block.weights[:, None], len(left_null))
    right_counts = counted(corpus.cells, rights, len(corpus))
    left_counts = right_counts if settings.agreement else counted(corpus.cells, lefts, len(corpus))
    model.right.maximise(right_counts, right_null, settings.prior)
    model.left.maximise(left_counts, left_null, settings.prior)


def _hmm(block: Block, model: Model, jumps: tuple[Jumps, Jumps], null: float, moved: Floats) -> Posteriors:
    """Posteriors of both directions of a block; expected jumps are added to `moved` (2, …)."""
    right = hmm_posteriors(
        model.right.probabilities[block.cells],
        model.right.null[block.rights.T],
        block.left_sizes,
        block.right_sizes,
        block.weights,
        jumps[0],
        null,
    )
    left = hmm_posteriors(
        np.ascontiguousarray(model.left.probabilities[block.cells].transpose(2, 1, 0)),
        model.left.null[block.lefts.T],
        block.right_sizes,
        block.left_sizes,
        block.weights,
        jumps[1],
        null,
    )
    moved[0] += right.jumps
    moved[1] += left.jumps
    return right.posteriors, right.null, left.posteriors.transpose(2, 1, 0), left.null.T


def _places(corpus: Corpus) -> Iterator[tuple[Block, slice]]:
    """Every block and where its cells are among all."""
    end = 0
    for block in corpus.blocks:
        begin, end = end, end + block.cells.size
        yield block, slice(begin, end)


def counted(numbers: NDArray[np.int32], values: FloatArray, size: int) -> Floats:
    """Values added up by number: float64 (size,)."""
    sums: Floats = np.zeros(size)
    for begin in range(0, len(numbers), CHUNK):
        part = slice(begin, begin + CHUNK)
        sums += np.bincount(numbers[part], weights=values[part], minlength=size)
    return sums


def _at_pieces(pieces: NDArray[np.int32], values: FloatArray, size: int) -> Floats:
    return np.bincount(pieces.ravel(), weights=values.ravel(), minlength=size).astype(np.float64)
