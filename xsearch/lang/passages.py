"""Passages: a text cut at paragraphs and sentences into stretches that an encoder and a reader can take in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, pairwise
from typing import NamedTuple

from xsearch.lang.data_runs import data_runs
from xsearch.lang.scripts import script_ranges
from xsearch.lang.sentences import Break, iter_sentences

# Characters to a word of running text: mean lengths of words as segmenters cut them.
_HAN_PER_WORD = 1.7
_SYLLABLE_SCRIPT_PER_WORD = 4.0
# A longer run without a space is no word but data (base64, a URL) and counts as several.
_LONG_WORD = 16
_MOST_MARKS = 16
_CLAUSE_MARKS = ",;:—、，；：､؛،၊፣፤፥"
_PIECE = re.compile(
    rf"[^\s{_CLAUSE_MARKS}]{{1,{_LONG_WORD}}}[{_CLAUSE_MARKS}]{{0,{_LONG_WORD}}}\s*"
    rf"|[{_CLAUSE_MARKS}]{{1,{_LONG_WORD}}}\s*|\s+"
)


class _Piece(NamedTuple):
    start: int
    end: int
    words: float
    boundary: Break


def split_passages(text: str, lang: str, max_words: int = 180) -> list[tuple[int, int]]:
    """Spans (start, end) in code points of at most about `max_words` words, in order, not overlapping.

    They end at sentences, at paragraphs where one ends in their second half, and within sentences longer than that at
    clause marks or spaces; a run without either is cut as it comes, never before a combining mark. They cover every
    character but white space and data (`data_runs`), and have no white space at their ends. In scripts without spaces
    1.7 characters (Chinese, Japanese) or 4 (Thai, Lao, Khmer, Burmese) count as a word. Linear in the text. Raises
    ValueError unless `max_words` > 0.
    """
    if max_words <= 0:
        raise ValueError(f"max_words must be positive, not {max_words}")
    # Cheap bound first: most documents of a collection are short.
    if len(text) < max_words or (len(text) < 32 * max_words and count_words(text) <= max_words):
        left = len(text) - len(text.lstrip())
        return [(left, len(text.rstrip()))] if left < len(text) else []
    runs = data_runs(text)
    if not runs:
        return list(_pack(text, _pieces(text, lang, max_words), max_words))
    spans = []
    for begin, end in pairwise([0, *chain.from_iterable(runs), len(text)]):
        if (begin, end) not in runs:
            spans += [(begin + a, begin + b) for a, b in split_passages(text[begin:end], lang, max_words)]
    return spans


def count_words(text: str) -> float:
    """About how many words a text has, whatever its script."""
    words = 0.0
    # One wide range first: classes of many ranges take ten times as long to look through.
    if not text.isascii() and _maybe_unspaced().search(text):
        for unspaced, length in _unspaced():
            if runs := unspaced.findall(text):
                words += sum(map(len, runs)) / length
                text = unspaced.sub(" ", text)
    words += len(text.split())
    return max(words, len(text) / _LONG_WORD)


@cache
def _maybe_unspaced() -> re.Pattern[str]:
    """Where all characters of scripts without spaces are, and few others that running text holds. Compiled when it is
    first used, as are all expressions with classes of many characters: a question asks for few of them."""
    return re.compile("[\u02ea\u02eb\u0e00-\u1dff\u2e80-\U0010ffff]")


@cache
def _unspaced() -> tuple[tuple[re.Pattern[str], float], ...]:
    """Runs of scripts without spaces, and the characters of theirs that make a word."""
    ideographs = script_ranges("Hani", "Hira", "Kana", "Bopo", "Yiii")
    syllables = script_ranges("Thai", "Laoo", "Khmr", "Mymr", "Lana", "Tale", "Talu", "Tavt", "Tibt")
    return (
        (re.compile(f"[{ideographs}]+"), _HAN_PER_WORD),
        (re.compile(f"[{syllables}]+"), _SYLLABLE_SCRIPT_PER_WORD),
    )


def _pieces(text: str, lang: str, max_words: int) -> Iterator[_Piece]:
    """Sentences with their length in words; one longer than a passage comes in pieces."""
    for start, end, boundary in iter_sentences(text, lang):
        words = count_words(text[start:end])
        if words <= max_words:
            yield _Piece(start, end, words, boundary)
        else:
            yield from _cut(text, start, end, boundary)


def _cut(text: str, start: int, end: int, boundary: Break) -> Iterator[_Piece]:
    at = start
    while at < end:
        match = _PIECE.match(text, at, end)
        stop = match.end() if match else end
        marks = 0
        while stop < end and marks < _MOST_MARKS and unicodedata.category(text[stop])[0] == "M":
            stop += 1
            marks += 1
        piece = text[at:stop].rstrip()
        clause = Break.CLAUSE if piece and piece[-1] in _CLAUSE_MARKS else Break.NONE
        yield _Piece(at, stop, count_words(piece), boundary if stop == end else clause)
        at = stop


def _pack(text: str, pieces: Iterable[_Piece], max_words: int) -> Iterator[tuple[int, int]]:
    """Greedy: pieces are taken while they fit; the passage then ends at its best boundary, the rest opens the next."""
    start, end, words = 0, 0, 0.0
    best = _Piece(0, 0, 0.0, Break.NONE)  # where the passage had better end, and the words up to there
    for piece in pieces:
        while words and words + piece.words > max_words:
            if best.boundary >= Break.SENTENCE or (best.boundary and best.words >= max_words / 2):
                yield from _strip(text, start, best.end)
                start, words = best.end, (words - best.words if best.end < end else 0.0)
            else:
                yield from _strip(text, start, end)
                start, words = end, 0.0
            best = _Piece(start, start, 0.0, Break.NONE)
        end, words = piece.end, words + piece.words
        if piece.boundary and (piece.boundary >= best.boundary or best.words < max_words / 2):
            best = _Piece(start, end, words, piece.boundary)
    yield from _strip(text, start, end)


def _strip(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    stretch = text[start:end]
    left = len(stretch) - len(stretch.lstrip())
    if left < len(stretch):
        yield start + left, start + len(stretch.rstrip())
