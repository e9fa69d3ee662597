"""One segment of window vectors, and the best passages in it: MaxP (Dai and Callan 2019), a passage's score is that
of its best window.

    <lang>/<first>-<last>.faiss    vectors, as `retrieve.stored` keeps them (other kinds have other suffixes)
    <lang>/<first>-<last>.npy      owners: NumPy's format 1.0, int64 little-endian (rows,), ascending
    <lang>/<first>-<last>.pq4      of a large segment, the vectors quantised (`retrieve.fastscan`)

`first` and `last` are the passage numbers it starts and ends with. All windows of a passage are in one segment. Where
vectors were made anew (`DenseWriter.rewind`), `-<commit>` stands behind `last`.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray, Mask
from xsearch.core.mapped import mapped
from xsearch.retrieve.best import Scored
from xsearch.retrieve.fastscan import Scan
from xsearch.retrieve.gpu import GpuScan
from xsearch.retrieve.stored import Stored

SPARSE = 0.05
"""Below this share of allowed windows, scoring just them beats passing over the others."""
SPARE_WINDOWS = 24
"""Windows fetched beyond those that the passages wanted are likely to have."""
FETCH_COST = 16
"""Windows that numpy scores in the time in which FAISS fetches one more."""
SCAN_COST = 30
"""Windows that FAISS scores in the time that one more takes which a scan of quantised vectors is to find."""
NPY_MAGIC = b"\x93NUMPY\x01\x00"


class Segment:
    """Codes and owners of one segment, mapped. Raises `IndexDamaged` when the files do not fit `entry`."""

    def __init__(self, folder: Path, lang: str, entry: dict[str, int], stored: Stored) -> None:
        self.rows, self._stored = entry["windows"], stored
        self._whole, self.codes = stored.map(folder / codes_name(lang, entry, stored.suffix), self.rows)
        self.owners = map_owners(folder / owners_name(lang, entry), self.rows)
        self._faiss: tuple[ModuleType, Any] | None = None
        self._quantised_path = folder / quantised_name(lang, entry)
        self._quantised = map_bytes(self._quantised_path) if entry.get("parts") else None
        self._scan: Scan | GpuScan | None = None
        self._windows_each = 1.0

    def use_faiss(self, faiss: ModuleType, scan: GpuScan | None = None) -> None:
        """Score with FAISS from now on: all windows, if it knows how these vectors are kept (it reads the same mapped
        memory), and first those that a scan of quantised vectors finds, where the segment has such, or `scan`."""
        self._windows_each = self.rows / (1 + np.count_nonzero(np.diff(self.owners)))
        if self._whole is not None:
            reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(self._whole), self._whole.nbytes)
            self._faiss = faiss, faiss.read_index(reader)
        if scan is not None:
            self._scan = scan
        elif self._quantised is not None:
            by_faiss = self._faiss[1] if self._faiss else None
            try:
                self._scan = Scan(faiss, self._quantised, self._stored, self.codes, by_faiss)
            except ValueError as error:
                raise IndexDamaged(f"{self._quantised_path}: {error}: run `xsearch check --repair`") from error

    def best(self, query: FloatArray, depth: int, allowed: Mask | None, exact: bool) -> Scored:
        """Windows among which the best `depth` allowed passages are, each with its best window. query: as
        `Stored.encode_queries` made it, float32 (1, dim). exact: whether all windows are scored; else a scan may say
        which are worth it, and then there may be fewer passages above the floor: the query is to be asked again, as
        exact."""
        inside = None if allowed is None else allowed[self.owners]
        count = self.rows if inside is None else int(np.count_nonzero(inside))
        if count == 0:
            return Scored(np.empty(0, np.int64), np.empty(0, np.float32))
        if inside is not None and count == self.rows:
            inside = None
        if count < SPARSE * self.rows:
            return self._score_all(query, depth, inside)
        fetch = int(self._likely(depth) * self.rows / count)
        # Where so much is asked for that a scan saves nothing, it does not scan.
        if self._scan is not None and not exact and fetch * SCAN_COST <= self.rows and fetch <= self._scan.most:
            return self._scanned(self._scan, query, fetch, inside)
        if self._faiss is None:
            return self._score_all(query, depth, inside)
        return self._search(*self._faiss, query, depth, inside)

    def _scanned(self, scan: Scan | GpuScan, query: FloatArray, fetch: int, inside: Mask | None) -> Scored:
        """By scoring what a scan puts first, of all windows so many."""
        (scores,), (windows,) = scan.search(query, fetch)
        if windows[-1] < 0:
            scores, windows = scores[windows >= 0], windows[windows >= 0]
        floor = float(scores[-1]) if len(scores) else np.inf
        if inside is not None:
            allowed = inside[windows]
            scores, windows = scores[allowed], windows[allowed]
        return Scored(self.owners[windows], scores, floor)

    def _likely(self, depth: int) -> int:
        """Windows to fetch for `depth` passages: long passages are found more often than short ones."""
        return int(depth * (2 * self._windows_each - 1)) + SPARE_WINDOWS

    def _score_all(self, query: FloatArray, depth: int, inside: Mask | None) -> Scored:
        """By scoring every allowed window."""
        rows = None if inside is None else np.flatnonzero(inside)
        owners = np.asarray(self.owners) if rows is None else self.owners[rows]
        # Windows of a passage lie side by side.
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        scores = self._stored.dot(self.codes, query, rows)[:, 0]
        return Scored(owners[starts], np.maximum.reduceat(scores, starts)).above(depth)

    def _search(self, faiss: ModuleType, index: Any, query: FloatArray, depth: int, inside: Mask | None) -> Scored:
        """By FAISS: more and more windows, until `depth` passages lie strictly above the last window fetched.

        What lies above it is all there is above it, so neither the order in which FAISS breaks ties nor windows
        that were not fetched can change the result. When fetching costs more than it saves (few windows, or many equal
        texts) all windows are scored.
        """
        parameters, count = None, self.rows
        if inside is not None:
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(inside, bitorder="little")))
            count = int(np.count_nonzero(inside))
        fetch = self._likely(depth)
        while True:
            fetch = min(fetch, count)
            (scores,), (windows,) = index.search(query, fetch, params=parameters)
            owners = self.owners[windows]
            if fetch == count:
                return Scored(owners, scores)
            if (best := settled(owners, scores, depth)) is not None:
                return best
            fetch *= 4
            if fetch * FETCH_COST >= count:
                return self._score_all(query, depth, inside)


def settled(owners: IntArray, scores: FloatArray, depth: int) -> Scored | None:
    """Of the best windows' owners and scores, descending, those above the last; None when they are of fewer than
    `depth` passages, so that windows not fetched may count."""
    # As a rule no other window scores what the last one does.
    lone = len(scores) > 1 and scores[-2] > scores[-1]
    above = len(scores) - 1 if lone else int(np.count_nonzero(scores > scores[-1]))
    if above < depth:
        return None
    passages = np.sort(owners[:above])
    if np.count_nonzero(passages[1:] != passages[:-1]) + 1 < depth:
        return None
    return Scored(owners[:above], scores[:above])


def codes_name(lang: str, entry: dict[str, int], suffix: str = "faiss") -> str:
    """Path of a segment's vectors, relative to the retriever's folder."""
    return f"{_stem(lang, entry)}.{suffix}"


def quantised_name(lang: str, entry: dict[str, int]) -> str:
    """Path of a segment's quantised vectors, relative to the retriever's folder."""
    return f"{_stem(lang, entry)}.pq4"


def owners_name(lang: str, entry: dict[str, int]) -> str:
    """Path of a segment's owners, relative to the retriever's folder."""
    return f"{_stem(lang, entry)}.npy"


def _stem(lang: str, entry: dict[str, int]) -> str:
    # A segment made anew must not overwrite the one whose passages it has, which readers may have open.
    made = f"-{entry['made']}" if "made" in entry else ""
    return f"{lang}/{entry['first']}-{entry['last']}{made}"


def map_owners(path: Path, rows: int) -> IntArray:
    """Map a file of owners, int64 (rows,). Raises `IndexDamaged` when it is missing or another shape or type."""
    whole = map_bytes(path)
    # NumPy reads a header by Python's parser, which takes longer than all else of opening a segment.
    expected = b"{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }" % rows
    begin = 10 + int.from_bytes(whole[8:10].tobytes(), "little")
    if (
        whole[:8].tobytes() != NPY_MAGIC
        or whole[10:begin].tobytes().rstrip() != expected
        or len(whole) != begin + 8 * rows
    ):
        raise IndexDamaged(f"{path} does not hold {rows} passage numbers: run `xsearch check --repair`")
    owners: IntArray = whole[begin:].view("<i8")
    return owners


def map_bytes(path: Path) -> NDArray[np.uint8]:
    """Map a file as it is. Raises `IndexDamaged` when it is missing."""
    try:
        return mapped(path)
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path}: {error}: run `xsearch check --repair`") from error
