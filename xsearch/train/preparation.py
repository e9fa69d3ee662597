"""What comes before the first step: text read, vocabulary learnt, everything tokenised and pieces aligned. Kept in a
folder, so that a run that was cut short need not do it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.encode import StaticEncoder
from xsearch.encode.subwords import Subwords
from xsearch.lang import normalize_code
from xsearch.train.extension import extended
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.recipe import StaticRecipe
from xsearch.train.romanised import add_romanised
from xsearch.train.rows import ParallelText, Texts, excluded_files, file_stats, read_excluded, read_parallel
from xsearch.train.tokenrows import TokenRows, tokenise_rows
from xsearch.train.vocabulary import learn_pieces, sample_texts

REMEMBERED = 5_000_000
"""Words whose segmentation is remembered while all text is tokenised: about all there are."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data ready to be sampled. pieces: (piece, log probability). languages: their names by number. files: read, in
    order. language_counts: int64, texts of rows in each. rows, titles, bodies: tokenised. key: a digest of what all of
    that depends on, "" where it is not kept."""

    pieces: list[tuple[str, float]]
    languages: list[str]
    files: list[str]
    language_counts: NDArray[np.int64]
    rows: TokenRows
    titles: TokenRows
    bodies: TokenRows
    key: str = ""

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each piece occurs."""
        tables = (self.rows, self.titles, self.bodies)
        counts: NDArray[np.int64] = np.sum(
            [np.bincount(table.tokens, minlength=len(self.pieces)) for table in tables], axis=0
        )
        return counts


def prepare(
    recipe: StaticRecipe,
    data: Path,
    seed: int,
    work: Path,
    on_progress: OnProgress,
    base: StaticEncoder | None = None,
) -> Prepared:
    """Prepare `data` as `recipe` says, or read what an earlier run with the same recipe, files and seed left in `work`.

    base: the encoder whose pieces the text is cut into, and some more of its new words; None learns pieces. Raises
    `BadInput` for data that cannot be used.
    """
    on_progress(Progress("read"))
    key = _key(recipe, data, seed, base.vocabulary if base else "")
    note = work / "prepared.json"
    if note.is_file() and (kept := json.loads(note.read_text()))["key"] == key:
        return _load(work, kept)
    prepared = _prepare(recipe, data, seed, on_progress, base)
    work.mkdir(parents=True, exist_ok=True)
    for stale in work.glob("*"):
        stale.unlink()
    prepared = replace(prepared, key=key)
    _save(work, prepared)
    return prepared


def _prepare(
    recipe: StaticRecipe, data: Path, seed: int, on_progress: OnProgress, base: StaticEncoder | None
) -> Prepared:
    parallel = read_parallel(data, recipe.sources, read_excluded(excluded_files(recipe.exclude, data)))
    if parallel.excluded:
        on_progress(Progress("read", note=f"{parallel.excluded:,} texts of evaluation collections left out"))
    if not len(parallel.rows):
        raise BadInput("no row has texts in two languages", str(data))
    if recipe.romanised:
        add_romanised(parallel, recipe.romanised, np.random.default_rng([seed, 1]))
    on_progress(Progress("vocabulary"))
    return tokenise(parallel, _pieces(recipe, parallel, seed, base), on_progress)


def _pieces(
    recipe: StaticRecipe, parallel: ParallelText, seed: int, base: StaticEncoder | None
) -> list[tuple[str, float]]:
    if base is None or recipe.further is None:
        texts = sample_texts(parallel, recipe.vocabulary, np.random.default_rng(seed))
        return learn_pieces(texts, recipe.vocabulary.size)
    for code in parallel.languages:
        if (usual := normalize_code(code)) != code:
            raise BadInput(f"write '{usual}' for '{code}': the base's languages are told by such codes")
    settings = recipe.further.extension
    unknown = [code for code in parallel.languages if not base.supports(code)]
    return extended(base.inventory, parallel, settings.languages or unknown, settings)


def tokenise(parallel: ParallelText, pieces: list[tuple[str, float]], on_progress: OnProgress) -> Prepared:
    """All text in `pieces`."""
    subwords = Subwords(pieces, remembered=REMEMBERED)

    def report(done: int, total: int) -> None:
        on_progress(Progress("tokenise", done, total))

    def tokens(texts: Texts, report: Callable[[int, int], None] | None = None) -> TokenRows:
        return tokenise_rows(texts, subwords, report)

    return Prepared(
        pieces=pieces,
        languages=list(parallel.languages),
        files=parallel.files,
        language_counts=parallel.count_by_language(),
        rows=tokens(parallel.rows, report),
        titles=tokens(parallel.titles),
        bodies=tokens(parallel.bodies),
    )


def _key(recipe: StaticRecipe, data: Path, seed: int, known: str) -> str:
    """A digest of all that the preparation depends on: settings, seed, and the files with their sizes and times."""
    settings: dict[str, Any] = msgspec.to_builtins(recipe)
    used = {name: settings[name] for name in ("sources", "exclude", "vocabulary", "romanised", "further")}
    stats = file_stats(data, recipe.sources, recipe.exclude)
    return hashlib.blake2b(json.dumps([used, seed, known, stats]).encode(), digest_size=16).hexdigest()


TABLES = ("rows", "titles", "bodies")
COLUMNS = tuple(field.name for field in fields(TokenRows))


def _save(work: Path, prepared: Prepared) -> None:
    columns = {f"{table}.{name}": getattr(getattr(prepared, table), name) for table in TABLES for name in COLUMNS}
    np.savez(work / "tokens.npz", language_counts=prepared.language_counts, **columns)
    note = {name: getattr(prepared, name) for name in ("key", "pieces", "languages", "files")}
    # Written last: without it the folder counts as empty.
    (work / "prepared.json").write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")


def _load(work: Path, note: dict[str, Any]) -> Prepared:
    with np.load(work / "tokens.npz") as saved:
        tables = [TokenRows(*(saved[f"{table}.{name}"] for name in COLUMNS)) for table in TABLES]
        counts = saved["language_counts"]
    pieces = [(piece, score) for piece, score in note["pieces"]]
    rows, titles, bodies = tables
    return Prepared(pieces, note["languages"], note["files"], counts, rows, titles, bodies, note["key"])
