"""Keys of many words against those of each."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.lang.fold import folding
from xsearch.lang.romanise import family, skeleton, sound_key
from xsearch.lang.sounds import skeletons, sound_keys

WORDS = [
    *("dostoevsky", "tschechow", "a3mel", "2024", "b2b", "c++", "quixote", "schtsch", "cc", "x", "", "ß"),
    *("достоевский", "щука", "ъ", "გამარჯობა", "երևան", "ντοστογιέφσκι", "τσι"),
    *("القاهرة", "والكتاب", "محمد", "پاریس", "دوستويفسكي", "ירושלים", "ال", "الر"),
    *("पानी", "ज़िन्दगी", "กรุงเทพ", "ភ្នំពេញ", "ドストエフスキー", "とうきょう", "모스크바", "北京", "重庆", "abc語"),
]


def check(words):
    families, keys = sound_keys(words)
    assert families == [family(word) for word in words]
    assert keys == [sound_key(word) for word in words]
    each = zip(keys, families, strict=True)
    assert skeletons(families, keys).tolist() == [skeleton(key, kind == "a") for key, kind in each]


def test_keys_of_many_words_are_those_of_each():
    check(WORDS)
    for word in WORDS:
        check([word])
    check([])


def test_every_character_is_romanised_as_it_is_alone():
    # In a word of its script, at its beginning and behind itself.
    check([char * 2 for char in map(chr, range(0x20, 0xD7A4)) if char.isalnum()])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=2).map("".join) | st.text("chskzty0ال北क्까", max_size=8)))
def test_keys_of_any_words(words):
    check(list(map(folding("general"), words)))
