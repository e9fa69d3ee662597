"""Training data of neural retrievers, read: files of `xsearch.train.rows` and of pairs, without evaluation text."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.core import BadInput
from xsearch.core.wording import counted
from xsearch.train.neural.corpus import Corpus, Table
from xsearch.train.neural.pairs import Pair, read_pairs, refuse_evaluation, shipped_evaluation
from xsearch.train.recipe import Source
from xsearch.train.rows import Texts, excluded_files, read_excluded, read_parallel, read_records

HELD_SHARE = 0.01
HELD_MOST = 400
ROW_CAP, ROW_EXPONENT = 20, 0.7
LANGUAGE_EXPONENT = -0.5
"""Texts of a row are drawn by (texts of their language) ** this: small languages more often than they occur."""


def read_corpus(
    data: Path, sources: tuple[Source, ...], exclude: tuple[str, ...], seed: int, most: int | None = None
) -> Corpus:
    """The files of `data` that `sources` match, of each the first `most` lines.

    exclude: globs of evaluation files; the collection that ships is always among them. Parallel texts that stand in
    one are left out and counted; a pair that does is refused. Raises `BadInput` for that, for files that cannot be
    read, and where nothing is left.
    """
    excluded = read_excluded([*excluded_files(exclude, data), *shipped_evaluation()])
    pair_files, others = _told_apart(data, sources)
    parallel = read_parallel(data, tuple(source for _, source in others), excluded, most)
    pairs, weights = _read_pairs(pair_files, excluded, most)
    rng = np.random.default_rng([seed, 7])
    held_rows = _hold(len(parallel.rows), rng)
    held_sections, held_pairs = _hold(len(parallel.titles), rng), _hold(len(pairs), rng)
    langs = list(parallel.languages)
    counts = np.bincount(np.array([*parallel.rows.langs, *parallel.bodies.langs], dtype=np.int64), minlength=len(langs))
    chances = np.maximum(counts, 1.0) ** LANGUAGE_EXPONENT
    weight_of = np.array([source.weight for _, source in others])

    def table(texts: Texts, held: list[int]) -> Table:
        # A row of many languages holds more pairs, though not as many more as it has languages.
        sizes = np.minimum(np.diff(texts.starts), ROW_CAP) ** ROW_EXPONENT
        rows = sizes * weight_of[np.array(texts.sources, dtype=np.int64)] if len(texts) else np.zeros(0)
        rows[held] = 0
        return Table(texts, langs, rows, chances / chances.max(initial=1e-9))

    pair_weights = np.array(weights, dtype=np.float64)
    pair_weights[held_pairs] = 0
    corpus = Corpus(
        rows=table(parallel.rows, held_rows),
        titles=table(parallel.titles, held_sections),
        bodies=table(parallel.bodies, held_sections),
        pairs=pairs,
        pair_weights=pair_weights,
        held_rows=held_rows,
        held_sections=held_sections,
        held_pairs=held_pairs,
        files=[*parallel.files, *(path.relative_to(data).as_posix() for path, _ in pair_files)],
        excluded=parallel.excluded,
    )
    if not (len(parallel.rows) or len(parallel.titles) or pairs):
        left = f" ({counted(corpus.excluded, 'text')} left out: evaluation has them)" if corpus.excluded else ""
        raise BadInput(f"nothing to train on in {counted(len(corpus.files), 'file')}{left}", str(data))
    return corpus


def _told_apart(data: Path, sources: tuple[Source, ...]) -> tuple[list[tuple[Path, Source]], list[tuple[Path, Source]]]:
    """Files of pairs, and others, each with its source narrowed to it."""
    found: tuple[list[tuple[Path, Source]], list[tuple[Path, Source]]] = [], []
    seen: set[Path] = set()
    for source in sources:
        files = [path for path in sorted(data.glob(source.files)) if path not in seen]
        if not files:
            raise BadInput(f"no file matches '{source.files}'", str(data))
        for path in files if source.weight else []:
            seen.add(path)
            first: dict[str, Any] = next((record for _, record in read_records(path)), {})
            is_pairs = "query" in first or "positive" in first
            narrowed = msgspec.structs.replace(source, files=path.relative_to(data).as_posix())
            found[0 if is_pairs else 1].append((path, narrowed))
    return found


def _read_pairs(
    files: list[tuple[Path, Source]], excluded: frozenset[int], most: int | None
) -> tuple[list[Pair], list[float]]:
    pairs: list[Pair] = []
    weights: list[float] = []
    for path, source in files:
        found = list(islice(read_pairs(path), most))
        refuse_evaluation(found, excluded)
        pairs += (pair for _, pair in found)
        weights += [source.weight] * len(found)
    return pairs, weights


def _hold(count: int, rng: np.random.Generator) -> list[int]:
    """Some of `count`, ascending; none of a handful, which training cannot spare."""
    wanted = min(HELD_MOST, round(count * HELD_SHARE))
    return sorted(rng.choice(count, wanted, replace=False).tolist()) if wanted else []
