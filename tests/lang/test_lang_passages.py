import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang import count_words, data_runs, split_passages


def cut(text, lang="en", max_words=180):
    return [text[a:b] for a, b in split_passages(text, lang, max_words)]


def test_a_short_text_is_one_passage():
    assert split_passages("  One. Two.\n\nThree. ", "en") == [(2, 19)]
    assert split_passages(" \n ", "en") == []
    assert split_passages("", "en") == []


def test_passages_end_at_sentences():
    text = "One two three four. Five six seven. Eight nine ten eleven twelve."
    assert cut(text, max_words=8) == ["One two three four. Five six seven.", "Eight nine ten eleven twelve."]


def test_a_paragraph_in_the_second_half_is_preferred():
    text = "One two three. Four five six.\n\nSeven eight. Nine ten eleven twelve thirteen."
    assert cut(text, max_words=9) == ["One two three. Four five six.", "Seven eight. Nine ten eleven twelve thirteen."]


def test_a_long_sentence_is_cut_at_clauses_then_spaces_then_anywhere():
    assert cut("one two three four five, six seven eight nine", max_words=7) == [
        "one two three four five,", "six seven eight nine",
    ]  # fmt: skip
    assert cut("a b c d e f g h i j", max_words=4) == ["a b c d", "e f g h", "i j"]
    assert cut("x" * 100, max_words=2) == ["x" * 32, "x" * 32, "x" * 32, "xxxx"]


@pytest.mark.parametrize(
    ("lang", "text", "longest"),
    [("zh", "选举" * 500, 20 * 1.7), ("th", "การเลือกตั้ง" * 100, 20 * 4), ("km", "ការបោះឆ្នោត" * 100, 20 * 4)],
)
def test_scripts_without_spaces_are_counted_in_characters(lang, text, longest):
    passages = cut(text, lang, 20)
    assert "".join(passages) == text
    assert max(map(len, passages)) <= longest + 8
    assert min(map(len, passages[:-1])) >= longest / 2
    assert not any(unicodedata.category(p[0]).startswith("M") for p in passages)


PARTS = ["word", "Word. ", "\n\n", " ", ", ", "选举", "กา", "é\u0301", "x" * 40]


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["en", "th", "zh", "de"]),
    st.text(max_size=300) | st.lists(st.sampled_from(PARTS), max_size=80).map("".join),
    st.integers(1, 12),
)  # fmt: skip
def test_passages_cover_the_text_and_keep_the_limit(lang, text, max_words):
    spans = split_passages(text, lang, max_words)
    assert spans == split_passages(text, lang, max_words)
    assert all(text[a:b].strip() == text[a:b] != "" for a, b in spans)
    gaps = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)]
    read = list(text)
    for start, end in data_runs(text):
        read[start:end] = " " * (end - start)
    assert all(a <= b and not "".join(read[a:b]).strip() for a, b in zip(*gaps, strict=True))
    # A single piece of 16 characters, its punctuation and its marks is never cut: that much a passage may be over.
    assert all(count_words(text[a:b]) <= max_words + 20 for a, b in spans)


def test_limit_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        split_passages("text", "en", 0)


@pytest.mark.parametrize("unit", ["a", ".", "word ", "选", "\u0301", ".)", " \n", " ", ",", "1. ", "กา "])
def test_a_long_line_of_anything_is_cut(unit):
    # Were a search to start over at every character, this would take hours.
    text = "x" + unit * (400_000 // len(unit))
    spans = split_passages(text, "th", 50)
    left_out = sum(b - a for a, b in data_runs(text))
    assert (left_out > 0) == (unit in ("a", ".", "选", "\u0301", ","))
    assert sum(b - a for a, b in spans) >= len("".join(text.split())) - left_out
    assert max(b - a for a, b in spans) <= 50 * 16 + 32


def test_no_character_of_a_script_without_spaces_is_passed_over():
    from xsearch.lang.passages import _maybe_unspaced, _unspaced

    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    for unspaced, _ in _unspaced():
        assert all(_maybe_unspaced().fullmatch(char) for char in set("".join(unspaced.findall(every))))
