"""One segment of token vectors: what each passage's tokens are, and which passages come near each centroid.

    <lang>/<first>-<last>.tokens

All integers little-endian, every array at a multiple of 8 bytes:

    bytes 0-7     magic 58 53 54 4f 4b 56 00 01 (XSTOKV, 0, version 1)
    bytes 8-63    int64: passages n, tokens t, bytes of a token's bits w, lists v, postings p, bytes of a centroid's
                  number c (0 in a segment without centroids, 2 or 4), bytes of a row r (2 or 4)
    numbers       int64 (n,)      passage numbers, ascending
    starts        int64 (n + 1,)  the tokens of passage i are those from starts[i] to starts[i + 1]
    codes         uint8 (t, w)    bits of the residuals (`codebook`)
    cells         uintC (t,)      the centroid of each token
    listed        uint32 (v,)     centroids that a token is nearest to, ascending
    list_starts   int64 (v + 1,)  the postings of listed[i] are those from list_starts[i] to list_starts[i + 1]
    rows          uintR (p,)      for each of them, ascending, which of the n passages
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray, Mask
from xsearch.core.mapped import mapped
from xsearch.retrieve.colbert.codebook import Bytes, Cells, Codebook
from xsearch.retrieve.forward import slices

MAGIC = b"XSTOKV\x00\x01"
HEADER = 64
NARROW = 1 << 16

Entry = dict[str, int]
"""A segment in the state: first and last passage number, passages, tokens, bits a component (8: no centroids)."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """The encoded tokens of passages, each with one at least: numbers, starts, codes and cells as the module's
    docstring has them, cells empty where the codebook has no centroids."""

    numbers: IntArray
    starts: IntArray
    codes: Bytes
    cells: Cells

    @property
    def passages(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def __len__(self) -> int:
        return len(self.codes)

    def rows_of(self, numbers: IntArray) -> IntArray:
        """The rows of those of `numbers`, ascending, that lie within the segment's range. Raises IndexError for one
        that it lacks."""
        inside = numbers[(numbers >= self.numbers[0]) & (numbers <= self.numbers[-1])]
        rows: IntArray = np.searchsorted(self.numbers, inside)
        if np.any(self.numbers[rows] != inside):
            raise IndexError("a passage that there is not")
        return rows

    def allowed(self, mask: Mask | None) -> IntArray:
        """The rows of the passages that may be returned, int64."""
        return np.arange(self.passages) if mask is None else np.flatnonzero(mask[self.numbers])

    def of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """The numbers of the tokens of passages by row, int64, and where each passage's begin among them, int64
        (rows + 1,). Raises IndexError where tokens lie outside."""
        starts, tokens = slices(self.starts, np.arange(len(self)), rows)
        return tokens.astype(np.int64, copy=False), starts


@dataclass(frozen=True, eq=False)
class CellLists:
    """For every centroid of `listed`, the passages that have a token near it: those of listed[i] are
    ``numbers[rows[starts[i]:starts[i + 1]]]``."""

    numbers: IntArray
    listed: NDArray[np.uint32]
    starts: IntArray
    rows: Cells

    def places(self, terms: IntArray) -> IntArray:
        """Where each of these centroids stands in `listed`, -1 where it does not, int64."""
        if not len(self.listed):
            return np.full(len(terms), -1, dtype=np.int64)
        place = np.searchsorted(self.listed, terms.astype(np.uint32))
        place[place == len(self.listed)] = 0
        return np.where(self.listed[place] == terms, place, -1)


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment that is mapped."""

    tokens: Tokens
    lists: CellLists


def cell_lists(tokens: Tokens) -> CellLists:
    """The lists of a segment's centroids. A passage with several tokens near one stands in its list once."""
    owners = np.repeat(np.arange(tokens.passages), np.diff(tokens.starts))[: len(tokens.cells)]
    keys = np.sort(tokens.cells.astype(np.int64) * tokens.passages + owners)
    keys = keys[np.diff(keys, prepend=-1) > 0]
    listed, rows = np.divmod(keys, tokens.passages)
    begins = np.flatnonzero(np.diff(listed, prepend=-1))
    return CellLists(tokens.numbers, listed[begins].astype(np.uint32), np.append(begins, len(rows)), rows)


def joined(parts: Sequence[Tokens]) -> Tokens:
    """Passages that follow each other, of one codebook, as one."""
    before = np.cumsum([0, *map(len, parts)])
    starts = [part.starts[:-1] + first for part, first in zip(parts, before[:-1], strict=True)]
    return Tokens(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([*starts, before[-1:]]),
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.cells for part in parts]),
    )


def serialised(made: Tokens, book: Codebook) -> Iterator[bytes]:
    """The content of a segment's file, in pieces."""
    lists, row = cell_lists(made), _bytes_for(made.passages)
    width = 0 if book.is_whole else _bytes_for(len(book.centroids))
    sizes = made.passages, len(made), book.width, len(lists.listed), len(lists.rows), width, row
    yield MAGIC + np.array(sizes, dtype="<i8").tobytes()
    for array in (
        made.numbers.astype("<i8"),
        made.starts.astype("<i8"),
        made.codes,
        made.cells.astype(f"<u{width or 1}"),
        lists.listed.astype("<u4"),
        lists.starts.astype("<i8"),
        lists.rows.astype(f"<u{row}"),
    ):
        content = array.tobytes()
        yield content + bytes(-len(content) % 8)


def map_segment(path: Path, entry: Entry, book: Codebook) -> Segment:
    """Map a segment's file. Raises `IndexDamaged` when it is missing or not of this entry and codebook."""
    try:
        content = mapped(path)
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
    damage = IndexDamaged(
        f"{path} does not hold {entry['tokens']} tokens of {entry['passages']} passages: run `xsearch check --repair`"
    )
    if len(content) < HEADER or content[:8].tobytes() != MAGIC:
        raise damage
    n, t, w, v, p, c, r = content[8:HEADER].view("<i8").tolist()
    fits = (n, t, w) == (entry["passages"], entry["tokens"], book.width)
    if not fits or c != (0 if book.is_whole else _bytes_for(len(book.centroids))) or r != _bytes_for(n):
        raise damage
    layout: list[tuple[str, int]] = [("<i8", n), ("<i8", n + 1), ("u1", t * w), (f"<u{c or 1}", t if c else 0)]
    layout += [("<u4", v), ("<i8", v + 1), (f"<u{r}", p)]
    arrays: list[NDArray[Any]] = []
    at = HEADER
    for kind, count in layout:
        size = np.dtype(kind).itemsize * count
        arrays.append(content[at : at + size])
        at += -(-size // 8) * 8
    if min(v, p) < 0 or at != len(content):
        raise damage
    numbers, starts, codes, cells, listed, list_starts, rows = (
        array.view(kind) for array, (kind, _) in zip(arrays, layout, strict=True)
    )
    ends = (starts[0], starts[-1], list_starts[0], list_starts[-1])
    if ends != (0, t, 0, p) or np.any(np.diff(starts) < 0) or np.any(np.diff(list_starts) < 0):
        raise damage
    lists = CellLists(numbers, listed, list_starts, rows)
    return Segment(Tokens(numbers, starts, codes.reshape(t, w), cells), lists)


def segment_name(lang: str, entry: Entry) -> str:
    """Path of a segment, relative to the part's folder. Segments without centroids are named apart: the same passages
    may come to be kept with centroids."""
    return f"{lang}/{entry['first']}-{entry['last']}.{'whole' if entry['bits'] == 8 else 'tokens'}"


def _bytes_for(count: int) -> int:
    return 2 if count <= NARROW else 4
