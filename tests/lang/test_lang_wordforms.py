"""The forms of texts: which words, cut where, each once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang.fold import folding
from xsearch.lang.romanise import heard_anywhere, is_heard, sound_key
from xsearch.lang.wordforms import LONGEST, _is_plain, joined_forms, query_spellings, word_forms
from xsearch.lang.words import word_pattern


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


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text("abÉ日本語のニューがک한국7ال ", max_size=30), st.sampled_from(["ja", "zh", "de", "ar"])))
)
def test_forms_of_many_texts_are_those_of_each(texts):
    joined = joined_forms([text for text, _ in texts], [lang for _, lang in texts])
    assert joined == [" ".join(word_forms(text, lang)) for text, lang in texts]


def test_letters_taken_to_be_heard_are_and_plain_words_are_one_form():
    for char in map(chr, range(0x10000)):
        if heard_anywhere().match(char):
            assert sound_key(char), char
        if _is_plain(char * 2):
            assert word_pattern().findall(char * 2) == [char * 2]
            assert folding("arabic" if "\u0600" <= char < "\u0700" else "general")(char) == char
            assert sound_key(char * 2), char
        if _is_plain("a" + char):
            assert word_pattern().findall("a" + char) == ["a" + char]


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(categories=("L", "M", "N")), max_size=6))
def test_a_word_is_heard_when_it_has_a_key(text):
    for word in word_pattern().findall(folding("general")(text)):
        assert is_heard(word) == bool(sound_key(word))


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
