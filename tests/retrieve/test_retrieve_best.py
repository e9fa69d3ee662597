"""Orders of scored passages against sorting by Python's own tuples."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core.order import best_first, distinct, ranked
from xsearch.retrieve.best import Best, Scored

SCORES = st.lists(
    st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0]), st.floats(-1e6, 1e6, width=32)), min_size=0, max_size=60
)


@given(SCORES, st.integers(1, 70), st.randoms(use_true_random=False))
def test_orders_are_those_of_sorting_tuples(scores, depth, random):
    values = np.array(scores, dtype=np.float32)
    numbers = random.sample(range(1 << 40), len(scores))
    by_place = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:depth]
    by_number = sorted(range(len(scores)), key=lambda i: (-scores[i], numbers[i]))[:depth]
    assert best_first(values, depth).tolist() == by_place
    assert ranked(np.array(numbers, dtype=np.int64), values, depth).tolist() == by_number


@given(st.lists(st.one_of(st.integers(0, 5), st.integers(0, 1 << 40)), min_size=1))
def test_distinct_is_numpys_unique(given_numbers):
    expected = np.unique(given_numbers, return_index=True, return_inverse=True)
    for mine, theirs in zip(distinct(np.array(given_numbers, dtype=np.int64)), expected, strict=True):
        assert mine.tolist() == theirs.tolist()


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(1, 12))
@settings(max_examples=60)
def test_the_best_of_each_part_in_one_order(seed, parts, depth):
    rng = np.random.default_rng(seed)
    given_parts, expected = [], []
    for part in range(parts):
        count = int(rng.integers(0, 40))
        owners = rng.integers(0, 12, count) * (parts + 1) + part
        # Whole numbers, so that scores tie; a passage's best window comes first.
        scores = -np.sort(-rng.integers(-4, 5, count).astype(np.float32))
        given_parts.append(Scored(owners.astype(np.int64), scores))
        best: dict[int, float] = {}
        for owner, score in zip(owners.tolist(), scores.tolist(), strict=True):
            best[owner] = max(score, best.get(owner, score))
        expected += sorted((-score, owner) for owner, score in best.items())[:depth]
    found = Best.of_each(given_parts, depth)
    rows = list(zip((-found.scores).tolist(), found.passages.tolist(), strict=True))
    assert rows == sorted(expected)
