"""Keys of words in many scripts, skeletons, pinyin, and the log-odds of spellings against every alignment."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang.pinyin import character_pairs, syllables
from xsearch.lang.romanise import (
    ALPHABET,
    FAMILIES,
    MAX_KEY,
    SKELETON,
    codes_of,
    family,
    pinyin_key,
    skeleton,
    sound_key,
)
from xsearch.lang.spellings import ENDING, ENDING_LETTER, ENDING_ODDS, alignment_odds, most_odds, odds_table

# Written by hand: the word, the kind of its writing, and how it sounds by the rules of `romanise`.
KEYS = [
    ("Dostoevsky", "l", "dostoevski"),
    ("Tschechow", "l", "cecov"),
    ("Tchekhov", "l", "cexov"),
    ("Müller", "l", "muler"),
    ("a3mel", "l", "amel"),
    ("ka7k", "l", "kahk"),
    ("Cicero", "l", "sisero"),
    ("Достоевский", "c", "dostoevski"),
    ("Чехов", "c", "cexov"),
    ("Ντοστογιέφσκι", "c", "dostoiefski"),
    ("Ομπάμα", "c", "ombama"),
    ("თბილისი", "c", "tbilisi"),
    ("Երևան", "c", "erevan"),
    ("محمد", "a", "mhmd"),
    ("القاهرة", "a", "kahrh"),
    ("דוד", "a", "dvd"),
    ("पानी", "i", "pani"),
    ("टंकी", "i", "tnki"),
    ("चाय", "i", "cai"),
    ("ドストエフスキー", "k", "dosutoefusuki"),
    ("とうきょう", "k", "tokio"),  # as Latin letters have it: long vowels short
    ("おおさか", "k", "osaka"),
    ("ニッポン", "k", "nipon"),
    ("シャツ", "k", "Sazu"),
    ("ジョン", "k", "jon"),
    ("ヴェネツィア", "k", "venezia"),
    ("ウィーン", "k", "vin"),
    ("フョードル", "k", "fiodoru"),
    ("모스크바", "h", "moseukeuba"),
    ("โตโยต้า", "i", "toiota"),  # vowels after the consonant that they are written before
    ("ไอน์สไตน์", "i", "ainstain"),
    ("ลำปาง", "i", "lampang"),
    ("နေပြည်တော်", "i", "nepitau"),
    ("စစ်တွေ", "i", "stve"),
    ("បាត់ដំបង", "i", "batdambng"),
    ("北京", "z", "beijing"),
    ("秦", "z", "cin"),
    ("µ", "l", "m"),  # of no script: any family will do, so long as it is one
]


@pytest.mark.parametrize(("word", "kind", "key"), KEYS)
def test_keys(word, kind, key):
    assert family(word) == kind
    assert sound_key(word) == key


@pytest.mark.parametrize("word", ["", "2024", "١٢٣", "…", "-"])
def test_numbers_and_signs_have_no_key(word):
    assert sound_key(word) == ""


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_any_text_has_a_key_of_the_alphabet(text):
    key = sound_key(text)
    assert set(key) <= set(ALPHABET)
    assert len(key) <= MAX_KEY
    assert skeleton(key) < 1 << 3 * SKELETON
    assert family(text) in tuple(FAMILIES)


def test_spellings_of_a_name_have_one_skeleton():
    for names in (
        ["Dostoevsky", "Достоевский", "Dostoïevski", "ドストエフスキー"],
        ["Muhammad", "Mohammed", "محمد", "মুহাম্মদ"],
    ):
        assert len({skeleton(sound_key(spelling)) for spelling in names}) == 1
    # و is a vowel as often as it is w or v: left out on both sides.
    assert skeleton(sound_key("דוד"), vowelless=True) == skeleton("dad")


def test_skeletons_are_classes_from_the_left():
    assert skeleton("bad") == (1 << 27) | (2 << 24)
    assert skeleton("aeiouh") == 0
    assert skeleton("kakakakakakakakakakakak") == sum(3 << 3 * i for i in range(SKELETON))


@pytest.mark.parametrize(
    ("word", "cut"),
    [
        ("beijing", ("bei", "jing")),
        ("tiananmen", ("tian", "an", "men")),
        ("lvyou", ("lv", "you")),
        ("xian", ("xian",)),
        ("zixingche", ("zi", "xing", "che")),
        ("dostoevsky", ()),
        ("pakistan", ()),
        ("", ()),
    ],
)
def test_pinyin_is_cut_into_the_fewest_syllables(word, cut):
    assert syllables(word) == cut


@given(st.text(alphabet="aeiounghzxjqlv", max_size=14))
def test_syllables_are_the_word(word):
    cut = syllables(word)
    assert "".join(cut) in ("", word)


def test_typed_pinyin_has_the_key_of_the_characters():
    for characters, typed in (("秦始", "qinshi"), ("旅游", "lvyou"), ("西安", "xian"), ("菜谱", "caipu")):
        reading = character_pairs(syllables(typed))[0] if len(syllables(typed)) > 1 else typed
        assert pinyin_key(reading) == sound_key(characters)


def brute_force(key: str, kind: str, other: str, other_kind: str) -> float:
    """The best alignment by recursion over the definition, endings included."""
    table = odds_table(kind, other_kind)
    a, b = codes_of([key])[0], codes_of([other])[0] if other else np.zeros(0, np.int64)

    @cache
    def best(i: int, j: int) -> float:
        if i == j == 0:
            return 0.0
        ways = []
        if i and j:
            ways.append(best(i - 1, j - 1) + table[a[i - 1], b[j - 1]])
        if i:
            ways.append(best(i - 1, j) + table[a[i - 1], 0])
        if j:
            ways.append(best(i, j - 1) + table[0, b[j - 1]])
        return float(max(ways))

    price = [0.0, *(ENDING_ODDS + n * ENDING_LETTER for n in range(1, ENDING + 1))]
    ends = [best(len(a) - n, len(b)) - price[n] for n in range(min(ENDING, len(a) - 1) + 1)]
    ends += [best(len(a), max(len(b) - n, min(2, len(b)))) - price[n] for n in range(1, ENDING + 1)]
    return max(ends)


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet=ALPHABET, min_size=1, max_size=7),
    st.lists(
        st.tuples(st.text(alphabet=ALPHABET, min_size=1, max_size=8), st.sampled_from(FAMILIES)), min_size=1, max_size=4
    ),
    st.sampled_from(FAMILIES),
)
def test_odds_are_those_of_the_best_alignment(key, others, kind):
    keys = codes_of([other for other, _ in others]).astype(np.uint8)
    families = np.array([FAMILIES.index(other) for _, other in others], dtype=np.uint8)
    asked = codes_of([key])[0].astype(np.uint8), kind, keys, families
    found = alignment_odds(*asked)
    expected = [brute_force(key, kind, other, other_kind) for other, other_kind in others]
    assert found == pytest.approx(expected, abs=1e-3)
    assert (most_odds(*asked) >= found - 1e-3).all()


def test_odds_tell_a_name_from_another():
    def odds(one: str, two: str) -> float:
        keys = codes_of([sound_key(two)]).astype(np.uint8)
        place = np.array([FAMILIES.index(family(two))], dtype=np.uint8)
        return float(alignment_odds(codes_of([sound_key(one)])[0].astype(np.uint8), family(one), keys, place)[0])

    for one, two, other in [
        ("Hemingway", "همنغواي", "همدان"),
        ("Mahfouz", "محفوظ", "محمود"),
        ("Чайковский", "チャイコフスキー", "チェーホフ"),
        ("Kurosawa", "קורוסאווה", "קוריאה"),
        ("Неру", "नेहरू", "नेपाल"),
        ("Salamanca", "살라망카", "살바도르"),
    ]:
        assert odds(one, two) > odds(one, other) + 3
        assert odds(two, one) > odds(other, one) + 3
    assert odds("Obama", "Obamas") > odds("Obama", "Obadiah")
