"""Queries with the passages that answer them, and batches of queries each with one that does and some that do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import BadInput
from xsearch.core.wording import counted
from xsearch.train.neural.pairs import Pair, read_pairs, refuse_evaluation, shipped_evaluation
from xsearch.train.rows import read_excluded

HELD_SHARE, HELD_MOST = 0.05, 100
Found = Sequence[tuple[str, Pair]]
"""Pairs, each with where it comes from."""


class Candidates(msgspec.Struct, frozen=True):
    """Queries of a step; of each the passages it is shown with, the one that answers it first."""

    queries: tuple[str, ...]
    passages: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True)
class PairData:
    """Pairs to train on, pairs kept to measure with (no query is in both)."""

    train: list[Pair]
    held: list[Pair]

    def batch(self, number: int, size: int, negatives: int, seed: int) -> Candidates:
        """The batch of a number, always the same for it."""
        rng = np.random.default_rng([seed, number])
        chosen = [self.train[n] for n in rng.integers(len(self.train), size=size)]
        return self._with_others(chosen, negatives, rng)

    def measured(self, negatives: int, seed: int) -> Candidates:
        """The pairs kept, each with passages that do not answer it."""
        return self._with_others(self.held, negatives, np.random.default_rng([seed, 5]))

    def _with_others(self, chosen: Sequence[Pair], negatives: int, rng: np.random.Generator) -> Candidates:
        passages = []
        for pair in chosen:
            own = [pair.negatives[n] for n in rng.permutation(len(pair.negatives))[:negatives].tolist()]
            right = {pair.positive, *own}
            # Where too few negatives are known, passages of other queries take their place.
            for n in rng.integers(len(self.train), size=4 * negatives).tolist():
                other = self.train[n]
                if len(own) < negatives and other.positive not in right and other.query != pair.query:
                    own.append(other.positive)
                    right.add(other.positive)
            passages.append((pair.positive, *own))
        return Candidates(tuple(pair.query for pair in chosen), tuple(passages))


def found_pairs(files: Sequence[Path]) -> Iterator[tuple[str, Pair]]:
    """(``file:line``, pair) of JSON lines of ``{"query", "positive", "negatives"?}``."""
    for path in files:
        yield from read_pairs(path)


def pair_data(found: Found, seed: int, exclude: Sequence[Path] = ()) -> PairData:
    """Pairs, divided into those to train on and those to measure with.

    exclude: files of evaluation, besides those that ship. Raises `BadInput` for evaluation text among the pairs, and
    where too few differ for any to be ranked above another.
    """
    excluded = read_excluded([*exclude, *shipped_evaluation()])
    refuse_evaluation(found, excluded)
    pairs = [pair for _, pair in found]
    queries = list(dict.fromkeys(pair.query for pair in pairs))
    # One query is kept to measure with; of two that are left, each one's passage is what the other ranks below its own.
    least = 2 if all(pair.negatives for pair in pairs) else 3
    if len(queries) < least or len({pair.positive for pair in pairs}) < 2:
        raise BadInput(
            f"{counted(len(pairs), 'pair')} with {counted(len(queries), 'different query', 'different queries')}: at "
            "least three queries with different passages (or two, with negatives) are needed to learn a ranking"
        )
    order = np.random.default_rng([seed, 4]).permutation(len(queries)).tolist()
    held = {queries[n] for n in order[: max(1, min(HELD_MOST, int(len(queries) * HELD_SHARE)))]}
    return PairData([p for p in pairs if p.query not in held], [p for p in pairs if p.query in held])
