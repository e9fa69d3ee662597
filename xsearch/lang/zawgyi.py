"""Burmese written in Zawgyi, made Unicode: the two share their code points and mean different letters by them.

Much Burmese of the years up to 2019 is in Zawgyi, where signs stand in the order in which they are seen and a letter
has a code point for each of its shapes. Unread it is found by no question in Unicode. What each code point stands for
follows Unicode Technical Note 11 ("Representing Myanmar in Unicode") and the Zawgyi-One font's own table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

CONSONANT = "\u1000-\u1021"
STACKABLE = "\u1000-\u1003\u1005-\u1008\u100a-\u101a\u101c\u101e"
"""Letters that stand below others."""
ASAT, VIRAMA = "\u103a", "\u1039"
KINZI = "\u1004" + ASAT + VIRAMA
RA, E = "\u103c", "\u1031"

_BASES = {
    **{chr(code): chr(code) for code in (*range(0x1000, 0x102B), 0x103F)},
    "\u106a": "\u1009",
    "\u106b": "\u100a",
    "\u106e": "\u100d\u1039\u100d",
    "\u106f": "\u100d\u1039\u100e",
    "\u1086": "\u103f",
    "\u108f": "\u1014",
    "\u1090": "\u101b",
    "\u1091": "\u100f\u1039\u100d",
    "\u1092": "\u100b\u1039\u100c",
    "\u1097": "\u100b\u1039\u100b",
}
"""Letters that carry signs."""
_DIGITS = {"\u1040": "\u101d", "\u1047": "\u101b"}
"""Zero and seven look like these letters, and are typed for them."""
_STACKED = "\u1000\u1001\u1002\u1003 \u1005\u1006\u1006\u1007\u1008  \u100b\u100c  \u100f\u1010\u1010\u1011\u1011\u1012"
_STACKED += "\u1013\u1014\u1015\u1016\u1017\u1018\u1019"
_SIGNS = {
    **{chr(0x1060 + i): VIRAMA + letter for i, letter in enumerate(_STACKED) if letter != " "},
    **{chr(code): chr(code) for code in (*range(0x102B, 0x1031), 0x1032, 0x1036, 0x1037, 0x1038)},
    "\u1033": "\u102f",
    "\u1034": "\u1030",
    "\u1039": ASAT,
    "\u103a": "\u103b",
    "\u107d": "\u103b",
    "\u103c": "\u103d",
    "\u103d": "\u103e",
    "\u105a": "\u102b" + ASAT,
    "\u1064": KINZI,
    "\u1085": VIRAMA + "\u101c",
    "\u1087": "\u103e",
    "\u1088": "\u103e\u102f",
    "\u1089": "\u103e\u1030",
    "\u108a": "\u103d\u103e",
    "\u108b": KINZI + "\u102d",
    "\u108c": KINZI + "\u102e",
    "\u108d": KINZI + "\u1036",
    "\u108e": "\u102d\u1036",
    "\u1093": VIRAMA + "\u1018",
    "\u1094": "\u1037",
    "\u1095": "\u1037",
    "\u1096": VIRAMA + "\u1010\u103d",
}
"""Signs around a letter. All but the vowel e and the medial r follow it."""
_ORDER = "\u103b\u103c\u103d\u103e\u1031\u102d\u102e\u1032\u102f\u1030\u102b\u102c\u1036\u1037\u103a\u1038"
"""The order of signs behind a letter and what is stacked below it."""
_PLACE = {sign: place for place, sign in enumerate(_ORDER)}

_BURMESE = re.compile("[\u1000-\u109f]")
_SYLLABLE = re.compile(f"(\u1031?)([\u103b\u107e-\u1084]?)([{''.join(_BASES)}\u1040\u1047])([{''.join(_SIGNS)}]*)")
_ZAWGYI = re.compile(
    f"{VIRAMA}(?![{STACKABLE}])|(?<![{CONSONANT}\u1025\u1029\u103b-\u103f])\u1031"
    f"|(?<![{CONSONANT}\u1025\u1029\u103a-\u103f])[\u103b\u103c]"
)
"""What Unicode does not have: a virama with nothing that could stand below, a vowel e or a medial before its letter."""
_UNICODE = re.compile(f"{ASAT}(?=[\u1037\u1038\u104a\u104b\\s]|$)")
"""What Zawgyi hardly has, whose code point this is for the medial y: it at the end of a syllable."""
_PARTS = re.compile(f"{KINZI}|{VIRAMA}[{CONSONANT}]|.")


def is_zawgyi(text: str) -> bool:
    """Whether a text is Burmese in Zawgyi: more of it is impossible in Unicode than in Zawgyi."""
    found = len(_ZAWGYI.findall(text)) if _BURMESE.search(text) else 0
    return found > 0 and found > len(_UNICODE.findall(text))


def to_unicode(text: str) -> str:
    """A text in Unicode: itself, unless it is in Zawgyi. Only Burmese letters and their order change."""
    if not is_zawgyi(text):
        return text
    # Four is typed for the sign that it looks like, which Zawgyi has as one with the letters that follow it.
    text = re.sub("[\u1044\u104e]\u1004\u1039\u1038", "\u104e", text)
    return _SYLLABLE.sub(_syllable, text).replace("\u104e", "\u104e\u1004\u103a\u1038")


def _syllable(match: re.Match[str]) -> str:
    e, r, letter, after = match.groups()
    if letter in _DIGITS and not (e or r or after):
        return letter
    parts = _PARTS.findall((RA if r else "") + e + "".join(map(_SIGNS.__getitem__, after)))
    signs = sorted({part for part in parts if part in _PLACE}, key=_PLACE.__getitem__)
    kinzi = KINZI if KINZI in parts else ""
    stacked = "".join(part for part in parts if part[0] == VIRAMA)
    return kinzi + _letter(_DIGITS.get(letter) or _BASES[letter], signs) + stacked + "".join(signs)


def _letter(letter: str, signs: list[str]) -> str:
    """The letter that is meant by one that looks like it; takes from `signs` what it is made with."""
    if letter == "\u1025" and "\u102e" in signs:
        return _made("\u1026", signs, "\u102e")
    if letter == "\u1025" and (ASAT in signs or "\u102c" in signs):
        return "\u1009"
    if letter == "\u101e" and RA in signs:
        spelt = (RA, E, "\u102c", ASAT)
        return _made("\u102a", signs, spelt) if set(spelt) <= set(signs) else _made("\u1029", signs, RA)
    return letter


def _made(letter: str, signs: list[str], used: Iterable[str]) -> str:
    for sign in used:
        signs.remove(sign)
    return letter
