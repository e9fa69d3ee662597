"""Training a static encoder from parallel text: `xsearch train static`.

Rows are read, a vocabulary is learnt, every text is tokenised once, and vectors and weights are fitted to pairs of
texts that mean the same. The result is coded in few bits and written with its card.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.encode import EncoderCard, SourceNote, write_card
from xsearch.encode.codes import CodedRows, code_rows
from xsearch.encode.static import fingerprint, save_static
from xsearch.train.fitting import Saved, fit
from xsearch.train.further import completed, fit_further, known_encoder, on_top_of
from xsearch.train.heldout import hold_out, language_accuracy, unmeasured
from xsearch.train.model import StaticModel
from xsearch.train.piecetables import piece_tables
from xsearch.train.preparation import Prepared, prepare
from xsearch.train.progress import OnProgress
from xsearch.train.recipe import Source, StaticRecipe
from xsearch.train.samplers import recipe_sampler
from xsearch.train.start import aligned_start


def train_static(
    recipe: StaticRecipe, data: Path, out: Path, on_progress: OnProgress = lambda _: None, seed: int | None = None
) -> EncoderCard:
    """Train what `recipe` describes from the files of `data`; write `out/NAME.toml` and `out/NAME/`. Returns the card.

    The same recipe, data and seed (None: the recipe's) give the same encoder on the same machine and library versions.
    A run that was cut short goes on from what it left in `out/NAME.work`, which is removed in the end. All text is
    held in memory. Raises `BadInput` for data that cannot be used, and what `known_encoder` raises.
    """
    seed = recipe.seed if seed is None else seed
    work = out / f"{recipe.name}.work"
    base = known_encoder(recipe.further, out / f"{recipe.name}.toml") if recipe.further else None
    recipe = completed(recipe, base, data) if base else recipe
    prepared = prepare(recipe, data, seed, work, on_progress, base)
    held = hold_out(prepared.rows, np.random.default_rng(seed))
    saved = Saved(work / "state.npz", _key(recipe, prepared, seed))
    if base is None:
        model = _fit(recipe, prepared, held, seed, saved, on_progress)
        table = code_vectors(model, recipe.group, seed)
        scores: dict[str, float] = {}
    else:
        model, table, scores = fit_further(recipe, base, prepared, held, seed, saved, on_progress)
    measured = language_accuracy(model, prepared.rows, held, prepared.languages)
    others = unmeasured(measured, prepared.rows, prepared.languages)
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
        unmeasured=tuple(others),
        languages=dict(sorted((measured | others).items())),
        scores=scores,
        recipe=recipe.name,
        sources=source_notes(data, prepared.files, recipe.sources),
    )
    card = on_top_of(base, card, recipe) if base else card
    save_static(out / recipe.name, prepared.pieces, table)
    write_card(card, out / f"{recipe.name}.toml")
    shutil.rmtree(work)
    return card


def _key(recipe: StaticRecipe, prepared: Prepared, seed: int) -> str:
    settings = msgspec.json.encode([msgspec.to_builtins(recipe), prepared.key, seed])
    return hashlib.blake2b(settings, digest_size=16).hexdigest()


def code_vectors(model: StaticModel, group: int, seed: int) -> CodedRows:
    """The model's weighted vectors in codes of `group` numbers a byte."""
    return code_rows(model.rows(), group, np.random.default_rng(seed))


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
    recipe: StaticRecipe,
    prepared: Prepared,
    held: NDArray[np.bool_],
    seed: int,
    saved: Saved,
    on_progress: OnProgress,
) -> StaticModel:
    """A model after all steps, from vectors that translation tables have aligned if the recipe translates."""
    rng = np.random.default_rng(seed)
    dim, counts = recipe.objective.dim, prepared.counts
    if recipe.translated is None:
        model = StaticModel.initial(counts, dim, rng)
        return fit(model, recipe_sampler(recipe, prepared, held, {}, 0), recipe.objective, seed, on_progress, saved)
    if recipe.translated.source not in prepared.languages:
        raise BadInput(f"no text is in '{recipe.translated.source}', which `translated.source` names", recipe.name)
    source = prepared.languages.index(recipe.translated.source)
    tables = piece_tables(prepared.rows, held, source, recipe.translated, seed, on_progress)
    model = aligned_start(counts, dim, tables.values(), rng)
    sampler = recipe_sampler(recipe, prepared, held, tables, source)
    return fit(model, sampler, recipe.objective, seed, on_progress, saved)
