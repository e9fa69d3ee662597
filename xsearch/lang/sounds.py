"""Keys, families and skeletons of many words: what `lang.romanise` says of each, in a quarter of the time.

Words of alphabets, abjads, Devanagari, Hangul and Han are the lines of one text: their characters are romanised one by
one, and what is folded are runs of letters. What is read otherwise (kana, Greek, Thai, …) is left to `lang.romanise`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from xsearch.lang.fold import fold_each, folding
from xsearch.lang.romanise import (
    ARTICLE,
    CLASSES,
    DOUBLED,
    LETTERS,
    MAX_KEY,
    PINYIN,
    PINYIN_SOUNDS,
    SKELETON,
    SOUNDS,
    family,
    sound_key,
)

_DROPPED = re.compile("[^a-z0-9\n]")
_NUMBER = re.compile("^[0-9]+$", re.MULTILINE)
_SEVERAL = {letters: sound for letters, sound in SOUNDS.items() if len(letters) > 1}
_CLUSTER = re.compile("|".join(_SEVERAL))
# A sound that is itself a letter to be replaced waits as a capital.
_CLUSTER_SOUNDS = {letters: sound.replace("c", "C").replace("x", "X") for letters, sound in _SEVERAL.items()}
_SINGLE = str.maketrans({letter: sound for letter, sound in SOUNDS.items() if len(letter) == 1} | {"C": "c", "X": "x"})


@cache
def _kinds() -> re.Pattern[str]:
    """Words whose characters are romanised one by one, by family."""
    return re.compile(
        "(?P<l>[\x01-\x09\x0b-\x7f]+)|(?P<c>[а-яёђ-џґўა-ჰա-ֆ][0-9а-яёђ-џґўა-ჰա-ֆ]*)|(?P<a>[ا-غف-يא-ת]+)"
        "|(?P<i>[अ-ह][ऀ-ः़ा-्अ-ह]*)|(?P<h>[가-힣]+)|(?P<z>[一-龥]+)"
    )


class _Latin(dict[int, str]):
    """What a character is in lower-case ASCII; filled as characters are met."""

    def __missing__(self, point: int) -> str:
        from anyascii import anyascii

        self[point] = latin = anyascii(chr(point).translate(LETTERS)).lower() if point != ord("\n") else "\n"
        return latin


_latin = _Latin()


def sound_keys(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The `family` and the `sound_key` of every word."""
    found = [kind.lastgroup or "" if (kind := _kinds().fullmatch(word)) else "" for word in words]
    keys = [""] * len(words)
    pinyin = [place for place, kind in enumerate(found) if kind == "z"]
    others = [place for place, kind in enumerate(found) if kind not in ("z", "")]
    for places, is_pinyin in ((pinyin, True), (others, False)):
        if not places:
            continue
        lines = "\n".join(fold_each(folding("general"), [words[place] for place in places]))
        latin = ARTICLE.sub("", lines).translate(_latin)
        if is_pinyin:
            latin = PINYIN.sub(lambda at: PINYIN_SOUNDS[at.group()], latin)
        for place, key in zip(places, _folded(latin).split("\n"), strict=True):
            keys[place] = key[:MAX_KEY]
    for place in [place for place, kind in enumerate(found) if not kind]:
        found[place], keys[place] = family(words[place]), sound_key(words[place])
    return found, keys


def _folded(latin: str) -> str:
    """Romanised words, a line each, as keys."""
    letters = _NUMBER.sub("", _DROPPED.sub("", latin))
    sounds = _CLUSTER.sub(lambda at: _CLUSTER_SOUNDS[at.group()], letters).translate(_SINGLE)
    return DOUBLED.sub(r"\1", sounds)


@cache
def _digits(vowelless: bool) -> dict[int, str]:
    """Letters of keys as the numbers of their classes, those without one left out."""
    counted = {letter: str(number) for letter, number in CLASSES.items() if not (vowelless and letter == "v")}
    return {ord(letter): counted.get(letter, "") for letter in map(chr, range(128)) if letter != "\n"}


def skeletons(families: Sequence[str], keys: Sequence[str]) -> list[int]:
    """The `skeleton` of every key; without v in abjads."""
    if not keys:
        return []
    lines = "\n".join(keys)
    voiced, vowelless = (lines.translate(_digits(kind)).split("\n") for kind in (False, True))
    chosen = [b if family == "a" else a for family, a, b in zip(families, voiced, vowelless, strict=True)]
    # Three bits a class: digits of an octal number.
    return [int(digits[:SKELETON].ljust(SKELETON, "0"), 8) for digits in chosen]
