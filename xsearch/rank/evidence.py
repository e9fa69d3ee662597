"""Which word of a passage a word of the query met through translations: what a reader can check a hit by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, QueryPieces, Translations, WordMatch
from xsearch.core.order import distinct, first_mentions

LEAST = 0.1
"""Strength below which a match would rather puzzle than explain."""
SURE = 0.5
"""Strength from which a match is shown whatever the vectors say."""
BELIEVED = 0.4
"""What strength and half the cosine of two words' vectors must come to. Of pairs read on two collections about half
were wrong below it and one in fifteen above."""
LONGEST_WORD = 24
"""Pieces that touch are a word; runs of more characters are of a script without spaces, where each is its own."""


def word_matches(
    query: str,
    asked: QueryPieces,
    translations: Sequence[Translations],
    texts: Sequence[str],
    held: Sequence[QueryPieces],
) -> list[list[WordMatch]]:
    """Of each passage the words that translate a word of the query, each with the best one, in the passage's order.

    query, texts: as written. asked, held: their pieces. translations: of the query's pieces into each passage's
    language. A match's strength is the product of two shares: of the query word, Σ_q w_q max_t p(t | q) / Σ_q w_q over
    its pieces q and the pieces t of the passage's word; and of the passage's word, the characters of those pieces t
    that translate one of the query word's.
    """
    found: list[list[WordMatch]] = [[] for _ in texts]
    if not texts:
        return found
    links, line = _links(translations, [own.tokens for own in held]), _on_one_line(texts, held)
    if not len(links.places):
        return found
    words, owned = words_of(asked), words_of(line.pieces)
    begins, ends = line.pieces.starts, line.pieces.ends
    ours = np.repeat(np.arange(len(words)), _sizes(words))[links.pieces]
    theirs = np.repeat(np.arange(len(owned)), _sizes(owned))[links.places]
    pairs, _, column = distinct(theirs * len(words) + ours)
    # Of each pair of words and piece of the query's the best probability, and each piece of the passage's once.
    held_by, _, first = distinct(column * len(asked) + links.pieces)
    best = np.zeros(len(held_by))
    np.maximum.at(best, first, links.probabilities)
    said = np.bincount(held_by // len(asked), asked.weights[held_by % len(asked)] * best)
    covered, _ = first_mentions(column * len(begins) + links.places)
    met = np.bincount(covered // len(begins), (ends - begins)[covered % len(begins)])
    theirs, ours = pairs // len(words), pairs % len(words)
    strengths = said / _sums(asked.weights, words)[ours] * met / _sums(ends - begins, owned)[theirs]
    # Of a passage's word the best of the query's, the first of equals.
    order = np.lexsort((ours, -strengths, theirs))
    order = order[strengths[order] >= LEAST]
    order = order[np.diff(theirs[order], prepend=-1) > 0]
    for one, other, strength in zip(
        ours[order].tolist(), theirs[order].tolist(), strengths[order].tolist(), strict=True
    ):
        text, match = _match(query, asked, words[one], texts, line, owned[other], strength)
        found[text].append(match)
    return found


def believed(
    found: Sequence[Sequence[WordMatch]], encode: Callable[[Sequence[str]], FloatArray]
) -> list[list[WordMatch]]:
    """The matches of each passage that vectors bear out: strength + cos(query word, its translation) / 2 ≥ `BELIEVED`,
    or strength ≥ `SURE`. Tables and vectors err on different words, so that few errors are left that both make.

    encode: texts to vectors of length 1, float32 (n, dim).
    """
    doubtful = dict.fromkeys(word for own in found for m in own if m.strength < SURE for word in (m.query, m.word))
    if not doubtful:
        return [list(own) for own in found]
    vectors = dict(zip(doubtful, encode(list(doubtful)), strict=True))

    def is_believed(match: WordMatch) -> bool:
        if match.strength >= SURE:
            return True
        return match.strength + float(vectors[match.query] @ vectors[match.word]) / 2 >= BELIEVED

    return [list(filter(is_believed, own)) for own in found]


def words_of(pieces: QueryPieces) -> list[tuple[int, int]]:
    """The words that pieces spell: ranges of pieces that touch, or each piece where they would be too long."""
    if not len(pieces):
        return []
    apart = np.flatnonzero(pieces.starts[1:] > pieces.ends[:-1]) + 1
    bounds = [0, *apart.tolist(), len(pieces)]
    words: list[tuple[int, int]] = []
    for first, last in pairwise(bounds):
        if pieces.ends[last - 1] - pieces.starts[first] > LONGEST_WORD:
            words += [(at, at + 1) for at in range(first, last)]
        else:
            words.append((first, last))
    return words


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Texts one behind the other, apart. pieces: those of all, by their places there. owners: int64 (m,), the text of
    each. begins: where each text does."""

    pieces: QueryPieces
    owners: IntArray
    begins: list[int]


def _on_one_line(texts: Sequence[str], held: Sequence[QueryPieces]) -> _Line:
    begins = [0, *accumulate(len(text) + 1 for text in texts)][: len(texts)]
    tokens, weights, starts, ends = (
        np.concatenate([getattr(own, name) for own in held]) for name in ("tokens", "weights", "starts", "ends")
    )
    owners = np.repeat(np.arange(len(held)), [len(own) for own in held])
    shift = np.array(begins, dtype=np.int64)[owners]
    return _Line(QueryPieces(tokens, weights, starts + shift, ends + shift), owners, begins)


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """Piece of the query, place of a passage's piece among those of all, probability that the one is translated by the
    other."""

    pieces: IntArray
    places: IntArray
    probabilities: FloatArray


def _links(translations: Sequence[Translations], tokens: Sequence[NDArray[np.int32]]) -> _Links:
    """Passages of one language share its translations and are looked through together."""
    begins = np.cumsum([0, *map(len, tokens)])
    groups: dict[int, list[int]] = {}
    for row, known in enumerate(translations):
        groups.setdefault(id(known), []).append(row)
    found = []
    for rows in groups.values():
        known = translations[rows[0]]
        own = np.concatenate([tokens[row] for row in rows])
        places = np.concatenate([np.arange(begins[row], begins[row + 1]) for row in rows])
        order = np.argsort(own, kind="stable")
        ascending = own[order]
        first = np.searchsorted(ascending, known.tokens, side="left")
        sizes = np.searchsorted(ascending, known.tokens, side="right") - first
        at = np.arange(sizes.sum()) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)
        owners = np.repeat(np.arange(len(known.starts) - 1), np.diff(known.starts))
        found.append((np.repeat(owners, sizes), places[order[at]], np.repeat(known.probabilities, sizes)))
    return _Links(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _sizes(words: Sequence[tuple[int, int]]) -> list[int]:
    return [last - first for first, last in words]


def _match(
    query: str,
    asked: QueryPieces,
    ours: tuple[int, int],
    texts: Sequence[str],
    line: _Line,
    theirs: tuple[int, int],
    strength: float,
) -> tuple[int, WordMatch]:
    """A match of two words, given as ranges of pieces, and the text it is in."""
    text = int(line.owners[theirs[0]])
    start, end = (
        int(place) - line.begins[text] for place in (line.pieces.starts[theirs[0]], line.pieces.ends[theirs[1] - 1])
    )
    asked_word = query[int(asked.starts[ours[0]]) : int(asked.ends[ours[1] - 1])]
    return text, WordMatch(asked_word, texts[text][start:end], start, end, round(strength, 4))


def _sums(values: NDArray[Any], words: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Of each word the sum over its pieces, float64; 1 where that is 0."""
    sums = np.add.reduceat(values.astype(np.float64), [first for first, _ in words])
    return np.where(sums == 0, 1.0, sums)
