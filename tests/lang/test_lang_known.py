"""What is remembered of strings: equal to computing it, bounded, and frequent strings stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xsearch.lang.known import Known


@given(st.lists(st.lists(st.text("abc", max_size=4), max_size=8), max_size=12), st.integers(1, 5), st.booleans())
def test_values_are_those_computed_and_few_are_kept(batches, generation, one_by_one):
    known = Known(lambda keys: [key.upper() for key in keys], generation, longest=3)
    for keys in batches:
        found = [known[key] for key in keys] if one_by_one else list(known.of_all(keys))
        assert found == [key.upper() for key in keys]
        assert len(known) <= generation
        assert len(known._older) <= generation
        assert all(len(key) <= 3 for key in (*known, *known._older))


def test_what_is_asked_for_again_is_computed_once_however_many_others_come():
    computed = []

    def compute(keys):
        computed.extend(keys)
        return keys

    known = Known(compute, generation=10)
    for number in range(500):
        assert list(known.of_all(["often", str(number)])) == ["often", str(number)]
    assert computed.count("often") == 1
    assert len(computed) == 501
