"""Words that are written as one: a Hauptbahnhof is a Bahnhof, and who asks for a Bahnhofsumbau may be served by Umbau.

In the languages below nouns are put together without a space, the last of them naming the thing (its head), those
before saying which. Letters may stand between two parts (Bahnhof-s-umbau).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsearch.core.batch import IntArray

COMPOUNDING = frozenset(
    ("af", "da", "de", "et", "fi", "fo", "fy", "gsw", "hu", "is", "lb", "nb", "nds", "nl", "nn", "no", "se", "sv")
)
"""Languages whose compounds are looked into."""
SHORTEST = 4
"""Letters of a part: shorter ones stand in many words by chance."""
REST = 3
"""Letters that must be left beside a part; fewer are an ending."""
HEAD, MODIFIER = 0.8, 0.6
"""How likely a word that ends or begins with a part is meant by it."""
LONGEST_ENDING = 2
"""Letters that may follow the head (Hauptbahnhofs)."""


def compound_shares(before: IntArray, after: IntArray) -> NDArray[np.float64]:
    """How likely who asks for a part means words that have so many letters before it and behind, int64 (n,) both:
    float64 (n,), 0 where it is no part."""
    is_head = (before >= REST) & (after <= LONGEST_ENDING)
    return np.where(is_head, HEAD, np.where((before == 0) & (after > REST), MODIFIER, 0.0))


def parts(word: str) -> list[tuple[str, float]]:
    """What a word may be put together of: every beginning and end that leaves a part, with the share it has, the
    longest ends first, then the longest beginnings."""
    cuts = range(max(SHORTEST, REST), len(word) - SHORTEST + 1)
    heads = [(word[at:], HEAD) for at in cuts]
    modifiers = [(word[:at], MODIFIER) for at in reversed(cuts)]
    return heads + modifiers
