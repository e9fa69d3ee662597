"""Stretches of a text that are data and no language: base64, long hexadecimal numbers, one letter over and over.

Cut into passages they would be thousands that nobody asks for, and each would be encoded.
"""

from __future__ import annotations

import re

SHORTEST = 1_000
"""Characters of the shortest run. The longest words of any language, and addresses on the web, are shorter."""
LINES = 20
"""Lines of 60 characters or more without a space that make a run together: base64 as mail and certificates have it."""
KEPT = 100
"""Characters of a run's beginning that are searched as the rest of the text is."""

_ALPHABET = "A-Za-z0-9+/=_%-"
_UNSPACED = re.compile(rf"(?<!\S)(?:\S{{{SHORTEST},}}+|(?:[{_ALPHABET}]{{60,}}+\s){{{LINES},}}+)")
_RUN = re.compile(rf"[{_ALPHABET}]{{{SHORTEST},}}+|(?:[{_ALPHABET}]{{60,}}+\s){{{LINES},}}+|(\S)\1{{{SHORTEST - 1},}}+")


def data_runs(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) in code points of what is data in `text`, ascending, without the first `KEPT` characters of
    each. Scripts without spaces are read as they are: only a run of one character is data there. Linear in the text.
    """
    if len(text) < SHORTEST:
        return []
    stretches = (stretch.span() for stretch in _UNSPACED.finditer(text))
    return [(run.start() + KEPT, run.end()) for span in stretches for run in _RUN.finditer(text, *span)]
