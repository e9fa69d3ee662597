"""How good tables are, on rows that they were not learnt from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IntArray, Translations
from xsearch.lang.translation import TranslationTables
from xsearch.train.align.pair import language_pairs
from xsearch.train.align.pairs import SentencePairs
from xsearch.train.align.prepared import Prepared
from xsearch.train.align.recipe import TablesRecipe
from xsearch.train.bags import Bags, concatenate

POOL = 300
LEAST_TOKENS = 4
LEAST_PAIRS = 20


@dataclass(frozen=True)
class Scores:
    """Of one direction. sentences: the share of sentences whose translation is found first in a pool of 300; words:
    the share of single pieces whose likeliest translation is right; None where fewer than twenty could be asked."""

    sentences: float | None
    words: float | None


def score_pair(
    tables: TranslationTables, prepared: Prepared, recipe: TablesRecipe, rows: str, columns: str
) -> tuple[Scores, Scores]:
    """Scores from `rows` into `columns` and back, on rows kept from training. Where those are fewer than a pool holds,
    sentences that were learnt from fill it: small languages would be asked the easier question."""
    held = prepared.held.astype(np.float32)
    pairs = language_pairs(prepared, recipe, rows, columns, held)
    asked = _long(pairs)
    learnt = language_pairs(prepared, recipe, rows, columns, 1 - held)
    others = learnt.take(_long(learnt)[: POOL - len(asked)])
    there = _score(tables, pairs, asked, others.right, rows, columns)
    return there, _score(tables, _turned(pairs), asked, others.left, columns, rows)


def _turned(pairs: SentencePairs) -> SentencePairs:
    return SentencePairs(pairs.right, pairs.left, pairs.weights, pairs.rows)


def _long(pairs: SentencePairs) -> IntArray:
    """The numbers of up to 300 pairs long enough to be told apart, at random, one of a row."""
    rng = np.random.default_rng(1)
    long = rng.permutation(np.flatnonzero((pairs.left.sizes >= LEAST_TOKENS) & (pairs.right.sizes >= LEAST_TOKENS)))
    _, one_a_row = np.unique(pairs.rows[long], return_index=True)
    # In the order they were drawn in: by row, the first files would be asked alone.
    found: IntArray = long[np.sort(one_a_row)][:POOL]
    return found


def _score(
    tables: TranslationTables, pairs: SentencePairs, asked: IntArray, others: Bags, source: str, target: str
) -> Scores:
    sentences = None
    if len(asked) >= LEAST_PAIRS:
        pool = concatenate([pairs.right.select(asked), others])
        scores = match_scores(tables, pairs.left.select(asked), pool, source, target)
        # The same sentence may stand in several rows: its copy is as right as itself.
        sentences = float((scores.max(axis=1) <= scores.diagonal() + 1e-5).mean())
    return Scores(sentences, _word_precision(tables, pairs, source, target))


def match_scores(tables: TranslationTables, queries: Bags, texts: Bags, source: str, target: str) -> FloatArray:
    """Every query against every text, float32 (queries, texts): the sum over a query's pieces of idf times the
    probability that a text holds its translation, min(1, Σ_t p(t | piece) [t in text]), where the idf is that of the
    expected number of texts (Darwish and Oard 2003, equations 3 and 4, without term frequencies)."""
    pieces, places = np.unique(queries.tokens, return_inverse=True)
    found = tables.translate(pieces, source, [target])[target]
    held, columns = np.unique(texts.tokens, return_inverse=True)
    presence = np.zeros((len(held), len(texts)), dtype=np.float32)
    presence[columns, texts.owners] = 1
    matches = np.minimum(_probabilities(found, held) @ presence, np.float32(1))
    idf = np.log1p(len(texts) / np.maximum(matches.sum(axis=1), 0.5))
    asked = np.zeros((len(queries), len(pieces)), dtype=np.float32)
    asked[queries.owners, places] = 1
    scores: FloatArray = asked @ (matches * idf[:, None].astype(np.float32))
    return scores


def _probabilities(found: Translations, held: IntArray) -> FloatArray:
    """p(held piece | query piece), float32 (query pieces, held pieces)."""
    matrix = np.zeros((len(found.starts) - 1, len(held)), dtype=np.float32)
    owners = np.repeat(np.arange(len(matrix)), np.diff(found.starts))
    columns = np.minimum(np.searchsorted(held, found.tokens), len(held) - 1)
    there = held[columns] == found.tokens
    matrix[owners[there], columns[there]] = found.probabilities[there]
    return matrix


def _word_precision(tables: TranslationTables, pairs: SentencePairs, source: str, target: str) -> float | None:
    """Of entries that are one piece on both sides and differ: is the likeliest translation one that the rows give?"""
    single = np.flatnonzero((pairs.left.sizes == 1) & (pairs.right.sizes == 1))
    asked = pairs.left.tokens[pairs.left.starts[single]]
    right = pairs.right.tokens[pairs.right.starts[single]]
    asked, right = asked[asked != right], right[asked != right]
    words = np.unique(asked)
    if len(words) < LEAST_PAIRS:
        return None
    found = tables.translate(words, source, [target])[target]
    best: NDArray[np.int64] = found.tokens[found.starts[:-1]].astype(np.int64)
    given = set(zip(asked.tolist(), right.tolist(), strict=True))
    return float(np.mean([pair in given for pair in zip(words.tolist(), best.tolist(), strict=True)]))
