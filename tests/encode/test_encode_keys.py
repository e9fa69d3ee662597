"""The table of keys: a dictionary is the oracle."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xsearch.encode.keys import FIRST_SLOTS, SPREAD, KeyTable

KEYS = st.integers(0, 2**64 - 2)


def uint64(keys):
    return np.array(keys, dtype=np.uint64)


@given(st.lists(KEYS, unique=True), st.lists(KEYS))
def test_a_table_knows_its_keys_and_no_others(keys, others):
    table = KeyTable(uint64(keys))
    places = {key: number for number, key in enumerate(keys)}
    asked = keys + others
    assert table.find(uint64(asked)).tolist() == [places.get(key, -1) for key in asked]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), st.integers(0, 9), st.booleans())
def test_keys_are_found_however_many_are_added(sizes, seed, crowded):
    rng = np.random.default_rng(seed)
    keys = np.unique(rng.integers(0, 2**62, sum(sizes)).astype(np.uint64))
    if crowded:
        # Products with `SPREAD` that begin alike: all are looked for in the same few slots first.
        keys = np.unique((keys >> np.uint64(30)) * np.uint64(pow(int(SPREAD), -1, 2**64)))
    numbers = rng.permutation(len(keys))
    table = KeyTable()
    begin = 0
    for size in sizes:
        table.add(keys[begin : begin + size], numbers[begin : begin + size])
        begin += size
        assert table.find(keys).tolist() == [*numbers[:begin], *[-1] * (len(keys) - begin)]


def test_a_table_grows_when_a_third_is_taken():
    keys = np.arange(10 * FIRST_SLOTS, dtype=np.uint64)
    table = KeyTable()
    for part in np.split(keys, 20):
        table.add(part, part.astype(np.int64))
    assert table.find(keys).tolist() == keys.tolist()
    assert (table.find(keys + keys[-1] + np.uint64(1)) == -1).all()
