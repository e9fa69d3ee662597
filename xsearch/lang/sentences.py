"""Sentences: where they end in the scripts of the world, as spans of the text as given.

An end is a full stop, question or exclamation mark before a space, unless the stop follows an abbreviation, an initial,
an ordinal, or the next word goes on in lower case; a mark that only ends sentences, whatever follows (。！？ ۔ ؟ । ॥ ။ ។ ៕
። ፧ ։ ༎ ꓿ …); a blank line; a line break before a list item. Thai and Lao have no mark: there a space ends a stretch
once it is long enough to stand alone. Everything is one pass of a regular expression, linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from xsearch.lang.codes import base_language
from xsearch.lang.tables import rows

_CLOSERS = "\\"'”’»›)\\]}」』）】》〉］＂＇"
_SURE = "。！？｡؟۔।॥။។៕៖።፧፨։༎༏᙮᠃᠉⸮꓿꘎꛳꩝꩞꩟᱾᱿"
_SPACELESS_STRETCH = 40
_BOUNDARY = re.compile(
    rf"(?P<paragraph>\s*\n[^\S\n]*\n\s*)"
    rf"|(?P<item>[^\S\n]*\n\s*(?=[-*•·‣▪◦–—#>+]\s|\(?\d{{1,3}}[.)]\s))"
    rf"|(?P<sure>[{_SURE}]+[.!?…]*[{_CLOSERS}]*\s*)"
    rf"|(?P<mark>(?P<stop>[.!?…]+)[{_CLOSERS}]*\s+)"
    rf"|(?P<thai>(?<=[\u0e01-\u0e4e\u0e81-\u0ecd])[^\S\n]+(?=[\u0e01-\u0e45\u0e81-\u0ec4]))"
)
