import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang import sentences


def cut(text, lang):
    return [text[a:b] for a, b in sentences(text, lang)]


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", ["Dr. Smith went to Washington D.C. with J. R. Brown.", "He paid $3.14 (approx. 3 euros).", "Yes!"]),
        ("en", ['"Really?" she said.', "(So it is.)", "Then... nothing."]),
        ("de", ["Am 3. Oktober war z.B. Prof. Müller da.", "Danach war Schluss.", "Und um 2019.", "Ende"]),
        ("fr", ["M. Dupont est arrivé.", "Pourquoi ?", "On ne sait pas…", "Voilà."]),
        ("es", ["¿Quién ganó?", "¡Nadie!", "El Sr. López perdió."]),
        ("ru", ["В 1990 г. было так.", "Потом т.е. позже."]),
        ("el", ["Τι είναι αυτό;", "Δεν ξέρω."]),
        ("hi", ["यह एक वाक्य है।", "दूसरा वाक्य॥", "तीसरा?"]),
        ("ur", ["یہ ایک جملہ ہے۔", "دوسرا؟", "تیسرا۔"]),
        ("ar", ["هل هذا صحيح؟", "نعم."]),
        ("am", ["ይህ ዓረፍተ ነገር ነው።", "ሌላ ነው፡፡", "መጨረሻ"]),
        ("hy", ["Սա նախադասություն է։", "Երկրորդը։"]),
    ],
)  # fmt: skip
def test_sentences_with_spaces_between(lang, expected):
    assert cut(" ".join(expected), lang) == expected


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("zh", ["今天天气好！", "“真的吗？”", "他说是。", "完"]),
        ("ja", ["今日は晴れです。", "「本当ですか？」", "はい。"]),
        ("my", ["မင်္ဂလာပါ။", "နေကောင်းလား။"]),
        ("km", ["សួស្តី។", "អរគុណ។"]),
        ("bo", ["བཀྲ་ཤིས།", "བདེ་ལེགས།"]),
    ],
)
def test_sentences_without_spaces_between(lang, expected):
    assert cut("".join(expected), lang) == expected


def test_a_space_ends_a_long_enough_thai_stretch():
    long = "การเลือกตั้งประธานาธิบดีเกิดขึ้นในวันศุกร์ที่ผ่านมา"
    assert cut(f"{long} คนไทย ไปใช้สิทธิ", "th") == [long, "คนไทย ไปใช้สิทธิ"]


def test_blank_lines_and_list_items_end_sentences_line_breaks_do_not():
    text = "A heading\n\nA line that\ngoes on.\n- one\n- two\n\n\n  12) three"
    assert cut(text, "en") == ["A heading", "A line that\ngoes on.", "- one", "- two", "12) three"]


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["en", "de", "th", "zh", "el", "xx"]),
    st.text(max_size=80) | st.text('a.B!? \n\t")。།፡១กา-1', max_size=80),
)
def test_sentences_cover_everything_but_white_space(lang, text):
    spans = sentences(text, lang)
    assert all(text[a:b].strip() == text[a:b] != "" for a, b in spans)
    gaps = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    assert all(a <= b and not text[a:b].strip() for a, b in zip(*gaps, strict=True))
