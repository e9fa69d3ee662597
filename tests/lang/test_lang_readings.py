"""Kanji read as Japanese: words that are listed, and others kanji by kanji."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang import readings
from xsearch.lang.readings import (
    BACKOFF,
    LIKELY,
    MOST,
    place_of,
    probabilities,
    read_word,
    readings_of,
    repeated,
)
from xsearch.lang.romanise import sound_key


@pytest.mark.parametrize(
    ("word", "spelt"),
    [
        ("東京", "Tokyo"),
        ("京都", "Kyoto"),
        ("大阪", "Osaka"),
        ("神戸", "Kobe"),
        ("北海道", "Hokkaido"),
        ("田中", "Tanaka"),
        ("佐々木", "Sasaki"),
        ("長谷川", "Hasegawa"),
        ("大和", "Yamato"),
        ("地下鉄", "chikatetsu"),
    ],
)
def test_well_known_words_sound_as_they_are_spelt_in_latin_letters(word, spelt):
    found = [sound_key(reading) for readings in readings_of(word) for reading, _ in readings]
    assert sound_key(spelt) in found


@pytest.mark.parametrize(
    ("word", "spelt"), [("彦根", "Hikone"), ("横光", "Yokomitsu"), ("歌麿", "Utamaro"), ("唐津", "Karatsu")]
)
def test_names_that_are_not_listed_are_read_kanji_by_kanji(word, spelt):
    assert word not in readings._words()
    assert sound_key(spelt) in [sound_key(reading) for reading, _ in read_word(word)]


@pytest.fixture
def tables(monkeypatch):
    """Two classes that differ: in the first 山 is サン and 田 デン, in the second ヤマ and タ or ダ."""
    counts = {
        "p": "0.4 0.6",
        "山": "サン 0 8 8 0 0 0\tヤマ 0 0 0 4 8 8",
        "田": "デン 0 8 8 0 0 0\tタ 0 0 0 4 8 2\tダ 0 0 0 0 0 6",
        "川": "カワ 0 0 0 4 4 0",
    }
    monkeypatch.setattr(readings, "_counts", lambda: counts)
    monkeypatch.setattr(readings, "_shares", lambda: (0.4, 0.6))
    monkeypatch.setattr(readings, "_names", lambda: frozenset({"川山"}))
    monkeypatch.setattr(readings, "_words", lambda: {"川山": ("カワヤマ",), "川": ("カワ", "ガワ")})
    read_word.cache_clear()
    yield
    read_word.cache_clear()


def test_probabilities_are_counts_of_a_class_and_a_place_with_a_share_of_all():
    line = "タ 0 0 0 4 8 2\tダ 0 0 0 0 0 6"
    # Class 2, further on: 2 and 6 of 8, and of 20 anywhere 14 and 6.
    assert dict(probabilities(line, 1, 2)) == pytest.approx(
        {"タ": (2 + BACKOFF * 14 / 20) / (8 + BACKOFF), "ダ": (6 + BACKOFF * 6 / 20) / (8 + BACKOFF)}
    )
    # A place without any count has what is anywhere.
    assert dict(probabilities(line, 0, 0)) == pytest.approx({"タ": 0.7, "ダ": 0.3})
    assert [place_of(0, 1), place_of(0, 2), place_of(1, 2), place_of(2, 3)] == [0, 1, 2, 2]


def test_a_word_is_read_in_one_class_or_the_other(tables):
    by_hand = {}
    for kind, share in enumerate((0.4, 0.6)):
        first = dict(probabilities(readings._counts()["山"], kind, 1))
        second = dict(probabilities(readings._counts()["田"], kind, 2))
        for one, p in first.items():
            for two, q in second.items():
                by_hand[one + two] = by_hand.get(one + two, 0.0) + share * p * q
    # ヤマタ differs from ヤマダ by its voice alone, サンタ from サンダ.
    for lesser in ("ヤマタ", "サンタ"):
        assert by_hand.pop(lesser) < by_hand[lesser.replace("タ", "ダ")]
    ranked = sorted(by_hand, key=by_hand.__getitem__, reverse=True)
    assert ranked[:2] == ["ヤマダ", "サンデン"]
    read = read_word("山田")
    assert [reading for reading, _ in read] == [r for r in ranked if by_hand[r] >= LIKELY * by_hand[ranked[0]]][:MOST]
    assert dict(read) == pytest.approx({r: by_hand[r] / by_hand[ranked[0]] for r, _ in read})
    assert read_word("山龘") == ()


def test_listed_words_are_found_in_a_run_and_the_rest_is_read(tables):
    found = readings_of("川山田田")
    assert (("カワヤマ", 1.0),) in found
    assert read_word("田田") in found
    assert read_word("川山田田") in found
    assert readings_of("川山田田川", names_only=True) == [(("カワヤマ", 1.0),)]
    assert readings_of("田田川", names_only=True) == []
    assert readings_of("川") == [(("カワ", 1.0), ("ガワ", 1.0))]
    assert read_word("山川") not in readings_of("田川山")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="東京々黒澤明一乙龘〆市ア㐀", max_size=12))
def test_any_run_is_read_in_katakana(run):
    assert len(repeated(run)) == len(run)
    for word in readings_of(run):
        assert word[0][1] == 1.0
        assert all(0 < p <= 1 and sound_key(reading) and " " not in reading for reading, p in word)
