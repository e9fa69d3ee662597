"""Skeletons that are near a word's, against every sequence one edit away."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.retrieve.skeletons import neighbours


def edits(key: tuple[int, ...]):
    """All sequences over seven letters that are one edit away, by definition."""
    for i in range(len(key) + 1):
        for letter in range(1, 8):
            yield (*key[:i], letter, *key[i:])
            yield (*key[:i], letter, *key[i + 1 :])
        yield key[:i] + key[i + 1 :]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=8).map(tuple))
def test_neighbours_are_one_edit_away_or_begin_alike(key):
    def packed(numbers):
        return sum(number << 3 * (9 - i) for i, number in enumerate(numbers[:10]))

    ranges = neighbours(frozenset([packed(key)]))
    assert np.all(np.diff(ranges.ravel().astype(np.int64)) > 0)

    def inside(numbers):
        return any(first <= packed(numbers) < end for first, end in ranges.tolist())

    assert inside(key)
    assert inside((*key, 3, 5)) == (len(key) >= 3)
    if len(key) >= 3:
        assert all(inside(other) for other in edits(key))
        assert inside(key[:3])
    else:
        assert len(ranges) == 1
