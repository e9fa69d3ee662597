"""A table of joint counts made small: what is likely in neither direction goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray
from xsearch.lang.translation import Limits, likeliest
from xsearch.lang.translation_file import MOST_COLUMNS, MOST_IN_ROW, PairTable
from xsearch.train.align.recipe import Pruning


@dataclass(frozen=True, eq=False)
class JointCounts:
    """Expected counts of pairs of pieces: how often `left[j]` and `right[j]` stand for each other. Pieces are int64, of
    the encoder; counts float32, above 0; ordered by left, then right."""

    left: IntArray
    right: IntArray
    counts: FloatArray

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, kept: NDArray[np.generic]) -> JointCounts:
        """Some of them, by mask or ascending place."""
        return JointCounts(self.left[kept], self.right[kept], self.counts[kept])


def pruned(joint: JointCounts, settings: Pruning) -> JointCounts:
    """What `settings` leave (see `Pruning`), at most as many entries and columns as the file can hold."""
    joint = joint.take(joint.counts >= settings.least_count)
    limits = Limits(settings.min_probability, settings.cumulative, settings.alternatives)
    kept = _likeliest(joint.left, joint.counts, limits) | _likeliest(joint.right, joint.counts, limits)
    joint = joint.take(kept)
    # A piece that a row or the file has no more room for is rare or means little.
    room = Limits(0.0, np.inf, MOST_IN_ROW)
    joint = joint.take(_likeliest(joint.left, joint.counts, room))
    columns, totals = np.unique(joint.right, return_inverse=True)
    if len(columns) > MOST_COLUMNS:
        heaviest = np.argsort(-np.bincount(totals, weights=joint.counts), kind="stable")[:MOST_COLUMNS]
        joint = joint.take(np.isin(joint.right, columns[heaviest]))
    return joint


def _likeliest(owners: IntArray, counts: FloatArray, limits: Limits) -> NDArray[np.bool_]:
    """Which entries stay, given what each counts of its owner's total."""
    _, rows = np.unique(owners, return_inverse=True)
    shares = counts / np.bincount(rows, weights=counts)[rows]
    kept = np.zeros(len(owners), dtype=np.bool_)
    kept[likeliest(rows, shares.astype(np.float32), limits)] = True
    return kept


def pair_table(joint: JointCounts, rows: str, columns: str, row_pieces: IntArray, column_pieces: IntArray) -> PairTable:
    """The table of two languages in places of their vocabularies, weights relative to the largest."""
    return PairTable(
        rows,
        columns,
        np.bincount(np.searchsorted(row_pieces, joint.left), minlength=len(row_pieces)),
        np.searchsorted(column_pieces, joint.right),
        (joint.counts / joint.counts.max(initial=1e-9)).astype(np.float32),
    )
