"""Training a static encoder from parallel text: `xsearch train static`.

Rows are read, a vocabulary is learnt, every text is tokenised once, and vectors and weights are fitted by Adagrad to
pairs of texts that mean the same. The result is coded in few bits and written with its card.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import EncoderCard, SourceNote, StaticEncoder, write_card
from xsearch.encode.codes import CodedRows, encode_rows, fit_levels
from xsearch.encode.static import fingerprint, save_static
from xsearch.encode.subwords import Subwords
from xsearch.encode.unigram import Pieces
from xsearch.train.heldout import heldout_accuracy
from xsearch.train.model import StaticModel, Trainer
from xsearch.train.recipe import StaticRecipe
from xsearch.train.rows import ParallelText, read_excluded, read_parallel
from xsearch.train.sampling import PairSampler
from xsearch.train.tokenrows import TokenRows, tokenise_rows
from xsearch.train.vocabulary import learn_pieces, sample_texts

REPORT_EVERY = 50
REMEMBERED = 5_000_000


@dataclass(frozen=True)
class Progress:
    """Where training is. stage: "read", "vocabulary", "tokenise" or "train". loss, pairs: means over the last steps,
    of `stage` "train" only."""

    stage: str
    done: int
    total: int
    loss: float = 0.0
    pairs: float = 0.0


OnProgress = Callable[[Progress], None]


def train_static(
    recipe: StaticRecipe, data: Path, out: Path, on_progress: OnProgress = lambda _: None, seed: int | None = None
) -> EncoderCard:
    """Train what `recipe` describes from the files of `data`; write `out/NAME.toml` and `out/NAME/`. Returns the card.

    The same recipe, data, seed (None: the recipe's) and versions of numpy and tokenizers give the same files. Reads
    all text into memory (six times the size of the uncompressed files at the peak). Raises `BadInput` for data that
    cannot be used.
    """
    rng = np.random.default_rng(recipe.seed if seed is None else seed)
    on_progress(Progress("read", 0, 1))
    excluded = read_excluded([path for glob in recipe.exclude for path in sorted(data.glob(glob))])
    parallel = read_parallel(data, recipe.sources, excluded)
    if not len(parallel.rows):
        raise BadInput("no row has texts in two languages", str(data))
    on_progress(Progress("vocabulary", 0, 1))
    pieces = learn_pieces(sample_texts(parallel, recipe.vocabulary, rng), recipe.vocabulary.size)
    model, heldout = _fit(recipe, parallel, pieces, rng, on_progress)
    table = code_vectors(model, recipe.levels)
    card = EncoderCard(
        name=recipe.name,
        kind="static",
        dim=recipe.objective.dim,
        vocabulary=len(pieces),
        window=recipe.window,
        licence=recipe.licence,
        fingerprint=fingerprint(pieces, table, recipe.window),
        files=recipe.name,
        description=recipe.description,
        recipe=recipe.name,
        languages={},
        sources=source_notes(data, parallel.files, recipe),
    )
    encoder = StaticEncoder(card, pieces, table)
    return card
