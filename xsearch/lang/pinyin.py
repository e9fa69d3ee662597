"""Words typed in pinyin, cut into syllables, so that they meet the characters of an index two by two."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

_FINALS = {
    "": "a ai an ang ao e ei en eng er o ou wa wai wan wang wei wen weng wo wu ya yan yang yao ye yi yin ying yo yong "
    "you yu yuan yue yun",
    "b p m": "a ai an ang ao ei en eng i ian iao ie in ing o u",
    "f": "a an ang ei en eng o ou u",
    "d t": "a ai an ang ao e ei eng i ian iao ie ing ong ou u uan ui un uo",
    "n l": "a ai an ang ao e ei en eng i ia ian iang iao ie in ing iu ong ou u uan ue un uo v ve",
    "g k h": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "j q x": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "zh ch sh r z c s": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo",
}
"""What follows each initial, a little more than Mandarin has (shong, rai): a typist's slip is no reason to give up."""
_LONGEST = 6


@cache
def _all_syllables() -> frozenset[str]:
    pairs = [
        (first, last) for firsts, lasts in _FINALS.items() for first in firsts.split() or [""] for last in lasts.split()
    ]
    extra = ("de", "te", "diu", "dia", "me", "miu", "mou", "pou", "nin", "nei")
    return frozenset([first + last for first, last in pairs] + list(extra))


def syllables(word: str) -> tuple[str, ...]:
    """The fewest syllables that a word in lower-case Latin letters is made of, of several ways that with the longest
    first; () for a word that is no pinyin. ü is written v or u."""
    known = _all_syllables()
    best: list[tuple[str, ...] | None] = [None] * len(word) + [()]
    for start in range(len(word) - 1, -1, -1):
        for end in range(min(len(word), start + _LONGEST), start, -1):
            rest = best[end]
            if (
                rest is not None
                and word[start:end] in known
                and (best[start] is None or len(rest) + 1 < len(best[start] or ()))
            ):
                best[start] = (word[start:end], *rest)
    return best[0] or ()


def character_pairs(sounds: tuple[str, ...]) -> list[str]:
    """The readings of neighbouring characters: each two syllables as one word, as `anyascii` reads them."""
    return [(one + two).replace("v", "u") for one, two in pairwise(sounds)]
