"""Sentences: where they end in the scripts of the world, as spans of the text as given.

An end is a full stop, question or exclamation mark before a space, unless the next word goes on in lower case or the
stop follows an abbreviation, an initial or an ordinal; a mark that only ends sentences, whatever follows
(。！？ ؟ ۔ । ॥ ။ ។ ። ፡፡ ։ །); a blank line; a line break before a list item. Thai and Lao have no mark: there a space
ends a stretch that is long enough to stand alone. One pass, linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from xsearch.lang.codes import base_language
from xsearch.lang.tables import rows

_SURE = "。！？｡؟۔।॥။។៕៖።፧፨։།༎༏᙮᠃᠉⸮꓿꘎꛳꩝꩞꩟᱾᱿"
_ENDS_ANYWHERE = frozenset(_SURE + "፡")
_CLOSERS = "\"'”’»›)\\]}」』）】》〉］＂＇"
_OPENERS = "\"'“‘„«‹([{¿¡「『（"
_LIST_ITEM = re.compile(r"[-*•·‣▪◦–—#>+]+\s|\(?\d{1,3}[.)]\s")
_DOTTED = re.compile(r"\w(?:\.\w)+")
# Thai and Lao: a space in a shorter stretch than this separates phrases, names, numbers.
_STRETCH = 40
_ABBREVIATION_LENGTH = 12
_ORDINAL_LANGUAGES = frozenset(
    ("de", "da", "nb", "nn", "fi", "et", "cs", "sk", "sl", "hr", "sr", "bs", "hu", "pl", "tr", "is", "lv", "fo", "eu")
)


class Break(IntEnum):
    """How strong the boundary behind a stretch of text is."""

    NONE = 0
    CLAUSE = 1
    SENTENCE = 2
    PARAGRAPH = 3


class Sentence(NamedTuple):
    """A span of the text and the boundary that ends it."""

    start: int
    end: int
    boundary: Break


def sentences(text: str, lang: str) -> list[tuple[int, int]]:
    """Spans (start, end) in code points, in order, not overlapping, that cover every character but white space.

    Spans neither begin nor end with white space. `lang` chooses abbreviations and the Greek question mark; any code is
    good.
    """
    return [found[:2] for found in iter_sentences(text, lang)]


def iter_sentences(text: str, lang: str) -> Iterator[Sentence]:
    """The sentences of a text one by one, each with the strength of the boundary behind it."""
    start = 0
    for match in _candidates(base_language(lang)).finditer(text):
        boundary = _boundary(text, match, start, lang)
        if boundary:
            stop = match.end(1) if match[1] else match.start()
            yield from _stripped(text, start, stop, boundary)
            start = match.end()
    yield from _stripped(text, start, len(text), Break.PARAGRAPH)


@cache
def _candidates(language: str) -> re.Pattern[str]:
    """Places where a sentence may end; every alternative takes its whole run, or the search would not be linear."""
    marks = ".!?…" + _SURE + (";\u037e" if language == "el" else "")
    return re.compile(
        rf"((?:[{marks}]|፡፡)+[{_CLOSERS}]*)\s*"
        r"|\n\s*"
        r"|(?<=[\u0e01-\u0e4e\u0e81-\u0ecd])[^\S\n]+(?=[\u0e01-\u0e45\u0e81-\u0ec4])"
    )


def _boundary(text: str, match: re.Match[str], start: int, lang: str) -> Break:
    marks, after = match[1] or "", match.end()
    if after == len(text):
        return Break.PARAGRAPH
    gap = text[match.start() + len(marks) : after]
    # Most candidates are a full stop before one space, or within a number or an address.
    if "\n" in gap:
        if gap.count("\n") > 1:
            return Break.PARAGRAPH
        if _LIST_ITEM.match(text, after):
            return Break.SENTENCE
    if not marks:
        return Break.SENTENCE if "\n" not in gap and match.start() - start >= _STRETCH else Break.NONE
    if not _ENDS_ANYWHERE.isdisjoint(marks):
        return Break.SENTENCE
    if not gap or text[after].islower():
        return Break.NONE
    if marks == "." and _goes_on(text, match.start(), lang):
        return Break.NONE
    return Break.SENTENCE


def _goes_on(text: str, stop: int, lang: str) -> bool:
    """Whether the word before a full stop is one that a sentence goes on after."""
    before = text[max(0, stop - _ABBREVIATION_LENGTH - 1) : stop].split()
    word = before[-1].lstrip(_OPENERS).casefold() if before else ""
    if word.isdecimal():
        return len(word) <= 2 and base_language(lang) in _ORDINAL_LANGUAGES
    if len(word) == 1 and word.isalpha():
        return True
    return word in _abbreviations(lang) or ("." in word and _DOTTED.fullmatch(word) is not None)


@cache
def _abbreviations(lang: str) -> frozenset[str]:
    wanted = {"*", lang, base_language(lang)}
    found: set[str] = set()
    for codes, words in rows("abbreviations.tsv"):
        if wanted.intersection(codes.split()):
            found.update(words.split())
    return frozenset(found)


def _stripped(text: str, start: int, end: int, boundary: Break) -> Iterator[Sentence]:
    if start < end and (text[start].isspace() or text[end - 1].isspace()):
        stretch = text[start:end]
        start, end = start + len(stretch) - len(stretch.lstrip()), start + len(stretch.rstrip())
    if start < end:
        yield Sentence(start, end, boundary)
