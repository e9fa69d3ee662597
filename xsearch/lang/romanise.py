"""Keys of words: how a word sounds, in Latin letters, so that spellings of one name meet whatever their script.

A word is romanised (the `anyascii` package, a table for every character of Unicode), and what the world's ways to
write a sound in Latin letters differ in is folded: Tschechow, Tchekhov and Чехов begin with the same `c`. The key is
meant to be compared, letter by letter with what sounds alike (`lang.spellings`), not to be shown.

The *skeleton* of a key are its consonants in seven classes, packed into a number: the same for most spellings of a
name, hence the way to find them (Soundex's idea, Russell 1918). Writing systems that leave vowels out (abjads) and
letters that are consonant or vowel (و, ו, w) are why vowels are no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xsearch.lang.fold import folding
from xsearch.lang.scripts import COMMON, SYLLABIC, script_of

ALPHABET = "aeioubcdfghjklmnprstvxzS"
"""Letters of keys. c is the sound of *church*, j of *judge* or *vision*, x of *loch*, S of *ship*, z also ts."""
MAX_KEY = 24
"""Letters of a key that count."""
SKELETON = 10
"""Consonants of a skeleton that count, three bits each."""

FAMILIES = "lcaikhz"
"""Kinds of writing, told by how their keys differ from Latin ones: Latin; other alphabets (Cyrillic, Greek, Georgian,
Armenian, Ethiopic …); abjads, which leave vowels out; Indic and Southeast Asian, whose inherent vowel is not written;
kana; Hangul; Han."""
_FAMILY = {
    "Latn": "l", "Arab": "a", "Hebr": "a", "Syrc": "a", "Hira": "k", "Kana": "k", "Hang": "h", "Hani": "z", "Bopo": "z",
    **dict.fromkeys(
        ("Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Thai", "Laoo", "Khmr", "Mymr",
         "Tibt"), "i"),
}  # fmt: skip

# Letters that anyascii leaves out, or renders by what they are only sometimes: alef is mostly a vowel; Hebrew bet, kaf
# and pe are b, k and p at the beginning, shin is sh, het as in loch like the Greek chi; anusvara is mostly n, the
# Indic c is ch.
LETTERS = str.maketrans({
    "ا": "a", "أ": "a", "إ": "i", "א": "a", "ב": "b", "כ": "k", "ך": "k", "פ": "p", "ח": "kh", "ש": "sh", "χ": "kh",
    **dict.fromkeys("ंँংਂੰંଂంಂം", "n"), **dict.fromkeys("चচਚચଚచಚചච", "ch"),
})  # fmt: skip
# Greek writes b, d, g and the consonants of church and judge with two letters, and reads γι before a vowel as y.
_GREEK = re.compile("^ντ|^μπ|ντ|μπ|γκ|τζ|τσ|ου|γι(?=[αεηιοω])")
_GREEK_WITHIN = {"ντ": "nd", "μπ": "mb", "γκ": "g", "τζ": "dj", "τσ": "ts", "ου": "u", "γι": "i"}
_GREEK_FIRST = {**_GREEK_WITHIN, "ντ": "d", "μπ": "b"}
# What pinyin writes otherwise than the rest of the world.
PINYIN = re.compile("q|x|c(?!h)")
PINYIN_SOUNDS = {"q": "ch", "x": "sh", "c": "ts"}
# Thai and Lao write some vowels before the consonant that they are spoken after, or before อ where there is none.
_BEFORE = re.compile("([เแโใไເແໂໃໄ])([ก-ฮກ-ຮ])")
_CARRIER = str.maketrans({"อ": "", "ອ": ""})
# Burmese reads many letters otherwise than the Indian ones that they descend from. Khmer has marks that shorten a
# vowel, silence a letter, make a p of b. The vowel am of Thai and Lao, folded, is two marks.
_SPOKEN = {
    "ရှ": "sh", "လျှ": "sh", "ချ": "ch", "ခြ": "ch", "ဂျ": "j", "ည်": "i", "ော": "au", "ို": "o", "ြ": "y", "ျ": "y",
    "င": "ng", "စ": "s", "ဆ": "s", "ဇ": "z", "သ": "th", "ံ": "n", "ွ": "w", "ှ": "", "ည": "ny", "့": "", "း": "",
    "ប៉": "p", "់": "", "៍": "", "ํา": "am", "ໍາ": "am",
}  # fmt: skip
_SPOKEN_AT = re.compile("|".join(_SPOKEN))
# Kana: small letters change the vowel before them, small tsu doubles a consonant, long vowels are mostly not written in
# Latin letters.
_SMALL_Y, _SMALL_VOWELS, _DOUBLING = frozenset("ゃゅょャュョ"), frozenset("ぁぃぅぇぉァィゥェォ"), frozenset("っッ")
_LONG = re.compile("(?<=o)[ou]+|(?<=u)u+")
ARTICLE = re.compile("^(?:وال|بال|كال|فال|ال|لل)(?=.{3})", re.MULTILINE)
"""The Arabic article, alone or behind one-letter words, before a word of three letters at least."""

# What is not listed stands for itself. German, French, Slavic, Indian, Arabic and Chinese habits beside the English
# ones: one letter for one sound.
SOUNDS = {
    "schtsch": "Sc", "shch": "Sc", "tsch": "c", "dsch": "j", "tch": "c", "sch": "S", "dzh": "j", "tsh": "c",
    "ch": "c", "cz": "c", "sh": "S", "sz": "S", "zh": "j", "dj": "j", "kh": "x", "gh": "g", "ph": "f", "th": "t",
    "dh": "d", "bh": "b", "ck": "k", "ce": "se", "ci": "si", "cy": "si", "ts": "z", "tz": "z", "ou": "u", "oo": "u",
    "ee": "i", "c": "k", "q": "k", "w": "v", "x": "ks", "y": "i", "3": "", "2": "", "7": "h", "5": "x", "9": "k",
    "8": "g", "6": "t", "4": "S", "0": "", "1": "",
}  # fmt: skip
"""Longest first. The digits are Arabic letters on a Latin keyboard (Arabizi): 3 is ع, 7 is ح."""
_SOUND = re.compile("|".join(SOUNDS))
DOUBLED = re.compile(r"(.)\1+")
_DROPPED = re.compile("[^a-z0-9]")

HEARD = "a-zа-щыэюяґєіїјљњћђўќѓ-ѕџα-ρσ-ωა-ჰա-ֆ"
"""Letters of alphabets, as folding leaves them, heard whatever stands beside them: the inside of a character
class."""

_CODES = {letter: code for code, letter in enumerate(ALPHABET, start=1)}
_CONSONANTS = ("bpfv", "td", "kgx", "szScj", "lr", "m", "n")
CLASSES = {letter: number for number, letters in enumerate(_CONSONANTS, start=1) for letter in letters}


class _Ascii(dict[int, str]):
    """A character as `anyascii` has it, in lower case; filled as characters are met."""

    def __missing__(self, point: int) -> str:
        from anyascii import anyascii

        self[point] = latin = anyascii(chr(point)).lower()
        return latin


ASCII = _Ascii()


def family(word: str) -> str:
    """The kind of writing of a word's first letter, one of `FAMILIES`; Latin's for a word of letters that
    no script has to itself ("µ") or of none."""
    script = next((script for char in word if char.isalpha() and (script := script_of(char)) != COMMON), "")
    return _FAMILY.get(script, "c") if script else "l"


def romanise(word: str) -> str:
    """A word in lower case and ASCII: as `anyascii` has it, but for the letters named above."""
    if word.isascii():
        return word.lower()
    word = ARTICLE.sub("", folding("general")(word))
    if word and script_of(word[0]) == "Grek":
        word = _GREEK.sub(lambda at: (_GREEK_WITHIN if at.start() else _GREEK_FIRST)[at.group()], word)
    if word and script_of(word[0]) in SYLLABIC:
        word = _as_spoken(word)
    kind = family(word)
    if kind == "k":
        return _spoken_kana(word)
    latin = word.translate(LETTERS).translate(ASCII)
    return PINYIN.sub(lambda at: PINYIN_SOUNDS[at.group()], latin) if kind == "z" else latin


def _as_spoken(word: str) -> str:
    """A Thai, Lao, Burmese or Khmer word with its sounds in the order in which they are heard."""
    word = _BEFORE.sub(lambda at: at[2].translate(_CARRIER) + at[1], word)
    return _SPOKEN_AT.sub(lambda at: _SPOKEN[at.group()], word)


def _spoken_kana(word: str) -> str:
    """Kana as Hepburn writes them, long vowels short: シャ as sha, ティ as ti, とう as to."""
    spoken = before = ""
    for char in word:
        sound = ASCII[ord(char)]
        if char in _DOUBLING:
            continue
        if char in _SMALL_Y and spoken.endswith(("i", "e", "u")):
            spoken = spoken[:-1]
            sound = sound[1:] if spoken.endswith(("sh", "ch", "j")) else sound
        elif char in _SMALL_VOWELS and spoken:
            spoken = spoken[:-1] + ("w" if before in ("う", "ウ") else "")
        spoken, before = spoken + sound, char
    return _LONG.sub("", spoken)


def sound_key(word: str) -> str:
    """The key of a word: letters of `ALPHABET`, at most `MAX_KEY`; "" for a word without sound, and for a number
    (digits count where letters stand beside them)."""
    return _folded(romanise(word))


@cache
def heard_anywhere() -> re.Pattern[str]:
    """A character that gives a word a key, whatever stands beside it."""
    return re.compile(
        f"[{HEARD}가-힣一-龥あいうえおか-ぢつ-もやゆよら-ろわをんアイウエオカ-ヂツ-モヤユヨラ-ロワヲンヴ]"
    )


def is_heard(word: str) -> bool:
    """Whether a word has a key."""
    return heard_anywhere().search(word) is not None or bool(sound_key(word))


def pinyin_key(word: str) -> str:
    """The key that the characters have whose reading in pinyin is `word`, in lower-case Latin letters."""
    return _folded(PINYIN.sub(lambda at: PINYIN_SOUNDS[at.group()], word))


def _folded(latin: str) -> str:
    letters = _DROPPED.sub("", latin)
    if letters.isdigit():
        return ""
    return DOUBLED.sub(r"\1", _SOUND.sub(lambda at: SOUNDS[at.group()], letters))[:MAX_KEY]


def skeleton(key: str, vowelless: bool = False) -> int:
    """The consonants of a key in seven classes, three bits each, the first highest of 3 `SKELETON`; 0 without any.

    vowelless: leave v out too, which abjads write for u and o. Those that begin alike are a range of numbers.
    """
    packed, shift = 0, 3 * SKELETON
    for letter in key:
        number = CLASSES.get(letter, 0)
        if number and shift and not (vowelless and letter == "v"):
            shift -= 3
            packed |= number << shift
    return packed


def codes_of(keys: Sequence[str]) -> NDArray[np.int64]:
    """Keys as numbers, int64 (n, longest): letters of `ALPHABET` from 1, then zeros."""
    packed = np.zeros((len(keys), max(map(len, keys), default=0)), dtype=np.int64)
    for row, key in enumerate(keys):
        packed[row, : len(key)] = [_CODES[letter] for letter in key]
    return packed
