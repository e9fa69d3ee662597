"""From parallel text to the tables that ship: prepare, align every pair of languages, write, score."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from xsearch.core import BadInput, IntArray
from xsearch.encode import StaticEncoder
from xsearch.encode.card import write_toml
from xsearch.lang.translation import TranslationTables
from xsearch.lang.translation_file import SUFFIX, write_tables
from xsearch.train.align.card import TablesCard
from xsearch.train.align.further import BaseTables, completed, found_languages, joined, on_top_of, read_base
from xsearch.train.align.pair import align_pair, read_pair
from xsearch.train.align.prepared import Prepared, prepare
from xsearch.train.align.pruning import JointCounts, pair_table
from xsearch.train.align.recipe import TablesRecipe
from xsearch.train.align.scoring import Scores, score_pair
from xsearch.train.align.stored import Pair
from xsearch.train.heldout import assumed
from xsearch.train.static import source_notes

OnProgress = Callable[[str, int, int], None]


def train_tables(
    recipe: TablesRecipe,
    encoder: StaticEncoder,
    data: Path,
    out: Path,
    workers: int = 1,
    on_progress: OnProgress = lambda *_: None,
) -> TablesCard:
    """Learn what `recipe` describes from the files of `data`, in pieces of `encoder`; write ``out/NAME.toml`` and
    ``out/NAME.tables``. Returns the card.

    The folder ``out/NAME.work`` holds prepared text and finished pairs until all is done: a run that was interrupted
    goes on from there. With more than one worker, pairs are aligned in processes. The same input gives the same file.
    on_progress gets a stage ("read", "tokenise", "align", "score"), how much is done, and of how much. Raises
    `BadInput` for data that cannot be used, and where the recipe builds on tables, as `read_base`.
    """
    work = out / f"{recipe.name}.work"
    path = out / f"{recipe.name}{SUFFIX}"
    base = read_base(recipe.base, encoder, path) if recipe.base else None
    recipe = completed(recipe, base.card, data) if base else recipe
    prepared = prepare(recipe, encoder, data, work, on_progress)
    recipe = found_languages(recipe, prepared, base) if base else recipe
    sizes = dict(_align_all(recipe, work, workers, on_progress))
    own = {pair: table for pair in recipe.pairs() if len(table := read_pair(work, *pair))}
    if not own:
        raise BadInput(f"no pair of languages has {recipe.least_pairs} sentence pairs", str(data))
    joint = joined(base, own, sizes, recipe.pruning) if base else own
    scores = _write_scored(path, joint, base, sizes, encoder, prepared, recipe, on_progress)
    tables = TranslationTables.open(path)
    card = TablesCard(
        name=recipe.name,
        kind="tables",
        licence=recipe.licence,
        fingerprint=tables.fingerprint,
        pieces=tables.vocabulary,
        encoder=encoder.card.name,
        files=path.name,
        bytes=path.stat().st_size,
        description=recipe.description,
        recipe=recipe.name,
        scores={
            "there": _mean(s.sentences for s, _ in scores.values()),
            "back": _mean(s.sentences for _, s in scores.values()),
        },
        there=_told(scores, lambda both: both[0].sentences),
        back=_told(scores, lambda both: both[1].sentences),
        word_there=_told(scores, lambda both: both[0].words),
        word_back=_told(scores, lambda both: both[1].words),
        sentence_pairs={_name(pair): sizes[pair] for pair in own},
        entries={_name(pair): len(table) for pair, table in joint.items()},
        sources=source_notes(data, prepared.contents.files, recipe.sources),
    )
    card = on_top_of(base.card, card) if base else card
    write_toml(card, out / f"{recipe.name}.toml")
    shutil.rmtree(work)
    return card


def _align_all(recipe: TablesRecipe, work: Path, workers: int, on_progress: OnProgress) -> Iterator[tuple[Pair, int]]:
    """Every pair and from how many sentence pairs it was learnt, as they are done."""
    pairs = recipe.pairs()
    on_progress("align", 0, len(pairs))
    if workers < 2:
        for done, pair in enumerate(pairs, 1):
            yield pair, align_pair(work, recipe, *pair)
            on_progress("align", done, len(pairs))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(align_pair, work, recipe, *pair): pair for pair in pairs}
        for done, future in enumerate(as_completed(futures), 1):
            yield futures[future], future.result()
            on_progress("align", done, len(pairs))


def _write_scored(
    path: Path,
    joint: dict[Pair, JointCounts],
    base: BaseTables | None,
    sizes: Mapping[Pair, int],
    encoder: StaticEncoder,
    prepared: Prepared,
    recipe: TablesRecipe,
    on_progress: OnProgress,
) -> dict[Pair, tuple[Scores, Scores]]:
    """Write the file twice: without scores, to measure what will be used, and with them. Those of the base stay: they
    were measured on more kinds of text. What could not be measured is `assumed` from tables learnt from as many of
    `sizes` sentence pairs."""
    languages = vocabularies(joint)
    tables = [pair_table(joint[a, b], a, b, languages[a], languages[b]) for a, b in joint]
    write_tables(path, encoder.card.vocabulary, encoder.vocabulary, languages, tables)
    opened = TranslationTables.open(path)
    asked = [pair for pair in joint if pair in recipe.pairs()]
    scores = {}
    for done, pair in enumerate(asked, 1):
        scores[pair] = score_pair(opened, prepared, recipe, *pair)
        on_progress("score", done, len(asked))
    told = {pair: (there.sentences, back.sentences) for pair, (there, back) in scores.items()}
    if base:
        told |= {pair: base.scores[pair] for pair in base.scores if _name(pair) in base.card.there}
        sizes = {pair: base.card.sentence_pairs.get(_name(pair), 0) for pair in told} | dict(sizes)
    measured = [(sizes[pair], score) for pair, both in told.items() for score in both if score is not None]
    used = dict(base.scores) if base else {}
    for pair in scores.keys() - used.keys():
        there, back = (_used(score, sizes[pair], measured, recipe.floor) for score in told[pair])
        used[pair] = there, back
    both = [used[table.rows, table.columns] for table in tables]
    rated = [replace(table, there=there, back=back) for table, (there, back) in zip(tables, both, strict=True)]
    write_tables(path, encoder.card.vocabulary, encoder.vocabulary, languages, rated)
    return scores


def _used(score: float | None, size: int, measured: Sequence[tuple[int, float]], floor: float) -> float:
    """A table's score as the file tells it: 0, not supported, below the floor."""
    if score is None:
        score = assumed(size, *zip(*measured, strict=True)) if measured else 0.0
    return score if score >= floor else 0.0


def vocabularies(joint: dict[Pair, JointCounts]) -> dict[str, IntArray]:
    """The pieces of every language that its tables hold, ascending."""
    found: dict[str, list[IntArray]] = {}
    for (rows, columns), table in joint.items():
        found.setdefault(rows, []).append(table.left)
        found.setdefault(columns, []).append(table.right)
    return {code: np.unique(np.concatenate(parts)) for code, parts in found.items()}


def _told(
    scores: dict[Pair, tuple[Scores, Scores]], value: Callable[[tuple[Scores, Scores]], float | None]
) -> dict[str, float]:
    told = {_name(pair): value(both) for pair, both in scores.items()}
    return {name: round(score, 3) for name, score in told.items() if score is not None}


def _mean(values: Iterator[float | None]) -> float:
    measured = [value for value in values if value is not None]
    return round(float(np.mean(measured)), 4) if measured else 0.0


def _name(pair: Pair) -> str:
    return "-".join(pair)
