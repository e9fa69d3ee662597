"""Large segments' vectors on GPUs, by FAISS's own indexes: flat, inverted lists, product quantisation, CAGRA.

A GPU's index is made from the stored vectors when it is first needed and never written: what is on disk fits every
machine. It says which windows are near; the processor scores those again on the stored vectors, so that their scores
are the processor's to the last bit, whatever the GPU rounds. It needs FAISS built for GPUs (extra `dense-gpu`;
for `cagra` with cuVS). Written against FAISS's documentation and tested with a stand-in: it has not run on a GPU yet.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from xsearch.core import FloatArray, IntArray, UsageError
from xsearch.retrieve.fastscan import BLOCK, rescored
from xsearch.retrieve.stored import Rows, Stored

log = logging.getLogger(__name__)

Kind = Literal["flat", "ivf-flat", "ivf-pq", "cagra"]
FROM_WINDOWS = 100_000
"""Windows of a segment from which on "auto" puts it on a GPU: what one query takes there is mostly the way there."""
MOST_RESULTS = 2048
"""That FAISS selects on a GPU."""
TIES = 16
"""Windows fetched beyond those wanted: half precision may put near ones in another order."""
PROBED = 1 / 16
"""Share of the inverted lists that are read."""
LEARNT_FROM = 200_000
"""Vectors that inverted lists are learnt from."""


def gpus(faiss: ModuleType, device: str) -> tuple[int, ...]:
    """The GPUs to search on for a device as `Runtime` has it; none for the processor.

    "auto" takes all there are. Where a GPU is asked for and FAISS is built for processors, a message says so and the
    processor searches. Raises `UsageError` for a GPU that is not there.
    """
    there = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
    if device == "auto":
        return tuple(range(there))
    names = [name.strip() for name in device.split(",") if name.strip().startswith("cuda")]
    if names and not there:
        log.warning("no GPU for vectors: FAISS here is built for processors or finds none; the processor searches them")
        return ()
    numbers = tuple(int(name.partition(":")[2] or 0) for name in names)
    if missing := [number for number in numbers if number >= there]:
        raise UsageError(f"no device 'cuda:{missing[0]}' here: FAISS finds {there} GPUs")
    return numbers


def on_gpus(faiss: ModuleType, numbers: Sequence[int], kind: Kind, stored: Stored, codes: Rows) -> GpuScan | None:
    """A segment's vectors on the first of these GPUs, divided among all where one has no room; None, and a message,
    where they do not fit, so that the processor searches them. Raises `UsageError` for a kind this FAISS lacks."""
    if kind == "cagra" and not hasattr(faiss, "GpuIndexCagra"):
        raise UsageError("dense.gpu 'cagra' needs FAISS built with cuVS: install faiss-gpu-cuvs or choose ivf-flat")
    choices = [numbers[:1]] if len(numbers) == 1 or kind == "cagra" else [numbers[:1], numbers]
    for chosen in choices:
        try:
            return GpuScan(faiss, chosen, kind, stored, codes)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
    log.warning("%d vectors do not fit on %d GPUs (%s); the processor searches them", len(codes), len(chosen), reason)
    return None


class GpuScan:
    """Finds the nearest of a segment's rows on GPUs. Safe to search from several threads, one at a time."""

    most = MOST_RESULTS

    def __init__(self, faiss: ModuleType, numbers: Sequence[int], kind: Kind, stored: Stored, codes: Rows) -> None:
        self._stored, self._codes, self._made = stored, codes, STRUCTURES[kind]
        self._index = self._made.build(faiss, list(numbers), stored, codes)
        self._lock = threading.Lock()

    def search(self, queries: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
        """As `fastscan.Scan.search`; fewer where the structure finds fewer, then -1 stands for a row."""
        candidates = min(self._made.candidates * count + TIES, len(self._codes), MOST_RESULTS)
        with self._lock:
            _, rows = self._index.search(queries, candidates)
        return rescored(self._stored, self._codes, queries, rows, count)


@dataclass(frozen=True, slots=True)
class Structure:
    """How an index is made on GPUs, and how many candidates are scored again for each row wanted."""

    build: Callable[[ModuleType, list[int], Stored, Rows], Any]
    candidates: int


def _moved(faiss: ModuleType, numbers: list[int], index: Any) -> Any:
    """FAISS's copy of an index on GPUs, each with its share of the vectors where there are several."""
    options = faiss.GpuMultipleClonerOptions()
    options.shard, options.useFloat16 = len(numbers) > 1, True
    return faiss.index_cpu_to_gpus_list(index, options, numbers)


def _filled(index: Any, stored: Stored, codes: Rows) -> Any:
    if not index.is_trained:
        index.train(stored.decode(codes[:: max(1, len(codes) // LEARNT_FROM)]))
    for start in range(0, len(codes), BLOCK):
        index.add(stored.decode(codes[start : start + BLOCK]))
    return index


def _flat(faiss: ModuleType, numbers: list[int], stored: Stored, codes: Rows) -> Any:
    # Half precision holds every 8-bit integer; the copy in this machine's memory goes when it has been made there.
    return _moved(faiss, numbers, _filled(faiss.IndexFlatIP(stored.dim), stored, codes))


def _inverted(faiss: ModuleType, numbers: list[int], stored: Stored, codes: Rows, content: str) -> Any:
    lists = max(1, int(4 * len(codes) ** 0.5))
    index = faiss.index_factory(stored.dim, f"IVF{lists},{content}", faiss.METRIC_INNER_PRODUCT)
    # Set before it is moved: a copy on GPUs takes it over.
    index.nprobe = max(1, int(lists * PROBED))
    return _filled(_moved(faiss, numbers, index), stored, codes)


def _lists(faiss: ModuleType, numbers: list[int], stored: Stored, codes: Rows) -> Any:
    return _inverted(faiss, numbers, stored, codes, "Flat")


def _quantised_lists(faiss: ModuleType, numbers: list[int], stored: Stored, codes: Rows) -> Any:
    # Parts of 8 bits, of which a GPU takes 8, 16, 32, 48, 56, 64 or 96 where they divide the vector.
    parts = next(parts for parts in (64, 56, 48, 32, 16, 8, 4, 2, 1) if stored.dim % parts == 0)
    return _inverted(faiss, numbers, stored, codes, f"PQ{parts}")


def _graph(faiss: ModuleType, numbers: list[int], stored: Stored, codes: Rows) -> Any:
    config = faiss.GpuIndexCagraConfig()
    config.device = numbers[0]
    index = faiss.GpuIndexCagra(faiss.StandardGpuResources(), stored.dim, faiss.METRIC_INNER_PRODUCT, config)
    index.train(stored.decode(codes))
    return index


STRUCTURES: Mapping[str, Structure] = {
    "flat": Structure(_flat, 1),
    "ivf-flat": Structure(_lists, 1),
    "ivf-pq": Structure(_quantised_lists, 6),
    "cagra": Structure(_graph, 2),
}
