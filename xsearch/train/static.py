"""Training a static encoder from parallel text: `xsearch train static`.

Rows are read, a vocabulary is learnt, every text is tokenised once, and vectors and weights are fitted to pairs of
texts that mean the same. The result is coded in few bits and written with its card.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.encode import EncoderCard, SourceNote, write_card
from xsearch.encode.codes import CodedRows, code_rows
from xsearch.encode.static import fingerprint, save_static
from xsearch.train.fitting import Sampler, fit
from xsearch.train.heldout import heldout_accuracy, hold_out
from xsearch.train.model import StaticModel
from xsearch.train.piecetables import piece_tables
from xsearch.train.preparation import Prepared, prepare
from xsearch.train.progress import OnProgress
from xsearch.train.recipe import Source, StaticRecipe
from xsearch.train.sampling import PairSampler
from xsearch.train.start import aligned_start
from xsearch.train.translated import TranslatingSampler, Translator


def train_static(
    recipe: StaticRecipe, data: Path, out: Path, on_progress: OnProgress = lambda _: None, seed: int | None = None
) -> EncoderCard:
    """Train what `recipe` describes from the files of `data`; write `out/NAME.toml` and `out/NAME/`. Returns the card.

    The same recipe, data and seed (None: the recipe's) give the same encoder on the same machine and library versions.
    A run that was cut short goes on from what it left in `out/NAME.work`, which is removed in the end. All text is
    held in memory. Raises `BadInput` for data that cannot be used.
    """
    seed = recipe.seed if seed is None else seed
    work = out / f"{recipe.name}.work"
    prepared = prepare(recipe, data, seed, work, on_progress)
    held = hold_out(prepared.rows, np.random.default_rng(seed))
    model = _fit(recipe, prepared, held, seed, work, on_progress)
    table = code_vectors(model, recipe.group, seed)
    names = prepared.languages
    english = names.index("en") if "en" in names else -1
    accuracy = heldout_accuracy(model, prepared.rows, held, english)
    card = EncoderCard(
        name=recipe.name,
        kind="static",
        dim=recipe.objective.dim,
        vocabulary=len(prepared.pieces),
        window=recipe.window,
        licence=recipe.licence,
        fingerprint=fingerprint(prepared.pieces, table, recipe.window),
        files=recipe.name,
        description=recipe.description,
        languages={names[lang]: round(score, 3) for lang, score in sorted(accuracy.items(), key=lambda i: names[i[0]])},
        recipe=recipe.name,
        sources=source_notes(data, prepared.files, recipe.sources),
    )
    save_static(out / recipe.name, prepared.pieces, table)
    write_card(card, out / f"{recipe.name}.toml")
    shutil.rmtree(work)
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


def _fit(
    recipe: StaticRecipe, prepared: Prepared, held: NDArray[np.bool_], seed: int, work: Path, on_progress: OnProgress
) -> StaticModel:
    """A model after all steps, from vectors that translation tables have aligned if the recipe translates."""
    rng = np.random.default_rng(seed)
    sampler: Sampler
    sampler = pairs = PairSampler(
        prepared.rows, prepared.titles, prepared.bodies, recipe.sources, recipe.sampling, prepared.language_counts, held
    )
    dim, counts = recipe.objective.dim, prepared.counts
    if recipe.translated is None:
        model = StaticModel.initial(counts, dim, rng)
    else:
        if recipe.translated.source not in prepared.languages:
            raise BadInput(f"no text is in '{recipe.translated.source}', which `translated.source` names", recipe.name)
        source = prepared.languages.index(recipe.translated.source)
        tables = piece_tables(prepared.rows, held, source, recipe.translated, seed, on_progress)
        sampler = TranslatingSampler(pairs, Translator(tables, len(prepared.pieces)), source, recipe.translated)
        model = aligned_start(counts, dim, tables.values(), rng)
    return fit(model, sampler, recipe.objective, seed, on_progress, work / "state.npz")
