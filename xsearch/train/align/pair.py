"""One pair of languages: its sentences drawn, aligned, and the table pruned. What a worker process does."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.train.align.expectation import expected_counts
from xsearch.train.align.pairs import SentencePairs, build_corpus, sentence_pairs
from xsearch.train.align.prepared import Prepared, open_prepared
from xsearch.train.align.pruning import JointCounts, pruned
from xsearch.train.align.recipe import TablesRecipe

NOTHING = JointCounts(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


def align_pair(folder: Path, recipe: TablesRecipe, rows: str, columns: str) -> int:
    """Write the table of two languages beside the prepared text in `folder`, unless it stands there. Returns how many
    sentence pairs it was learnt from; a pair with fewer than the recipe's `least_pairs` gets an empty table."""
    path = table_path(folder, rows, columns)
    if not path.is_file():
        prepared = open_prepared(folder)
        pairs = training_pairs(prepared, recipe, rows, columns)
        enough = len(pairs) >= recipe.least_pairs
        table = pruned(_aligned(pairs, recipe), recipe.pruning) if enough else NOTHING
        beside = path.with_suffix(".new.npz")
        np.savez(beside, left=table.left, right=table.right, counts=table.counts, pairs=len(pairs))
        os.replace(beside, path)
    with np.load(path) as saved:
        return int(saved["pairs"])


def read_pair(folder: Path, rows: str, columns: str) -> JointCounts:
    """The table that `align_pair` has written."""
    with np.load(table_path(folder, rows, columns)) as saved:
        return JointCounts(saved["left"], saved["right"], saved["counts"])


def table_path(folder: Path, rows: str, columns: str) -> Path:
    """Where the table of a pair stands."""
    return folder / f"{rows}-{columns}.npz"


def training_pairs(prepared: Prepared, recipe: TablesRecipe, rows: str, columns: str) -> SentencePairs:
    """The sentence pairs of two languages that may be learnt from: the shortest, as many as the recipe's `most_cells`
    allows. A short pair costs least and leaves least in doubt; entries of dictionaries are always among them."""
    weights = np.array([source.weight for source in recipe.sources], dtype=np.float32)[prepared.table.sources]
    weights[prepared.held] = 0
    pairs = language_pairs(prepared, recipe, rows, columns, weights)
    rng = np.random.default_rng([recipe.seed, *rows.encode(), *columns.encode()])
    order = np.lexsort((rng.random(len(pairs)), np.maximum(pairs.left.sizes, pairs.right.sizes)))
    cells = np.cumsum(pairs.left.sizes[order] * pairs.right.sizes[order])
    return pairs.take(np.sort(order[cells <= recipe.alignment.most_cells]))


def language_pairs(
    prepared: Prepared, recipe: TablesRecipe, rows: str, columns: str, row_weights: FloatArray
) -> SentencePairs:
    """All sentence pairs of two languages in rows of positive weight."""
    left, right = (np.array(prepared.contents.languages.get(code, []), dtype=np.int64) for code in (rows, columns))
    return sentence_pairs(prepared.table, left, right, row_weights, recipe.alignment.most_tokens)


def _aligned(pairs: SentencePairs, recipe: TablesRecipe) -> JointCounts:
    corpus = build_corpus(pairs)
    counts = expected_counts(corpus, recipe.alignment)
    met = np.flatnonzero(counts > 0)
    left: IntArray = corpus.left_pieces[corpus.pair_left[met]]
    return JointCounts(left, corpus.right_pieces[corpus.pair_right[met]], counts[met].astype(np.float32))
