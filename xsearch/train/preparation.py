"""What comes before the first step: text read, vocabulary learnt, everything tokenised and pieces aligned. Kept in a
folder, so that a run that was cut short need not do it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.encode.subwords import Subwords
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.recipe import StaticRecipe
from xsearch.train.romanised import add_romanised
from xsearch.train.rows import ParallelText, Texts, excluded_files, read_excluded, read_parallel
from xsearch.train.tokenrows import TokenRows, tokenise_rows
from xsearch.train.vocabulary import learn_pieces, sample_texts

REMEMBERED = 5_000_000
"""Words whose segmentation is remembered while all text is tokenised: about all there are."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data ready to be sampled. pieces: (piece, log probability). languages: their names by number. files: read, in
    order. language_counts: int64, texts of rows in each. rows, titles, bodies: tokenised."""

    pieces: list[tuple[str, float]]
    languages: list[str]
    files: list[str]
    language_counts: NDArray[np.int64]
    rows: TokenRows
    titles: TokenRows
    bodies: TokenRows

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each piece occurs."""
        tables = (self.rows, self.titles, self.bodies)
        counts: NDArray[np.int64] = np.sum(
            [np.bincount(table.tokens, minlength=len(self.pieces)) for table in tables], axis=0
        )
        return counts


def prepare(recipe: StaticRecipe, data: Path, seed: int, work: Path, on_progress: OnProgress) -> Prepared:
    """Prepare `data` as `recipe` says, or read what an earlier run with the same recipe, files and seed left in `work`.

    Raises `BadInput` for data that cannot be used.
    """
    on_progress(Progress("read"))
    key = _key(recipe, data, seed)
    note = work / "prepared.json"
    if note.is_file() and (kept := json.loads(note.read_text()))["key"] == key:
        return _load(work, kept)
    prepared = _prepare(recipe, data, seed, on_progress)
    work.mkdir(parents=True, exist_ok=True)
    for stale in work.glob("*"):
        stale.unlink()
    _save(work, prepared, key)
    return prepared


def _prepare(recipe: StaticRecipe, data: Path, seed: int, on_progress: OnProgress) -> Prepared:
    parallel = read_parallel(data, recipe.sources, read_excluded(excluded_files(recipe.exclude, data)))
    if not len(parallel.rows):
        raise BadInput("no row has texts in two languages", str(data))
    if recipe.romanised:
        add_romanised(parallel, recipe.romanised, np.random.default_rng([seed, 1]))
    on_progress(Progress("vocabulary"))
    texts = sample_texts(parallel, recipe.vocabulary, np.random.default_rng(seed))
    pieces = learn_pieces(texts, recipe.vocabulary.size)
    return tokenise(parallel, pieces, on_progress)


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


def _key(recipe: StaticRecipe, data: Path, seed: int) -> str:
    """A digest of all that the preparation depends on: settings, seed, and the files with their sizes and times."""
    settings: dict[str, Any] = msgspec.to_builtins(recipe)
    used = {name: settings[name] for name in ("sources", "exclude", "vocabulary", "romanised")}
    files = sorted(
        {path for glob in [s.files for s in recipe.sources] + list(recipe.exclude) for path in data.glob(glob)}
    )
    stats = [(path.relative_to(data).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.blake2b(json.dumps([used, seed, stats]).encode(), digest_size=16).hexdigest()


TABLES = ("rows", "titles", "bodies")
COLUMNS = tuple(field.name for field in fields(TokenRows))


def _save(work: Path, prepared: Prepared, key: str) -> None:
    columns = {f"{table}.{name}": getattr(getattr(prepared, table), name) for table in TABLES for name in COLUMNS}
    np.savez(work / "tokens.npz", language_counts=prepared.language_counts, **columns)
    note = {"key": key, "pieces": prepared.pieces, "languages": prepared.languages, "files": prepared.files}
    # Written last: without it the folder counts as empty.
    (work / "prepared.json").write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")


def _load(work: Path, note: dict[str, Any]) -> Prepared:
    with np.load(work / "tokens.npz") as saved:
        tables = [TokenRows(*(saved[f"{table}.{name}"] for name in COLUMNS)) for table in TABLES]
        counts = saved["language_counts"]
    pieces = [(piece, score) for piece, score in note["pieces"]]
    return Prepared(pieces, note["languages"], note["files"], counts, *tables)
