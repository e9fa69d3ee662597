"""What is wrong with a generated question."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.generate import fault

GOOD = [
    ("who won the presidential election in Iran?", "en"),
    ("wer hat die Wahl im Iran gewonnen", "de"),
    ("چه کسی در انتخابات ایران پیروز شد؟", "fa"),
    ("谁赢得了伊朗总统选举？", "zh"),
    ("総統選挙に勝ったのは誰ですか", "ja"),
    ("누가 이란 대통령 선거에서 이겼습니까", "ko"),
    ("how much is 1 000 000 000 000 in words", "en"),
    ("NASA", "sw"),
    ("ha ha ha ha", "en"),
]
BAD = [
    ("", "en", "empty"),
    ("?!… —", "en", "empty"),
    ("what is what is what is what is what is", "en", "loop"),
    ("who who who who who who who", "en", "loop"),
    ("选举选举选举选举选举选举选举选举", "zh", "loop"),
    ("who won the presidential election", "fa", "language"),
    ("wer hat die Präsidentschaftswahl im Iran gewonnen und warum", "en", "language"),
    ("президентские выборы", "en", "language"),
]


@pytest.mark.parametrize(("text", "lang"), GOOD)
def test_a_good_question_passes(text, lang):
    assert fault(text, lang, True) is None


@pytest.mark.parametrize(("text", "lang", "wrong"), BAD)
def test_a_bad_one_is_named(text, lang, wrong):
    assert fault(text, lang, True) == wrong


def test_words_in_a_row_are_not_taken_for_a_language():
    german = "wer hat die Präsidentschaftswahl im Iran gewonnen und warum"
    assert fault(german, "en", False) is None


@settings(max_examples=50)
@given(st.text(max_size=300), st.sampled_from(["en", "fa", "zh", "ja", "sr-Latn", "xx"]), st.booleans())
def test_anything_can_be_looked_at(text, lang, is_running_text):
    assert fault(text, lang, is_running_text) in (None, "empty", "loop", "language")
