"""Which word of a passage a word of the query met through translations: what a reader can check a hit by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, QueryPieces, Translations, WordMatch

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
    query: str, asked: QueryPieces, translations: Translations, text: str, held: QueryPieces
) -> list[WordMatch]:
    """The words of a passage that translate a word of the query, each with the best one, in the passage's order.

    query, text: as written. asked, held: their pieces. A match's strength is the product of two shares: of the query
    word, Σ_q w_q max_t p(t | q) / Σ_q w_q over its pieces q and the pieces t of the passage's word; and of the
    passage's word, the characters of those pieces t that translate one of the query word's.
    """
    links = _links(translations, held.tokens)
    if not len(links.places):
        return []
    words, owned = words_of(asked), words_of(held)
    word_of_query = np.repeat(np.arange(len(words)), _sizes(words))
    word_of_text = np.repeat(np.arange(len(owned)), _sizes(owned))
    # Few numbers, many small sums: Python's are sooner than NumPy's.
    weights, lengths = asked.weights.tolist(), (held.ends - held.starts).tolist()
    best: dict[tuple[int, int], dict[int, float]] = {}
    covered: dict[tuple[int, int], set[int]] = {}
    pairs = zip(word_of_text[links.places].tolist(), word_of_query[links.pieces].tolist(), strict=True)
    for pair, piece, place, probability in zip(
        pairs, links.pieces.tolist(), links.places.tolist(), links.probabilities.tolist(), strict=True
    ):
        of_pieces = best.setdefault(pair, {})
        of_pieces[piece] = max(of_pieces.get(piece, 0.0), probability)
        covered.setdefault(pair, set()).add(place)
    found: dict[int, tuple[float, int]] = {}
    for (theirs, ours), of_pieces in sorted(best.items()):
        first, last = words[ours]
        total = sum(weights[first:last]) or 1.0
        said = sum(weights[piece] * value for piece, value in of_pieces.items()) / total
        first, last = owned[theirs]
        strength = said * sum(lengths[place] for place in covered[theirs, ours]) / sum(lengths[first:last])
        if strength >= LEAST and strength > found.get(theirs, (0.0, 0))[0]:
            found[theirs] = strength, ours
    return [
        _match(query, asked, words[ours], text, held, owned[theirs], strength)
        for theirs, (strength, ours) in sorted(found.items())
    ]


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
class _Links:
    """Piece of the query, place of a passage's piece, probability that the one is translated by the other."""

    pieces: IntArray
    places: IntArray
    probabilities: FloatArray


def _links(translations: Translations, tokens: NDArray[np.int32]) -> _Links:
    owners = np.repeat(np.arange(len(translations.starts) - 1), np.diff(translations.starts))
    order = np.argsort(tokens, kind="stable")
    first = np.searchsorted(tokens[order], translations.tokens, side="left")
    sizes = np.searchsorted(tokens[order], translations.tokens, side="right") - first
    at = np.arange(sizes.sum()) + np.repeat(first - np.cumsum(sizes) + sizes, sizes)
    return _Links(np.repeat(owners, sizes), order[at], np.repeat(translations.probabilities, sizes))


def _sizes(words: Sequence[tuple[int, int]]) -> list[int]:
    return [last - first for first, last in words]


def _match(
    query: str,
    asked: QueryPieces,
    ours: tuple[int, int],
    text: str,
    held: QueryPieces,
    theirs: tuple[int, int],
    strength: float,
) -> WordMatch:
    start, end = int(held.starts[theirs[0]]), int(held.ends[theirs[1] - 1])
    asked_word = query[int(asked.starts[ours[0]]) : int(asked.ends[ours[1] - 1])]
    return WordMatch(asked_word, text[start:end], start, end, round(strength, 4))
