"""Orders of scored passages against sorting by Python's own tuples."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core.order import best_first, best_of_each, distinct, first_mentions, ranked
from xsearch.retrieve.best import Best, Scored, best_above

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


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 3), st.integers(0, 1 << 60)),
            st.one_of(st.sampled_from([0.0, -0.0, 1.0]), st.floats(0, 1e6, width=32)),
        )
    )
)
def test_the_best_of_each_owner_come_first(rows):
    owners = np.array([owner for owner, _ in rows], dtype=np.int64)
    scores = np.array([score for _, score in rows], dtype=np.float32)
    expected = sorted(range(len(rows)), key=lambda i: (rows[i][0], -rows[i][1], i))
    assert best_of_each(owners, scores).tolist() == expected


@given(st.lists(st.one_of(st.integers(0, 5), st.integers(0, 1 << 62)), min_size=1))
def test_distinct_is_numpys_unique(given_numbers):
    expected = np.unique(given_numbers, return_index=True, return_inverse=True)
    for mine, theirs in zip(distinct(np.array(given_numbers, dtype=np.int64)), expected, strict=True):
        assert mine.tolist() == theirs.tolist()
    for mine, theirs in zip(first_mentions(np.array(given_numbers, dtype=np.int64)), expected, strict=False):
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


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(1, 8))
@settings(max_examples=100)
def test_of_what_lies_above_the_floors_the_best_of_each_group(seed, groups, depth):
    rng = np.random.default_rng(seed)
    given_parts, short = [], []
    by_group: dict[int, list[tuple[float, int]]] = {group: [] for group in groups}
    for part, group in enumerate(groups):
        count = int(rng.integers(1, 40))
        owners = rng.integers(0, 12, count) * len(groups) + part
        scores = -np.sort(-rng.integers(-4, 5, count).astype(np.float32))
        floor = float(rng.choice([-np.inf, scores[-1], scores[0]]))
        given_parts.append(Scored(owners.astype(np.int64), scores, floor))
        best: dict[int, float] = {}
        for owner, score in zip(owners.tolist(), scores.tolist(), strict=True):
            if score > floor:
                best[owner] = max(score, best.get(owner, score))
        by_group[group] += [(-score, owner) for owner, score in best.items()]
        if floor > -np.inf and len(best) < depth:
            short.append(part)
    found, too_few = best_above(given_parts, groups, depth)
    rows = list(zip((-found.scores).tolist(), found.passages.tolist(), strict=True))
    assert rows == sorted(row for rows in by_group.values() for row in sorted(rows)[:depth])
    assert too_few == short
