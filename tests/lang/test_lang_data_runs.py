"""Data within text is told from writing, in every script."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.lang import data_runs, split_passages
from xsearch.lang.data_runs import KEPT, SHORTEST

BYTES = random.Random(1).randbytes(6000)
DATA = {
    "base64": base64.b64encode(BYTES).decode(),
    "mail": base64.encodebytes(BYTES).decode(),
    "hexadecimal": BYTES.hex(),
    "percent": "".join(f"%{byte:02X}" for byte in BYTES),
    "a": "a" * 5000,
    "Cyrillic": "ы" * 5000,
    "Han": "的" * 5000,
    "emoji": "😀" * 5000,
}
WRITING = {
    "English": "The quick brown fox. " * 500,
    "Chinese": "我们今天去北京看长城，" * 500,
    "Chinese without marks": "我们今天去北京看长城" * 500,
    "Thai": "เมื่อวานตอนเย็นฝนตกหนักในเมือง" * 500,
    "list": "apple,banana,cherry," * 500,
    "code": "function(a,b){return a.b(c)};" * 500,
    "words of 60": ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamte " * 500),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_is_left_out_of_passages_but_for_its_beginning(kind):
    before, after = "Ein Satz davor. ", "\nNoch einer danach."
    text = before + DATA[kind] + after
    [(start, end)] = data_runs(text)
    assert start == len(before) + KEPT
    assert end in (len(text) - len(after), len(text) - len(after) - 1) or kind == "mail"
    assert text[end:].strip().endswith("Noch einer danach.")
    spans = split_passages(text, "de", 180)
    assert len(spans) <= 3
    assert text[spans[0][0] :].startswith(before)
    assert text[: spans[-1][1]].endswith("danach.")


@pytest.mark.parametrize("kind", WRITING)
def test_writing_is_not(kind):
    assert data_runs(WRITING[kind]) == []


def test_the_shortest_run():
    assert data_runs("x" * (SHORTEST - 1)) == []
    assert data_runs("x" * SHORTEST) == [(KEPT, SHORTEST)]


@given(st.lists(st.sampled_from(["a" * 400, "ы" * 700, " ", "\n", "word ", "A1+/" * 20, "我们"]), max_size=60))
def test_runs_ascend_within_the_text(parts):
    text = "".join(parts)
    places = [place for run in data_runs(text) for place in run]
    assert places == sorted(places)
    assert not places or 0 < places[0] <= places[-1] <= len(text)
