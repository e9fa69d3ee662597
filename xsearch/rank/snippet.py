"""The sentence or two of a passage that show why it was found."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from unicodedata import category

import numpy as np

from xsearch.core import FloatArray
from xsearch.rank.graphemes import cut_before

Span = tuple[int, int]
Token = tuple[Sequence[str], int, int]
"""A word as its language's analyzer sees it: the terms it is indexed as, and where it stands."""

ELLIPSIS = "…"
WIDTH = 240
"""Characters of a snippet; a text of no more is shown whole."""
_SEVERAL_SPACES = re.compile(r"\s\s+")
_LONGEST_WORD = 40
"""Characters within which a word's bound is looked for; longer runs are cut."""


@dataclass(frozen=True, slots=True)
class _Match:
    """A stretch of text that matched a term of the query, with that term's weight."""

    start: int
    end: int
    term: str
    weight: float


def snippet(
    text: str,
    sentences: Sequence[Span],
    tokens: Sequence[Token],
    weights: Mapping[str, float],
    sentence_scores: FloatArray | None = None,
    width: int = WIDTH,
    words: Callable[[], Sequence[Span]] = list,
) -> tuple[str, list[Span]]:
    """About `width` characters of `text` around the sentence that says most of the query, and the spans in it that
    the query's words matched (ascending, apart).

    sentences: ascending spans of `text`; none means that the text is one. tokens: (terms, start, end), ascending by
    start, by the analyzer that the query's terms are from; those without a term of `weights` make no difference.
    weights: what each term of the query is worth, above 0. sentence_scores: float32 (sentences,), how near each
    sentence is to the query's meaning (a cosine), for hits in which no word matches. words: gives the spans of the
    text's words, ascending; asked where a cut falls into text without spaces.

    A sentence's worth is the share of the query's weight whose terms it holds, each once, plus that score; the
    first of the best is taken. It is filled up with what follows, at the end of the text with what precedes, or, if
    too long, cut at words' bounds around its densest matches. An ellipsis stands where a sentence was cut. White
    space becomes single spaces; no grapheme cluster is split.
    """
    sentences = sentences or [(0, len(text))]
    matches = _matches(tokens, weights)
    best = _best_sentence(sentences, matches, weights, sentence_scores)
    if sentences[best][1] - sentences[best][0] > width:
        start, end = _densest(sentences[best], matches, width)
        start = _later_bound(text, start, sentences[best], words)
    else:
        start, end = _filled(sentences, best, width)
    start = cut_before(text, start)
    end = _earlier_bound(text, start, min(end, start + width), words)
    return _on_one_line(text, start, end, sentences, [(match.start, match.end) for match in matches])


def _matches(tokens: Iterable[Token], weights: Mapping[str, float]) -> list[_Match]:
    found = []
    nothing_known = weights.keys().isdisjoint
    for terms, start, end in tokens:
        if not nothing_known(terms):
            term = max(filter(weights.__contains__, terms), key=lambda name: (weights[name], name))
            found.append(_Match(start, end, term, weights[term]))
    return found


def _best_sentence(
    sentences: Sequence[Span],
    matches: Sequence[_Match],
    weights: Mapping[str, float],
    sentence_scores: FloatArray | None,
) -> int:
    starts = [start for start, _ in sentences]
    terms: list[dict[str, float]] = [{} for _ in sentences]
    for match in matches:
        terms[max(0, bisect_right(starts, match.start) - 1)][match.term] = match.weight
    total = sum(weights.values()) or 1.0
    worth = np.array([sum(held.values()) / total for held in terms])
    if sentence_scores is not None:
        worth = worth + sentence_scores
    return int(np.argmax(worth))


def _densest(sentence: Span, matches: Sequence[_Match], width: int) -> Span:
    """The stretch of `width` characters of a long sentence whose distinct matched terms weigh most, centred on them."""
    start, end = sentence
    inside = [match for match in matches if start <= match.start and match.end <= end]
    best, best_worth = (start, start), 0.0
    held: dict[str, int] = {}
    worth, first = 0.0, 0
    for last, match in enumerate(inside):
        if not held.get(match.term):
            worth += match.weight
        held[match.term] = held.get(match.term, 0) + 1
        while first < last and match.end - inside[first].start > width:
            held[inside[first].term] -= 1
            if not held[inside[first].term]:
                worth -= inside[first].weight
            first += 1
        if worth > best_worth + 1e-9:
            best, best_worth = (inside[first].start, match.end), worth
    margin = max(0, width - (best[1] - best[0])) // 2
    left = max(start, min(best[0] - margin, end - width))
    return left, min(end, left + width)


def _filled(sentences: Sequence[Span], best: int, width: int) -> Span:
    """The best sentence and what follows it, up to `width`; at the end of the text, whole sentences before it."""
    start = sentences[best][0]
    end = sentences[-1][1]
    first = best
    while first > 0 and end - sentences[first - 1][0] <= width:
        first -= 1
        start = sentences[first][0]
    return start, min(end, start + width)


def _later_bound(text: str, start: int, sentence: Span, words: Callable[[], Sequence[Span]]) -> int:
    """Where to begin at or soon after `start`: behind a space or sign, else at the start of a word; before the word at
    `start` if that is long."""
    last = min(start + _LONGEST_WORD, sentence[1])
    for place in range(start, last):
        if place == sentence[0] or (_parts(text[place - 1]) and not _parts(text[place])):
            return place
    spans = words()
    starts = {first for first, _ in spans}
    return next((place for place in range(start, last) if place in starts), _outside_word(spans, start))


def _earlier_bound(text: str, start: int, end: int, words: Callable[[], Sequence[Span]]) -> int:
    """Where to stop at or before `end`, in the last third of the stretch: before a space or sign, else at the end of a
    word."""
    places = range(end, start + (end - start) * 2 // 3, -1)
    for place in places:
        if place == len(text) or _parts(text[place]):
            return max(cut_before(text, place), start)
    spans = words()
    ends = {last for _, last in spans}
    place = next((place for place in places if place in ends), _outside_word(spans, end))
    return max(cut_before(text, place), start)


def _parts(character: str) -> bool:
    """Whether words end before a character: white space and signs, but for those within words (don't, e-mail)."""
    return character.isspace() or (category(character)[0] in "PS" and character not in "'’-")


def _outside_word(words: Sequence[Span], at: int) -> int:
    """The start of the word that `at` lies within, `at` itself if in none or in a longer one than any word."""
    index = bisect_left(words, at, key=lambda word: word[0]) - 1
    start, end = words[index] if index >= 0 else (-1, -1)
    return start if start < at < end and at - start <= _LONGEST_WORD else at


def _on_one_line(
    text: str, start: int, end: int, sentences: Sequence[Span], matched: Sequence[Span]
) -> tuple[str, list[Span]]:
    """The stretch with white space collapsed, spans moved along, an ellipsis where it cuts a sentence."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    cut_left = any(first < start < last and text[first:start].strip() for first, last in sentences)
    cut_right = any(first < end < last and text[end:last].strip() for first, last in sentences)
    line, place = _collapsed(text[start:end])
    before = len(ELLIPSIS) if cut_left else 0
    inside = [(max(first, start), min(last, end)) for first, last in matched if first < end and last > start]
    spans = _merged([(before + place[first - start], before + place[last - start]) for first, last in inside])
    return f"{ELLIPSIS if cut_left else ''}{line}{ELLIPSIS if cut_right else ''}", spans


def _collapsed(stretch: str) -> tuple[str, Sequence[int]]:
    """The stretch with every run of white space as one space, and where each of its places, the end too, has gone.
    It neither begins nor ends with white space."""
    place: list[int] = []
    last = removed = 0
    for run in _SEVERAL_SPACES.finditer(stretch):
        first = run.start() + 1
        place += range(last - removed, first - removed)
        place += [first - removed] * (run.end() - first)
        last, removed = run.end(), removed + run.end() - first
    return " ".join(stretch.split()), [*place, *range(last - removed, len(stretch) - removed + 1)]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap or touch, as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
