"""Sums over bags against a plain loop, and their independence of the rest of the call."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xsearch.encode.pooling import sum_bags, unit_rows
from xsearch.encode.static import cut_windows

TABLE = np.random.default_rng(7).standard_normal((50, 16)).astype(np.float32)


def starts_of(bags):
    return np.concatenate([[0], np.cumsum([len(bag) for bag in bags], dtype=np.int64)]).astype(np.int64)


def flat(bags):
    return np.array([row for bag in bags for row in bag], dtype=np.int64)


@given(st.lists(st.lists(st.integers(0, 49), max_size=30), max_size=20))
def test_sums_are_those_of_a_loop(bags):
    sums = sum_bags(TABLE, flat(bags), starts_of(bags))
    assert sums.shape == (len(bags), 16)
    for bag, found in zip(bags, sums, strict=True):
        expected = np.zeros(16)
        for row in bag:
            expected += TABLE[row]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_other_bags_and_threads_do_not_change_a_bit():
    rng = np.random.default_rng(8)
    bags = [rng.integers(0, 50, size).tolist() for size in rng.integers(0, 400, 300)]
    together = sum_bags(TABLE, flat(bags), starts_of(bags))
    with ThreadPoolExecutor(4) as executor:
        assert np.array_equal(together, sum_bags(TABLE, flat(bags), starts_of(bags), executor))
    for number in range(0, 300, 17):
        alone = sum_bags(TABLE, np.array(bags[number], dtype=np.int64), starts_of([bags[number]]))
        assert np.array_equal(alone[0], together[number])


def test_unit_rows_leave_zero_alone():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(1, 60))
def test_windows_cut_every_bag_into_nearly_equal_parts(sizes, window):
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
    cuts, owners = cut_windows(starts, window)
    for bag, size in enumerate(sizes):
        mine = np.flatnonzero(owners == bag)
        if size == 0:
            assert len(mine) == 0
            continue
        assert len(mine) == max(1, round(size / window))
        parts = np.diff([*cuts[mine].tolist(), int(starts[bag + 1])])
        assert parts.sum() == size
        assert parts.max() - parts.min() <= 1
        assert parts.min() >= 1
