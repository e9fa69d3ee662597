"""The forms of texts: which words, cut where, each once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang.wordforms import LONGEST, query_spellings, word_forms


def ones(words):
    return [1.0] * len(words)


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("The café, the CAFÉ!", ["the", "cafe"]),
        ("В 2024 году Ёлка", ["году", "елка"]),
        ("قرأت كِتَاباً", ["قرات", "كتابا"]),
        # Katakana is a word, of Han come pairs, a single kanji is none, hiragana is one while it is short.
        ("東京のニュースを読む", ["东京", "ニュース"]),
        ("すしとラーメン", ["すしと", "ラーメン"]),
        ("서울에서 만나요", ["서울에서", "만나요"]),
        # Three and more characters that write foreign names make a name.
        ("诗人莎士比亚说", ["诗人", "人莎", "莎士", "士比", "比亚", "亚说", "莎士比亚"]),
        # Of syllabic scripts, two and four units from each on; a short run is one form.
        ("ไปกรุงเทพ", ["ไปก", "กรุ", "รุง", "งเท", "เทพ", "ไปกรุง", "กรุงเท", "รุงเทพ"]),
        ("လန်ဒန်", ["လန်ဒန်"]),
        ("a I 7", []),
    ],
)
def test_forms(text, forms):
    assert word_forms(text) == forms


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120))
def test_forms_of_any_text_can_be_joined_by_spaces(text):
    forms = word_forms(text)
    assert " ".join(forms).split() == forms
    assert len(set(forms)) == len(forms)
    assert all(0 < len(form) <= LONGEST for form in forms)
    assert word_forms(" ".join(forms[:1])) in ([], forms[:1]) or not forms[:1][0].isascii()


def test_words_of_a_query_are_weighed():
    found = query_spellings("The Volga at night", lambda words: [float(word != "The") for word in words])
    assert [spelling.form for spelling in found if not spelling.among] == ["volga", "at", "night"]


def test_pinyin_is_read_across_words_where_all_is_pinyin():
    readings = [s.key for s in query_spellings("jiaozi xian", ones) if s.among == "z"]
    assert readings == ["jiaozi", "ziSian"]
    assert [s for s in query_spellings("women in parliament", ones) if s.among] == []
    assert [s.key for s in query_spellings("maps of Beijing", ones) if s.among == "z"] == ["beijing"]


def test_a_short_run_of_a_syllabic_script_is_asked_for_as_it_stands():
    assert [spelling.form for spelling in query_spellings("กรุงเทพ", ones)] == ["กรุงเทพ"]
    assert query_spellings("เมื่อวานเราเดินทางไปกรุงเทพเพื่อพบหมอ", ones) == ()


def test_japanese_has_the_readings_of_its_kanji_and_chinese_has_not():
    assert word_forms("昨日は東京で", "ja") == ["昨日", "东京", "キノー", "トーキョー"]
    for lang in ("zh", "und", "ko"):
        assert word_forms("昨日は東京で", lang) == ["昨日", "东京"]


def test_kanji_are_asked_for_by_their_readings_outside_of_han_unless_the_query_is_of_another_language():
    for lang in (None, "ja", "ja-JP"):
        read = [s for s in query_spellings("東京", ones, lang) if s.among]
        assert [(s.form, s.key, s.family, s.weight) for s in read] == [("", "tokio", "k", 1.0)]
        assert "z" not in read[0].among
    for lang in ("zh", "zh-Hant", "ko"):
        assert [s.form for s in query_spellings("東京", ones, lang)] == ["东京"]
    # Beside kana names alone are: 会議 is none.
    for text in ("東京の会議", "東京 ニュース 会議"):
        assert [s.key for s in query_spellings(text, ones) if s.among] == ["tokio"]
    assert "kaigi" in [s.key for s in query_spellings("会議", ones) if s.among]
    # Likelihoods are weights.
    weights = [s.weight for s in query_spellings("彦根", lambda words: [0.5] * len(words)) if s.among]
    assert max(weights) == 0.5
    assert min(weights) < 0.5
