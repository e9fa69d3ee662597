"""Compounds by their first and last letters, against every word with a part at either end."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang.compounds import HEAD, MODIFIER
from xsearch.retrieve.compound_words import CompoundWords
from xsearch.retrieve.forms import collect

SYLLABLES = st.lists(st.sampled_from(["ana", "na", "bau", "r", "s", "en"]), min_size=1, max_size=6).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(SYLLABLES, min_size=1, max_size=8), max_size=4), SYLLABLES.filter(lambda part: len(part) >= 4))
def test_compounds_are_those_of_every_word(segments, part):
    parts = [collect(sorted(words), np.arange(len(words)), np.zeros(len(words), dtype=np.int64)) for words in segments]
    words = [forms.form(i) for forms in parts for i in range(len(forms))]
    expected = []
    for row, word in enumerate(words):
        for at in range(len(word) - len(part) + 1):
            before, behind = at, len(word) - at - len(part)
            if word[at:].startswith(part) and before >= 3 and behind <= 2:
                expected.append((row, HEAD))
            elif word[at:].startswith(part) and not before and behind > 3:
                expected.append((row, MODIFIER))
    rows, shares = CompoundWords(parts).with_part(part.encode())
    assert sorted(zip(rows.tolist(), shares.tolist(), strict=True)) == sorted(expected)
