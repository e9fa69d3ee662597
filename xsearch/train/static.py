"""Training a static encoder from parallel text: `xsearch train static`.

Rows are read, a vocabulary is learnt, every text is tokenised once, and vectors and weights are fitted to pairs of
texts that mean the same. The result is coded in few bits and written with its card.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.encode import EncoderCard, SourceNote, write_card
from xsearch.encode.codes import CodedRows, code_rows
from xsearch.encode.static import fingerprint, save_static
from xsearch.encode.subwords import Subwords
from xsearch.train.heldout import heldout_accuracy, hold_out
from xsearch.train.model import StaticModel, Trainer
from xsearch.train.recipe import Source, StaticRecipe
from xsearch.train.rows import ParallelText, excluded_files, read_excluded, read_parallel
from xsearch.train.sampling import PairSampler
from xsearch.train.tokenrows import TokenRows, tokenise_rows
from xsearch.train.vocabulary import learn_pieces, sample_texts

REPORT_EVERY = 50
REMEMBERED = 5_000_000


@dataclass(frozen=True)
class Progress:
    """Where training is. stage: "read", "vocabulary", "tokenise" or "train"; done of total texts or steps. loss and
    pairs_per_second: of the last steps, while training."""

    stage: str
    done: int = 0
    total: int = 1
    loss: float = 0.0
    pairs_per_second: float = 0.0


OnProgress = Callable[[Progress], None]


def train_static(
    recipe: StaticRecipe, data: Path, out: Path, on_progress: OnProgress = lambda _: None, seed: int | None = None
) -> EncoderCard:
    """Train what `recipe` describes from the files of `data`; write `out/NAME.toml` and `out/NAME/`. Returns the card.

    The same recipe, data and seed (None: the recipe's) give the same encoder on the same machine and library versions.
    All text is held in memory. Raises `BadInput` for data that cannot be used.
    """
    seed = recipe.seed if seed is None else seed
    on_progress(Progress("read"))
    parallel = read_parallel(data, recipe.sources, read_excluded(excluded_files(recipe.exclude, data)))
    if not len(parallel.rows):
        raise BadInput("no row has texts in two languages", str(data))
    on_progress(Progress("vocabulary"))
    texts = sample_texts(parallel, recipe.vocabulary, np.random.default_rng(seed))
    pieces = learn_pieces(texts, recipe.vocabulary.size)
    tables = _tokenise(parallel, Subwords(pieces, remembered=REMEMBERED), on_progress)
    rng = np.random.default_rng(seed)
    held = hold_out(tables[0], rng)
    model = _fit(recipe, tables, parallel, held, len(pieces), rng, on_progress)
    table = code_vectors(model, recipe.group, seed)
    accuracy = heldout_accuracy(model, tables[0], held, parallel.languages.get("en", -1))
    names = list(parallel.languages)
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
        languages={names[lang]: round(score, 3) for lang, score in sorted(accuracy.items(), key=lambda i: names[i[0]])},
        recipe=recipe.name,
        sources=source_notes(data, parallel.files, recipe.sources),
    )
    save_static(out / recipe.name, pieces, table)
    write_card(card, out / f"{recipe.name}.toml")
    return card


def code_vectors(model: StaticModel, group: int, seed: int) -> CodedRows:
    """The model's weighted vectors in codes of `group` numbers a byte."""
    return code_rows(model.vectors * model.weights()[:, None], group, np.random.default_rng(seed))


def source_notes(data: Path, files: list[str], sources: tuple[Source, ...]) -> tuple[SourceNote, ...]:
    """A note for every file: licence and origin from `data/sources.json` (a list of objects with `file`, `licence`,
    `origin`) where it is there, else the licence that `sources` states."""
    path = data / "sources.json"
    listed = {entry["file"]: entry for entry in msgspec.json.decode(path.read_bytes())} if path.is_file() else {}
    stated = {file: source.licence for source in reversed(sources) for file in files if Path(file).match(source.files)}
    return tuple(
        SourceNote(
            name=file,
            licence=listed.get(file, {}).get("licence") or stated.get(file) or "not stated",
            origin=listed.get(file, {}).get("origin", ""),
        )
        for file in files
    )


def _tokenise(
    parallel: ParallelText, subwords: Subwords, on_progress: OnProgress
) -> tuple[TokenRows, TokenRows, TokenRows]:
    def report(done: int, total: int) -> None:
        on_progress(Progress("tokenise", done, total))

    return (
        tokenise_rows(parallel.rows, subwords, report),
        tokenise_rows(parallel.titles, subwords),
        tokenise_rows(parallel.bodies, subwords),
    )


def _fit(
    recipe: StaticRecipe,
    tables: tuple[TokenRows, TokenRows, TokenRows],
    parallel: ParallelText,
    held: NDArray[np.bool_],
    vocabulary: int,
    rng: np.random.Generator,
    on_progress: OnProgress,
) -> StaticModel:
    """A model after all steps of all cycles."""
    objective = recipe.objective
    sampler = PairSampler(*tables, recipe.sources, recipe.sampling, parallel.count_by_language(), held)
    counts = np.sum([np.bincount(table.tokens, minlength=vocabulary) for table in tables], axis=0)
    model = StaticModel.initial(counts, objective.dim, rng)
    meter = _Meter(sum(cycle.steps for cycle in objective.cycles), on_progress)
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for cycle in objective.cycles:
            trainer = Trainer(model, objective, executor)
            for step in range(cycle.steps):
                batch = sampler.draw(objective.batch, rng)
                meter.add(trainer.step(batch, cycle.rate(step)), len(batch))
            rng = rng.spawn(1)[0]
    return model


class _Meter:
    """Reports mean loss and pairs a second every few steps."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total, self._on_progress = total, on_progress
        self._done = 0
        self._restart()

    def add(self, loss: float, pairs: int) -> None:
        self._done += 1
        self._losses.append(loss)
        self._pairs += pairs
        if len(self._losses) == REPORT_EVERY or self._done == self._total:
            elapsed = time.perf_counter() - self._since
            mean = sum(self._losses) / len(self._losses)
            self._on_progress(Progress("train", self._done, self._total, mean, self._pairs / elapsed))
            self._restart()

    def _restart(self) -> None:
        self._losses: list[float] = []
        self._pairs = 0
        self._since = time.perf_counter()
