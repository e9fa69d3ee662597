"""Where a text may be cut: never inside what a reader sees as one character."""

from __future__ import annotations

import unicodedata

ZERO_WIDTH_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)
_JAMO_VOWELS_AND_FINALS = range(0x1160, 0x1200)
_LONGEST = 64
"""Characters looked back over; nothing written is longer, and a hostile run of marks may not cost quadratic time."""


def cut_before(text: str, at: int) -> int:
    """The last place at or before `at` where no grapheme cluster of `text` is split.

    Follows the rules of Unicode Annex 29 (extended grapheme clusters) for marks, joiners, variation selectors,
    emoji sequences, flags and Hangul jamo. Gives `at` itself where no such place lies within 64 characters.
    """
    if at <= 0 or at >= len(text):
        return min(max(at, 0), len(text))
    for place in range(at, max(at - _LONGEST, 0), -1):
        if not _joined(text, place):
            return place
    return 0 if at <= _LONGEST else at


def _joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of `at` belong to one cluster."""
    before, after = text[at - 1], text[at]
    if before == ZERO_WIDTH_JOINER or (before == "\r" and after == "\n"):
        return True
    code = ord(after)
    if code in _REGIONAL_INDICATORS:
        return _indicators_before(text, at) % 2 == 1
    return (
        unicodedata.category(after)[0] == "M"
        or after == ZERO_WIDTH_JOINER
        or after == "\u200c"
        or code in _SKIN_TONES
        or code in _TAGS
        or code in _JAMO_VOWELS_AND_FINALS
    )


def _indicators_before(text: str, at: int) -> int:
    """How many flag letters in a row end at `at`: two of them are one flag."""
    count = 0
    while count < _LONGEST and at - count > 0 and ord(text[at - count - 1]) in _REGIONAL_INDICATORS:
        count += 1
    return count
