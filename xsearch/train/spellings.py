"""Learning how names are spelt from one way of writing to another: the tables of `lang.spellings`.

A stochastic transducer without memory (Ristad and Yianilos, "Learning String-Edit Distance", IEEE PAMI 20(5), 1998):
two keys are written side by side by steps, each of which writes a letter in both, p(a, b), or in one, p(a, -) and
p(-, b), until an end. All that is learnt is the probability of each step, by expectation maximisation over pairs of
keys of one name:

    F(i, j) = F(i-1, j-1) p(a_i, b_j) + F(i-1, j) p(a_i, -) + F(i, j-1) p(-, b_j),   F(0, 0) = 1

and the same backwards; the expected number of each step over all pairs is its next probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from xsearch.lang.romanise import ALPHABET, codes_of

Float64Array = NDArray[np.float64]
STEPS = len(ALPHABET) + 1
"""Letters and the gap, which is 0."""
SMOOTHING = 0.05
"""Expected steps added to each kind: what training did not see remains possible."""
AT_ONCE = 4096


def learn(pairs: Sequence[tuple[str, str]], rounds: int = 6) -> Float64Array:
    """p(a, b) for steps between two ways of writing, float64 (STEPS, STEPS), row and column 0 the gaps; sums to 1.

    pairs: keys of the same name in the one and in the other, none of them empty.
    """
    table = start()
    for _ in range(rounds):
        expected = np.full((STEPS, STEPS), SMOOTHING)
        for first in range(0, len(pairs), AT_ONCE):
            expected += _expected(table, pairs[first : first + AT_ONCE])
        expected[0, 0] = 0.0
        table = expected / expected.sum()
    return table


def start() -> Float64Array:
    """Where learning begins: a letter stands for itself most of the time."""
    table = np.full((STEPS, STEPS), 0.1 / STEPS**2)
    table[0, 1:] = table[1:, 0] = 0.1 / STEPS
    table[np.arange(1, STEPS), np.arange(1, STEPS)] = 0.7 / STEPS
    table[0, 0] = 0.0
    scaled: Float64Array = table / table.sum()
    return scaled


def _expected(table: Float64Array, pairs: Sequence[tuple[str, str]]) -> Float64Array:
    """How often each step is taken in these pairs, expected under `table`."""
    # Behind a key's end stands code 0, and table[0, 0] is 0: no step leads there.
    one = np.pad(codes_of([a for a, _ in pairs]), ((0, 0), (0, 1)))
    two = np.pad(codes_of([b for _, b in pairs]), ((0, 0), (0, 1)))
    rows, columns = one.shape[1], two.shape[1]
    forward = np.zeros((rows, columns, len(pairs)))
    backward = np.zeros((rows, columns, len(pairs)))
    ends = np.count_nonzero(one, axis=1), np.count_nonzero(two, axis=1)
    backward[ends[0], ends[1], np.arange(len(pairs))] = 1.0
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            for a, b, down, right in _steps(one, two, i, j):
                backward[i, j] += table[a, b] * backward[i + down, j + right]
    total = backward[0, 0]
    counts = np.zeros(STEPS * STEPS)
    forward[0, 0] = 1.0
    for i in range(rows):
        for j in range(columns):
            for a, b, down, right in _steps(one, two, i, j):
                taken = forward[i, j] * table[a, b]
                forward[i + down, j + right] += taken
                taken *= backward[i + down, j + right] / total
                counts += np.bincount(a * STEPS + b, taken, STEPS * STEPS)
    return counts.reshape(STEPS, STEPS)


def _steps(
    one: NDArray[np.int64], two: NDArray[np.int64], i: int, j: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], int, int]]:
    """The steps from (i, j): what each pair writes in the one and in the other, and how far that leads in each."""
    a, b = one[:, i], two[:, j]
    gap = np.zeros_like(a)
    down, right = i + 1 < one.shape[1], j + 1 < two.shape[1]
    if down and right:
        yield a, b, 1, 1
    if down:
        yield a, gap, 1, 0
    if right:
        yield gap, b, 0, 1
