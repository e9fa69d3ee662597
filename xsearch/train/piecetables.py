"""Rough translation tables for training itself: model 1 over pairs of pieces, all languages in a few minutes.

What searches gets better ones (`xsearch train align`, word order included). These need only say which pieces may
stand for which, for vectors to start from and sentences to be translated by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsearch.train.bags import Ints
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.recipe import Translated
from xsearch.train.tokenrows import TokenRows
from xsearch.train.translated import PieceTable

ROUNDS = 5
MOST_TOKENS = 36
"""Of a sentence: its first pieces. Longer ones cost with the square of their length."""
SHORT = (4, 6)
"""Pieces left and right up to which a pair counts as one of a dictionary."""
LEAST_PAIRS = 300
LEAST = (0.02, 0.01)
"""Least probability of a translation, and of the piece given its translation."""
MOST_TRANSLATIONS = 8
SMOOTHING = 0.5
"""Added to a piece's count before dividing: rare pieces otherwise collect whatever stands in their sentences (Moore
2004, "Improving IBM word alignment model 1")."""


def piece_tables(
    rows: TokenRows,
    held: NDArray[np.bool_],
    source: int,
    settings: Translated,
    seed: int,
    on_progress: OnProgress = lambda _: None,
) -> dict[int, PieceTable]:
    """A table from the language numbered `source` into each that shares enough rows with it, by language number.

    held: bool (rows,), rows that take no part. A translation's weight is p(right | left) √p(left | right).
    """
    usable = ~held[rows.row_of]
    source_texts = np.flatnonzero((rows.langs == source) & usable)
    tables = {}
    languages = np.unique(rows.langs).tolist()
    for done, lang in enumerate(languages):
        on_progress(Progress("align", done, len(languages)))
        if lang != source:
            rng = np.random.default_rng([seed, lang])
            left, right = _pairs(rows, source_texts, np.flatnonzero((rows.langs == lang) & usable), settings, rng)
            if len(left) >= LEAST_PAIRS:
                tables[lang] = _model1(rows.tokens, *_heads(rows, left), *_heads(rows, right))
    return tables


def _pairs(
    rows: TokenRows, lefts: Ints, rights: Ints, settings: Translated, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Texts of the same row, one of `lefts` for each of `rights`; a random choice where there are more than wanted."""
    left_rows, right_rows = rows.row_of[lefts], rows.row_of[rights]
    first = np.searchsorted(left_rows, right_rows, side="left")
    copies = np.searchsorted(left_rows, right_rows, side="right") - first
    there = copies > 0
    chosen = first[there] + (rng.random(int(there.sum())) * copies[there]).astype(np.int64)
    left, right = lefts[chosen], rights[there]
    (_, a), (_, b) = _heads(rows, left), _heads(rows, right)
    fits = (a > 0) & (b > 0) & (a <= 3 * b + 6) & (b <= 3 * a + 6)
    short = fits & (a <= SHORT[0]) & (b <= SHORT[1])
    parts = ((short, settings.lexicon_pairs), (fits & ~short, settings.pairs))
    kept = np.concatenate([rng.permutation(np.flatnonzero(part))[:most] for part, most in parts])
    return left[kept], right[kept]


def _heads(rows: TokenRows, texts: Ints) -> tuple[Ints, Ints]:
    """Where each text begins, and how many of its pieces are used."""
    begins = rows.offsets[texts]
    return begins, np.minimum(rows.offsets[texts + 1] - begins, MOST_TOKENS)


def _model1(tokens: NDArray[np.int32], left: Ints, left_sizes: Ints, right: Ints, right_sizes: Ints) -> PieceTable:
    """Model 1 from left to right with an empty word (Brown et al. 1993, section 4), pruned both ways.

    Every cell is a right piece with a left piece of its sentence; the cells of one right piece are adjacent.
    """
    vocabulary = int(tokens.max()) + 2
    empty = vocabulary - 1
    across = left_sizes + 1
    cells = right_sizes * across
    pair = np.repeat(np.arange(len(cells)), cells)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(cells) - cells, cells)
    right_place, left_place = np.divmod(place, across[pair])
    to = tokens[right[pair] + right_place].astype(np.int64)
    inside = left_place < left_sizes[pair]
    origin = np.where(inside, tokens[np.minimum(left[pair] + left_place, len(tokens) - 1)].astype(np.int64), empty)
    types, kind = np.unique(origin * vocabulary + to, return_inverse=True)
    groups = np.repeat(across, right_sizes)
    starts = np.cumsum(groups) - groups
    origins, targets = np.divmod(types, vocabulary)
    probabilities = np.ones(len(types), dtype=np.float32)
    for _ in range(ROUNDS):
        shares = probabilities[kind]
        shares /= np.repeat(np.add.reduceat(shares, starts), groups)
        counts = np.bincount(kind, weights=shares, minlength=len(types))
        totals = np.bincount(origins, weights=counts, minlength=vocabulary)
        probabilities = (counts / (totals[origins] + SMOOTHING)).astype(np.float32)
    back = counts / (np.bincount(targets, weights=counts, minlength=vocabulary)[targets] + SMOOTHING)
    kept = np.flatnonzero((origins != empty) & (probabilities > LEAST[0]) & (back > LEAST[1]))
    weights = (probabilities[kept] * np.sqrt(back[kept])).astype(np.float32)
    order = np.lexsort((-weights, origins[kept]))
    kept, weights = kept[order], weights[order]
    rank = np.arange(len(kept)) - np.searchsorted(origins[kept], origins[kept])
    best = rank < MOST_TRANSLATIONS
    return PieceTable(origins[kept][best], targets[kept][best], weights[best])
