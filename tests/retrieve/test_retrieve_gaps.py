"""Lists of ascending numbers as gaps: they come back, one by one and many segments at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.retrieve.gaps import decode, encode


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sets(st.integers(0, 2**40), max_size=6).map(sorted), max_size=6))
def test_gaps_come_back(lists):
    values = np.array([number for part in lists for number in part], dtype=np.int64)
    starts = np.cumsum([0, *map(len, lists)])
    packed, places = encode(values, starts)
    back, ends = decode(packed, places)
    assert np.array_equal(back, values)
    assert np.array_equal(ends, starts)
    assert len(packed) <= 9 * len(values)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sets(st.integers(0, 2**40), max_size=5).map(sorted), min_size=1, max_size=4), min_size=1),
    st.randoms(use_true_random=False),
)
def test_lists_of_many_segments_are_decoded_at_once(segments, random):
    passages_of = pytest.importorskip("xsearch.retrieve.gaps_numba").passages_of
    held, table = [], []
    for first, lists in enumerate(segments):
        values = np.array([number for part in lists for number in part], dtype=np.int64)
        packed, starts = encode(values, np.cumsum([0, *map(len, lists)]))
        held.append((packed, starts))
        addresses = [array.__array_interface__["data"][0] for array in (starts, packed)]
        table.append([*addresses, len(lists), len(packed), first])
    words = [(segment, word) for segment, lists in enumerate(segments) for word in range(len(lists))]
    random.shuffle(words)
    chosen = np.array(words, dtype=np.int64)
    passages, counts = passages_of(np.array(table, dtype=np.int64), chosen[:, 0], chosen[:, 1])
    assert counts.tolist() == [len(segments[segment][word]) for segment, word in words]
    assert passages.tolist() == [number + segment for segment, word in words for number in segments[segment][word]]
    # What a damaged file says beyond its end is not there.
    for _, starts in held:
        starts[1:] += 1000
    beyond, _ = passages_of(np.array(table, dtype=np.int64), chosen[:, 0], chosen[:, 1])
    assert len(beyond) <= len(passages)
