"""Tables of a file as joint counts again, to be joined with others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xsearch.core import EncoderMismatch
from xsearch.encode import StaticEncoder
from xsearch.lang.translation import TranslationTables
from xsearch.lang.translation_file import TableFile, read_tables
from xsearch.train.align.pruning import JointCounts

Pair = tuple[str, str]


def read_joint(path: Path, encoder: StaticEncoder) -> tuple[dict[Pair, JointCounts], dict[Pair, tuple[float, float]]]:
    """All tables of a file and their scores. Raises `EncoderMismatch` for tables of other pieces than those that the
    encoder has, or that its vocabulary begins with."""
    file = read_tables(path)
    if file.header.pieces not in (encoder.vocabulary, *encoder.card.extends):
        raise EncoderMismatch(f"{path}: its tables are not of the pieces of encoder {encoder.card.name}")
    tables = TranslationTables(file, path)
    joint = {(p.rows, p.columns): _joint(file, tables, k) for k, p in enumerate(file.header.pairs)}
    return joint, {(p.rows, p.columns): (p.there, p.back) for p in file.header.pairs}


def _joint(file: TableFile, tables: TranslationTables, pair: int) -> JointCounts:
    entry = file.header.pairs[pair]
    starts = file.starts(pair)
    part = slice(int(starts[0]), int(starts[-1]))
    left = np.repeat(tables.pieces(entry.rows), np.diff(starts))
    weights = np.exp2(-file.codes[part].astype(np.float32) / file.header.levels)
    return JointCounts(left, tables.pieces_at(entry.columns, file.places[part].astype(np.int64)), weights)
