"""Exact search of passages by vectors: every window of every passage is scored, in 8 bits a component.

A language has its own segments, in ascending passage number; a commit adds one to each language it touches, and many
small ones become one (`merge_from`). FAISS does the scoring in a large index when it is installed, numpy otherwise;
`retrieve.codes` makes their answers the same, `retrieve.windows` finds the best passages in a segment.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import EncoderMismatch, FloatArray, IntArray, Mask, PassageBatch, Query, Ranking
from xsearch.core.extras import have, need_faiss
from xsearch.retrieve.codes import Codes, Quantizer, header, map_codes
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.windows import Best, Segment, codes_name, map_owners, owners_name
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

MAX_SEGMENTS = 8
"""Segments of a language before a flush merges some."""
FAISS_WINDOWS = 50_000
"""Below this, numpy answers in less time than a few queries need to import FAISS (a quarter of a second)."""
BUFFER_BYTES = 256 << 20
"""Codes a writer holds before it makes segments of them ahead of the flush."""
SAMPLE = 512
"""Windows of a language whose scores stand for all of its windows' scores."""
QUERIES_AT_ONCE = 256

Entry = dict[str, int]
"""A segment in the state: first and last passage number, windows."""


class DenseWriter:
    """Appends window vectors to the segments of `folder`.

    state: what `flush` last returned and the manifest committed, `{}` for a new index. high_water: the first
    passage number not yet given away. Segments that `state` does not name take no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._next = high_water
        self._quantizer = Quantizer(state["dim"], state["clip"]) if state.get("dim") else None
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._buffers: dict[str, list[tuple[Codes, IntArray]]] = {}
        self._buffered = 0

    def add(self, batch: PassageBatch) -> None:
        """Append the windows of `batch`; one that is all zero (a text without a known word) is left out.

        Raises ValueError when numbers were given before or do not ascend, when an owner is none of them or a
        vector is not finite; `EncoderMismatch` when vectors are of another dimension than those before.
        """
        self._next = next_number(self._next, batch.numbers)
        if batch.windows is None or len(batch.windows.owners) == 0:
            return
        vectors, owners = batch.windows.vectors, batch.windows.owners
        codes = self._quantizer_for(vectors.shape[1]).encode(vectors)
        rows = np.searchsorted(batch.numbers, owners)
        if np.any(np.diff(owners) < 0) or not np.isin(owners, batch.numbers).all():
            raise ValueError("owners of windows must ascend and be passages of the batch")
        spoken = np.any(vectors != 0, axis=1)
        langs = np.array(batch.langs)[rows]
        for lang in sorted(set(langs[spoken].tolist())):
            chosen = spoken & (langs == lang)
            self._buffers.setdefault(lang, []).append((codes[chosen], owners[chosen].astype(np.int64)))
        self._buffered += codes.nbytes
        if self._buffered >= BUFFER_BYTES:
            self._write_buffers()

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "dim", "clip", "languages" (a list of segments each), "files" (paths relative to the
        folder). Raises `CannotWrite` when the disk refuses.
        """
        reach("retrieve.dense.flush.before")
        self._write_buffers()
        for lang, entries in self._segments.items():
            if len(entries) > MAX_SEGMENTS:
                start = merge_from([entry["windows"] for entry in entries])
                entries[start:] = [self._merge(lang, entries[start:])]
                reach("retrieve.dense.flush.merged")
        reach("retrieve.dense.flush.after")
        languages = {lang: list(entries) for lang, entries in sorted(self._segments.items())}
        names = [name(lang, e) for lang, es in languages.items() for e in es for name in (codes_name, owners_name)]
        return {
            "dim": self._quantizer.dim if self._quantizer else 0,
            "clip": self._quantizer.clip if self._quantizer else 0.0,
            "languages": languages,
            "files": sorted(names),
        }

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._buffers.clear()

    def _quantizer_for(self, dim: int) -> Quantizer:
        if self._quantizer is None:
            self._quantizer = Quantizer.of(dim)
        if self._quantizer.dim != dim:
            raise EncoderMismatch(
                f"{self._folder} holds vectors of {self._quantizer.dim} components, the encoder made {dim}: "
                "use the encoder the index was built with, or build a new index"
            )
        return self._quantizer

    def _write_buffers(self) -> None:
        for lang, parts in sorted(self._buffers.items()):
            owners = np.concatenate([part for _, part in parts])
            entry = self._write_segment(lang, owners, (codes for codes, _ in parts))
            self._segments.setdefault(lang, []).append(entry)
        self._buffers.clear()
        self._buffered = 0

    def _write_segment(self, lang: str, owners: IntArray, blocks: Iterator[Codes]) -> Entry:
        """Write a segment; `blocks` are its codes in order."""
        assert self._quantizer is not None
        dim, rows = self._quantizer.dim, len(owners)
        entry = {"first": int(owners[0]), "last": int(owners[-1]), "windows": rows}

        def content() -> Iterator[bytes]:
            yield header(rows, dim)
            for block in blocks:
                yield block.tobytes()

        packed = io.BytesIO()
        np.save(packed, owners.astype("<i8"))
        self._files.make_folder(self._folder / lang)
        reach("retrieve.dense.write.before")
        durable_write(self._files, self._folder / codes_name(lang, entry), content())
        reach("retrieve.dense.write.codes")
        durable_write(self._files, self._folder / owners_name(lang, entry), packed.getvalue())
        reach("retrieve.dense.write.after")
        return entry

    def _merge(self, lang: str, entries: Sequence[Entry]) -> Entry:
        assert self._quantizer is not None
        dim = self._quantizer.dim
        owners = [map_owners(self._folder / owners_name(lang, e), e["windows"]) for e in entries]
        blocks = (
            codes[start : start + QUERIES_AT_ONCE]
            for e in entries
            for codes in [map_codes(self._folder / codes_name(lang, e), e["windows"], dim)[1]]
            for start in range(0, e["windows"], QUERIES_AT_ONCE)
        )
        return self._write_segment(lang, np.concatenate(owners), blocks)


class Dense:
    """One snapshot of a dense index, safe to search from several threads; writes nothing.

    name: the key of this retriever's vectors in `Query.vectors`. Files are mapped when opened and read when first
    searched. Raises `IndexDamaged` when a file is missing or does not fit the state.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, name: str = "dense") -> None:
        self._name = name
        self._quantizer = Quantizer(state["dim"], state["clip"]) if state.get("dim") else None
        dim = state.get("dim", 0)
        self._segments = {
            lang: [Segment(folder, lang, entry, dim) for entry in entries]
            for lang, entries in state.get("languages", {}).items()
        }
        self._samples: dict[str, FloatArray] | None = None
        self._faiss: ModuleType | None = None
        self._lock = threading.Lock()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by cosine, then passage number.

        A passage's score is its best window's. allowed: passages that may be returned; `depth` of a language come
        whenever it has them. The ranking's background is mean and standard deviation of this query's scores over
        a sample of each language's windows. A query without a vector, or with one that is all zero, finds nothing.
        Raises `EncoderMismatch` when the vector is of another dimension than the index. Runs in one thread.
        """
        with self._ready() as faiss, one_thread(faiss):
            return self._search([query], depth, allowed, langs)[0]

    def search_many(
        self,
        queries: Sequence[Query],
        depth: int,
        allowed: Mask | None = None,
        langs: Collection[str] | None = None,
    ) -> list[Ranking]:
        """`search` for each query, in as many threads as the machine has cores; the same answers."""
        rankings: list[Ranking] = []
        with self._ready():
            for start in range(0, len(queries), QUERIES_AT_ONCE):
                rankings += self._search(queries[start : start + QUERIES_AT_ONCE], depth, allowed, langs)
        return rankings
