"""Translation tables on disk: one file for all languages, memory-mapped (`encoders/FORMAT.md`).

A language has a vocabulary of its own, a subset of the encoder's pieces, numbered in their order. A pair of languages
has one sparse matrix of joint weights, by rows of its first language: both directions are normalised from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged
from xsearch.core.mapped import mapped

MAGIC = b"xstables"
VERSION = 1
SUFFIX = ".tables"
ALIGNMENT = 8
MOST_COLUMNS = 1 << 16
MOST_IN_ROW = 255
LEVELS = 12
"""Steps of a coded weight to a factor of two: a weight is kept to within 3 %, over 21 octaves."""


class LanguageEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A language and how many pieces its vocabulary has."""

    code: str
    pieces: int


class PairEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A matrix: its languages, its entries, and how good its translations are, 0..1, either way."""

    rows: str
    columns: str
    entries: int
    there: float
    back: float


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds. vocabulary: pieces of the encoder; pieces: their fingerprint. body: BLAKE2b (16 bytes,
    hexadecimal) of what follows the header."""

    version: int
    vocabulary: int
    pieces: str
    levels: int
    languages: tuple[LanguageEntry, ...]
    pairs: tuple[PairEntry, ...]
    body: str


@dataclass(frozen=True, eq=False)
class PairTable:
    """A matrix before it is written.

    counts: int64 (pieces of `rows`,), the entries of each row, at most 255. columns: int64 (entries,), places in the
    vocabulary of the language `columns`. weights: float32 (entries,), joint, above 0 and at most 1.
    """

    rows: str
    columns: str
    counts: NDArray[np.int64]
    places: NDArray[np.int64]
    weights: FloatArray
    there: float = 1.0
    back: float = 1.0


@dataclass(frozen=True, eq=False)
class TableFile:
    """The arrays of a file. Pair k has the rows ``first_row[k]:first_row[k + 1]`` of `counts` and the entries
    ``first_entry[k]:first_entry[k + 1]`` of `places` and `codes`.

    bitmaps: uint8 (languages, ceil(vocabulary / 8)), bit p (little end first) tells whether a language has piece p.
    counts: uint8 (all rows of all pairs,), their entries. places: uint16 (entries,). codes: uint8 (entries,).
    """

    header: Header
    bitmaps: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    first_row: NDArray[np.int64]
    first_entry: NDArray[np.int64]
    places: NDArray[np.uint16]
    codes: NDArray[np.uint8]

    def starts(self, pair: int) -> NDArray[np.int64]:
        """Where each row of a pair begins among all entries, and where the last ends: int64 (rows + 1,)."""
        counts = self.counts[self.first_row[pair] : self.first_row[pair + 1]]
        starts = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=starts[1:])
        starts += self.first_entry[pair]
        return starts


def code_weights(weights: FloatArray) -> NDArray[np.uint8]:
    """Weights in (0, 1] in logarithmic steps: code c stands for 2 ** (-c / LEVELS)."""
    codes: NDArray[np.uint8] = np.clip(np.rint(-LEVELS * np.log2(weights)), 0, 255).astype(np.uint8)
    return codes


def write_tables(
    path: Path, vocabulary: int, pieces: str, languages: Mapping[str, NDArray[np.int64]], pairs: Sequence[PairTable]
) -> Header:
    """Write `pairs`; `languages` gives each language's piece numbers, ascending. Returns the header."""
    bits = np.zeros((len(languages), -(-vocabulary // 8) * 8), dtype=np.bool_)
    for row, held in enumerate(languages.values()):
        bits[row, held] = True
    parts = [
        np.packbits(bits, axis=1, bitorder="little").tobytes(),
        b"".join(pair.counts.astype(np.uint8).tobytes() for pair in pairs),
        b"".join(pair.places.astype("<u2").tobytes() for pair in pairs),
        b"".join(code_weights(pair.weights).tobytes() for pair in pairs),
    ]
    body = b"".join(part + bytes(-len(part) % ALIGNMENT) for part in parts)
    header = Header(
        version=VERSION,
        vocabulary=vocabulary,
        pieces=pieces,
        levels=LEVELS,
        languages=tuple(LanguageEntry(code, len(held)) for code, held in languages.items()),
        pairs=tuple(PairEntry(p.rows, p.columns, len(p.places), round(p.there, 3), round(p.back, 3)) for p in pairs),
        body=hashlib.blake2b(body, digest_size=16).hexdigest(),
    )
    packed = msgspec.json.encode(header)
    packed += b" " * (-(len(MAGIC) + 4 + len(packed)) % ALIGNMENT)
    path.write_bytes(MAGIC + len(packed).to_bytes(4, "little") + packed + body)
    return header


def read_header(path: Path) -> Header:
    """What the file at `path` holds. Raises `IndexDamaged` where it cannot be read."""
    return _read_header(path)[0]


def read_tables(path: Path) -> TableFile:
    """The file at `path`, mapped. Raises `IndexDamaged` where its parts do not fit each other; a wrong byte within a
    matrix is only noticed where it points outside."""
    header, begin = _read_header(path)
    sizes = {language.code: language.pieces for language in header.languages}
    rows = np.array([sizes[pair.rows] for pair in header.pairs], dtype=np.int64)
    entries = np.array([pair.entries for pair in header.pairs], dtype=np.int64)
    width = -(-header.vocabulary // 8)
    lengths = [len(sizes) * width, int(rows.sum()), 2 * int(entries.sum()), int(entries.sum())]
    padded = [length + -length % ALIGNMENT for length in lengths]
    if path.stat().st_size != begin + sum(padded):
        raise _damaged(path, f"{path.stat().st_size} bytes where {begin + sum(padded)} are expected")
    content = mapped(path)
    ends = begin + np.cumsum([0, *padded])
    bitmaps, counts, places, codes = (content[at : at + size] for at, size in zip(ends, lengths, strict=False))
    bitmaps = bitmaps.reshape(len(sizes), width)
    held = np.bitwise_count(bitmaps).sum(axis=1, dtype=np.int64)
    if held.tolist() != list(sizes.values()):
        raise _damaged(path, "the vocabularies are not as large as the header says")
    first_row, first_entry = (np.concatenate(([0], np.cumsum(sizes))) for sizes in (rows, entries))
    for pair, (begin, end) in enumerate(pairwise(first_row.tolist())):
        if counts[begin:end].sum(dtype=np.int64) != entries[pair]:
            raise _damaged(path, "the rows have not as many entries as the header says")
    return TableFile(header, bitmaps, counts, first_row, first_entry, places.view("<u2"), codes)


def _read_header(path: Path) -> tuple[Header, int]:
    """The header and where the body begins."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                raise _damaged(path, "it is no file of translation tables")
            length = int.from_bytes(stream.read(4), "little")
            header = msgspec.json.decode(stream.read(length), type=Header)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    if header.version != VERSION:
        raise _damaged(path, f"its format is {header.version}, this program reads {VERSION}")
    codes = {language.code for language in header.languages}
    if (
        len(codes) != len(header.languages)
        or header.levels < 1
        or header.vocabulary < 0
        or any(not 0 <= language.pieces <= header.vocabulary for language in header.languages)
        or any(pair.rows not in codes or pair.columns not in codes or pair.entries < 0 for pair in header.pairs)
    ):
        raise _damaged(path, "its header contradicts itself")
    return header, len(MAGIC) + 4 + length


def _damaged(path: Path, reason: str) -> IndexDamaged:
    return IndexDamaged(f"{path}: translation tables that cannot be read ({reason}): install or train them again")
