"""Folding: what is unified, where words are cut, and that places point into the text."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xsearch.encode.folding import fold, fold_all


def words(text):
    return [word.text for word in fold(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Überraschung, Straße 2019!", ["uberraschung", "straße", "2019"]),
        ("U\u0308ber", ["uber"]),
        ("İSTANBUL ﬁne Ⅷ", ["istanbul", "fine", "viii"]),
        ("Я люблю чай ещё", ["я", "люблю", "чаи", "еще"]),
        ("ἄνθρωπος", ["ανθρωπος"]),
        ("שָׁלוֹם", ["שלום"]),
        ("مُحَمَّد أحمـد", ["محمد", "احمد"]),
        ("می‌روم ۲۰۱۹", ["می", "روم", "2019"]),
        ("これはPythonコーヒーです", ["これは", "python", "コーヒーです"]),
        ("ｶﾞｷﾞ", ["ガギ"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("한국어를", ["한국어를"]),
        ("한", ["한"]),
        ("C++ don't abc123", ["c", "don", "t", "abc", "123"]),
        ("\u0301 — ?!", []),
        ("", []),
    ],
)
def test_folded_words(text, expected):
    assert words(text) == expected


def test_places_by_hand():
    (first, second) = fold("Ça  e\u0301tÉ")
    assert (first.text, first.places) == ("ca", [0, 1])
    assert (second.text, second.places) == ("ete", [4, 6, 7])


@given(st.text())
@example("ﷺ\u1100\u1161\u11a8½²")
@example("a\u0301\u0323b")
def test_places_point_at_what_was_folded(text):
    for word in fold(text):
        assert word.text
        assert len(word.places) == len(word.text)
        assert word.places == sorted(word.places)
        for character, place in zip(word.text, word.places, strict=True):
            source = text[place : place + 8]
            assert character in unicodedata.normalize("NFC", unicodedata.normalize("NFKD", source).lower()) or any(
                c.isdecimal() or unicodedata.combining(c) or unicodedata.normalize("NFKD", c) != c for c in source
            )


@given(st.text())
def test_composition_does_not_matter(text):
    assert words(unicodedata.normalize("NFC", text)) == words(unicodedata.normalize("NFD", text))


@given(st.text())
def test_folding_again_changes_nothing(text):
    once = words(text)
    assert [again for word in once for again in words(word)] == once


@given(st.lists(st.text().map(lambda text: "".join(text.split()))))
@example(["2019年", "a\u0301\u0323b", "\u0301", "", "ʼn", "مُحَمَّد", "ｶﾞ", "x\u200d1", "\ud800a"])
def test_many_stretches_fold_as_each_does(stretches):
    assert [line.split() for line in fold_all(stretches)] == [words(stretch) for stretch in stretches]
