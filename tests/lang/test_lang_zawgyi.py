"""Zawgyi made Unicode: words spelt both ways by hand, and text that must stay as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.lang import to_unicode
from xsearch.lang.zawgyi import is_zawgyi

WORDS = [
    # Medial r and the vowel e stand before their letter; asat has the virama's code point.
    ("\u103b\u1019\u1014\u1039\u1019\u102c", "မြန်မာ"),
    ("\u1031\u1000\u103a\u102c\u1004\u1039\u1038", "ကျောင်း"),
    # Kinzi stands behind the letter it belongs above.
    ("\u1021\u1002\u1064\u101c\u102d\u1015\u1039", "အင်္ဂလိပ်"),
    # Stacked letters and long medials have code points of their own.
    ("\u1000\u1019\u107b\u102c\u1031\u1015\u102b\u1039", "ကမ္ဘာပေါ်"),
    ("\u1012\u102f\u1010\u102d\u101a\u1031\u103b\u1019\u102c\u1000\u1039", "ဒုတိယမြောက်"),
    ("\u101c\u1082\u1010\u1031\u1010\u102c\u1039", "လတြတော်"),
    ("\u101c\u108a\u1010\u1039\u1031\u1010\u102c\u1039", "လွှတ်တော်"),
    ("\u1014\u102d\u102f\u1004\u1039\u1004\u1036", "နိုင်ငံ"),
    ("\u1021\u103b\u1001\u102d\u1033\u1095\u1031\u101e\u102c\u1039", "အခြို့သော်"),
    # Four for the sign that looks like it, zero for the letter w.
    ("\u1044\u1004\u1039\u1038\u1010\u102d\u102f\u1094\u1031\u1040\u101c", "၎င်းတို့ဝေလ"),
    # Letters that are written as two shapes.
    ("\u1031\u107e\u101e\u102c\u1039 \u1025\u102e\u1038 \u1031\u1014\u1015\u102b\u101e\u100a\u1039", "ဪ ဦး နေပါသည်"),
]


@pytest.mark.parametrize(("zawgyi", "unicode"), WORDS)
def test_words_are_those_written_in_unicode(zawgyi, unicode):
    assert is_zawgyi(zawgyi)
    assert to_unicode(zawgyi) == unicode
    assert not is_zawgyi(unicode)


@pytest.mark.parametrize("text", ["", "abc", "မြန်မာနိုင်ငံသည် အရှေ့တောင်အာရှတွင် ရှိသည်။", "ယောက်ျား၏ ၁၀၄ ဦး", "ไทย ខ្មែរ"])
def test_unicode_stays_as_it_is(text):
    assert to_unicode(text) == text


@given(st.text(st.characters(min_codepoint=0x1000, max_codepoint=0x109F), max_size=40), st.text("a 1é", max_size=9))
def test_any_letters_in_any_order(burmese, other):
    done = to_unicode(f"{other}|{burmese}")
    assert done.startswith(f"{other}|")
    assert len(done) <= 8 * len(burmese) + len(other) + 1
