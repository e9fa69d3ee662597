"""Translation tables on disk: one file for all languages, memory-mapped (`encoders/FORMAT.md`).

A language has a vocabulary of its own, a subset of the encoder's pieces, numbered in their order. A pair of languages
has one sparse matrix of joint weights, by rows of its first language: both directions are normalised from it. Which
pieces a language has, and how many entries a row, is mostly zeros: that is kept compressed and unpacked when asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray
from xsearch.core.mapped import mapped

MAGIC = b"xstables"
VERSION = 2
SUFFIX = ".tables"
ALIGNMENT = 8
COMPRESSION = 19
MOST_COLUMNS = 1 << 16
MOST_IN_ROW = 255
LEVELS = 12
"""Steps of a coded weight to a factor of two: a weight is kept to within 3 %, over 21 octaves."""


class Version(msgspec.Struct, frozen=True):
    """What is read first of any header: the rest depends on it."""

    version: int


class LanguageEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A language, how many pieces its vocabulary has, and how many bytes it is kept in."""

    code: str
    pieces: int
    bytes: int


class PairEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A matrix: its languages, its entries, how many bytes the counts of its rows are kept in, and how good its
    translations are, 0..1, either way."""

    rows: str
    columns: str
    entries: int
    bytes: int
    there: float
    back: float


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds. vocabulary: pieces of the encoder; pieces: their fingerprint. body: BLAKE2b (16 bytes,
    hexadecimal) of what follows the header, unpacked."""

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
    """The arrays of a file. Pair k has the entries ``first_entry[k]:first_entry[k + 1]`` of `places` and `codes`.

    places: uint16 (entries,), of the entries' columns in the vocabulary of theirs, row after row. codes: uint8
    (entries,), weights (`code_weights`). What `pieces` and `starts` unpack lies in `packed`, uint8: of language l from
    ``first_language[l]`` to the next, of pair k from ``first_counts[k]``.
    """

    path: Path
    header: Header
    packed: NDArray[np.uint8]
    first_language: IntArray
    first_counts: IntArray
    first_entry: IntArray
    places: NDArray[np.uint16]
    codes: NDArray[np.uint8]

    def pieces(self, language: int) -> IntArray:
        """Piece numbers of a language's vocabulary, ascending, int64. Raises `IndexDamaged` where they cannot be
        unpacked or are not as many as the header says."""
        packed = self.packed[self.first_language[language] : self.first_language[language + 1]]
        bits = np.unpackbits(self._unpacked(packed, -(-self.header.vocabulary // 8)), bitorder="little")
        # Of truth values they are found in a third of the time that numbers take.
        held = np.flatnonzero(bits.view(np.bool_))
        if len(held) != self.header.languages[language].pieces:
            raise _damaged(self.path, "a vocabulary is not as large as the header says")
        return held

    def starts(self, pair: int) -> IntArray:
        """Where each row of a pair begins among all entries, and where the last ends: int64 (rows + 1,). Raises
        `IndexDamaged` as `pieces`."""
        entry = self.header.pairs[pair]
        rows = next(language.pieces for language in self.header.languages if language.code == entry.rows)
        packed = self.packed[self.first_counts[pair] : self.first_counts[pair + 1]]
        starts = np.zeros(rows + 1, dtype=np.int64)
        np.cumsum(self._unpacked(packed, rows), out=starts[1:])
        if starts[-1] != entry.entries:
            raise _damaged(self.path, "the rows have not as many entries as the header says")
        starts += self.first_entry[pair]
        return starts

    def _unpacked(self, packed: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        frame = packed.tobytes()
        try:
            # Asked first: a damaged frame may claim any size.
            if zstandard.frame_content_size(frame) != size:
                raise _damaged(self.path, "a part is not as large as it should be")
            return np.frombuffer(zstandard.ZstdDecompressor().decompress(frame), dtype=np.uint8)
        except zstandard.ZstdError as error:
            raise _damaged(self.path, str(error)) from error


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
    bitmaps = [row.tobytes() for row in np.packbits(bits, axis=1, bitorder="little")]
    counts = [pair.counts.astype(np.uint8).tobytes() for pair in pairs]
    matrices = [
        b"".join(pair.places.astype("<u2").tobytes() for pair in pairs),
        b"".join(code_weights(pair.weights).tobytes() for pair in pairs),
    ]
    compressor = zstandard.ZstdCompressor(level=COMPRESSION)
    packed_bitmaps, packed_counts = ([compressor.compress(part) for part in parts] for parts in (bitmaps, counts))
    header = Header(
        version=VERSION,
        vocabulary=vocabulary,
        pieces=pieces,
        levels=LEVELS,
        languages=tuple(
            LanguageEntry(code, len(languages[code]), len(packed))
            for code, packed in zip(languages, packed_bitmaps, strict=True)
        ),
        pairs=tuple(
            PairEntry(p.rows, p.columns, len(p.places), len(packed), round(p.there, 3), round(p.back, 3))
            for p, packed in zip(pairs, packed_counts, strict=True)
        ),
        # Of the content: another release of the compressor makes other bytes of the same tables.
        body=hashlib.blake2b(b"".join([*bitmaps, *counts, *matrices]), digest_size=16).hexdigest(),
    )
    parts = [b"".join([*packed_bitmaps, *packed_counts]), *matrices]
    body = b"".join(part + bytes(-len(part) % ALIGNMENT) for part in parts)
    packed = msgspec.json.encode(header)
    packed += b" " * (-(len(MAGIC) + 4 + len(packed)) % ALIGNMENT)
    path.write_bytes(MAGIC + len(packed).to_bytes(4, "little") + packed + body)
    return header


def read_header(path: Path) -> Header:
    """What the file at `path` holds. Raises `IndexDamaged` where it cannot be read."""
    return _read_header(path)[0]


def read_tables(path: Path) -> TableFile:
    """The file at `path`, mapped. Raises `IndexDamaged` where its parts do not fit each other; a wrong byte within one
    is noticed when it is unpacked, or where it points outside."""
    header, begin = _read_header(path)
    entries = [pair.entries for pair in header.pairs]
    packed = _packed_sizes(header)
    lengths = [sum(packed), 2 * sum(entries), sum(entries)]
    padded = [length + -length % ALIGNMENT for length in lengths]
    if path.stat().st_size != begin + sum(padded):
        raise _damaged(path, f"{path.stat().st_size} bytes where {begin + sum(padded)} are expected")
    content = mapped(path)
    starts = begin + np.cumsum([0, *padded])
    held, places, codes = (content[at : at + size] for at, size in zip(starts, lengths, strict=False))
    first = np.cumsum([0, *packed])
    languages = len(header.languages)
    return TableFile(
        path=path,
        header=header,
        packed=held,
        first_language=first[: languages + 1],
        first_counts=first[languages:],
        first_entry=np.cumsum([0, *entries]),
        places=places.view("<u2"),
        codes=codes,
    )


def _read_header(path: Path) -> tuple[Header, int]:
    """The header and where the body begins."""
    try:
        with path.open("rb") as stream:
            if stream.read(len(MAGIC)) != MAGIC:
                raise _damaged(path, "it is no file of translation tables")
            length = int.from_bytes(stream.read(4), "little")
            written = stream.read(length)
        version = msgspec.json.decode(written, type=Version).version
        if version != VERSION:
            raise _damaged(path, f"its format is {version}, this program reads {VERSION}")
        header = msgspec.json.decode(written, type=Header)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    codes = {language.code for language in header.languages}
    if (
        len(codes) != len(header.languages)
        or header.levels < 1
        or header.vocabulary < 0
        or any(not 0 <= language.pieces <= header.vocabulary for language in header.languages)
        or any(pair.rows not in codes or pair.columns not in codes or pair.entries < 0 for pair in header.pairs)
        or min(_packed_sizes(header), default=0) < 0
    ):
        raise _damaged(path, "its header contradicts itself")
    return header, len(MAGIC) + 4 + length


def _packed_sizes(header: Header) -> list[int]:
    """Bytes of every vocabulary and of every pair's counts, as they follow each other."""
    return [*(language.bytes for language in header.languages), *(pair.bytes for pair in header.pairs)]


def _damaged(path: Path, reason: str) -> IndexDamaged:
    return IndexDamaged(f"{path}: translation tables that cannot be read ({reason}): install or train them again")
