"""Search of passages by vectors, in 8 bits a component unless the recipe says otherwise.

A language has its own segments, in ascending passage number; a commit adds one to each language it touches, and many
small ones become one (`merge_from`). Every window of a segment is scored, by FAISS in a large index when it is
installed, by numpy otherwise; `retrieve.codes` makes their answers the same. In a large segment FAISS scans quantised
vectors first and scores what that finds (`retrieve.fastscan`), unless the recipe asks for exact search.
`retrieve.stored` keeps vectors in other ways, `retrieve.windows` finds the best passages in a segment.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import EncoderMismatch, FloatArray, IntArray, Mask, PassageBatch, Query, Ranking, Windows
from xsearch.core.extras import have, need_faiss
from xsearch.retrieve.best import best_above
from xsearch.retrieve.codes import usual_clip
from xsearch.retrieve.fastscan import FROM_WINDOWS, parts_of, quantise
from xsearch.retrieve.gpu import FROM_WINDOWS as FROM_WINDOWS_GPU
from xsearch.retrieve.gpu import Kind, gpus, on_gpus
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.stored import Int8, Rows, Stored, stored_as
from xsearch.retrieve.threads import one_thread
from xsearch.retrieve.windows import Segment, codes_name, map_owners, owners_name, quantised_name
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

MAX_SEGMENTS = 8
"""Segments of a language before a flush merges some."""
FAISS_WINDOWS = 50_000
"""Below this, numpy answers in less time than a few queries need to import FAISS (a quarter of a second)."""
BUFFER_BYTES = 256 << 20
"""Codes a writer holds before it makes segments of them ahead of the flush."""
SAMPLE = 256
"""Windows of a language whose scores stand for all of its windows' scores."""
MERGED_AT_ONCE = 1 << 12
"""Windows copied at once when segments are merged."""
COMPILED_SEARCHES = 1000
"""Searches of an index after which a compiled loop over its sample pays for numba being loaded (half a second)."""
LOADED_SEARCHES = 50
"""The same where numba is loaded anyway, and only the loop is not."""

Entry = dict[str, int]
"""A segment in the state: first and last passage number, windows; "parts" where they are quantised, "made", the commit
that did, where vectors were made anew."""


class DenseWriter:
    """Appends window vectors to the segments of `folder`.

    state: what `flush` last returned and the manifest committed; for a new index `{}`, with "codes" for vectors kept
    otherwise than as int8 (`retrieve.stored`), "search": "exact" to quantise none, and "clip" for an encoder whose
    components reach beyond the usual (`retrieve.codes`). high_water: the first passage number not yet given away.
    Segments that `state` does not name take no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._next = high_water
        self._dim: int = state.get("dim", 0)
        self._clip: float = state.get("clip", 0.0)
        self._kind: str = state.get("codes", "int8")
        self._exact: bool = state.get("search") == "exact"
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._buffers: dict[str, list[tuple[Rows, IntArray]]] = {}
        self._buffered = 0
        self._made = 0
        self.through = int(state.get("through", 0))
        """Generated questions stored up to this commit are in, besides those that the generation was made with."""

    def add(self, batch: PassageBatch) -> None:
        """Append the windows of `batch` as `append` does, if it has any."""
        if batch.windows is None:
            self._next = next_number(self._next, batch.numbers)
        else:
            self.append(batch.numbers, batch.langs, batch.windows)

    def append(self, numbers: IntArray, langs: Sequence[str], windows: Windows) -> None:
        """Append windows of passages; one that is all zero (a text without a known word) is left out.

        numbers: int64 (n,), of the passages, langs the language of each. windows: whose owners are such numbers. Raises
        ValueError when numbers were given before or do not ascend, when an owner is none of them or a vector is not
        finite; `EncoderMismatch` when vectors are of another dimension than those before.
        """
        self._next = next_number(self._next, numbers)
        vectors, owners = windows.vectors, windows.owners
        if not len(owners):
            return
        codes = self._stored_for(vectors.shape[1]).encode(vectors)
        rows = np.searchsorted(numbers, owners)
        if np.any(np.diff(owners) < 0) or not np.isin(owners, numbers).all():
            raise ValueError("owners of windows must ascend and be passages of the batch")
        spoken = np.any(vectors != 0, axis=1)
        spoken_langs = np.array(langs)[rows]
        for lang in sorted(set(spoken_langs[spoken].tolist())):
            chosen = spoken & (spoken_langs == lang)
            self._buffers.setdefault(lang, []).append((codes[chosen], owners[chosen].astype(np.int64)))
        self._buffered += codes.nbytes
        if self._buffered >= BUFFER_BYTES:
            self._write_buffers()

    def rewind(self, firsts: Mapping[str, int], commit: int) -> dict[str, int]:
        """Drop vectors that are no longer right: by language, the segments from that of passage `firsts[language]` on.

        Returns the numbers from which on all passages of each language are to be appended again, before any other.
        commit: the one that will have them, by which their files are told from those dropped.
        """
        begins = {}
        for lang, first in firsts.items():
            entries = self._segments.get(lang, [])
            kept = [entry for entry in entries if entry["last"] < first]
            dropped = entries[len(kept) :]
            begins[lang] = min(first, dropped[0]["first"]) if dropped else first
            self._segments[lang] = kept
        self._segments = {lang: entries for lang, entries in self._segments.items() if entries}
        self._next, self._made = min(begins.values(), default=self._next), commit
        return begins

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "dim", "clip", "codes" (where they are not int8), "search" (where it is exact), "through"
        (where it is not 0), "languages" (a list of segments each), "files" (paths relative to the folder). Raises
        `CannotWrite` when the disk refuses.
        """
        reach("retrieve.dense.flush.before")
        self._write_buffers()
        for lang, entries in self._segments.items():
            if len(entries) > MAX_SEGMENTS:
                start = merge_from([entry["windows"] for entry in entries])
                entries[start:] = [self._merge(lang, entries[start:])]
                reach("retrieve.dense.flush.merged")
        self._quantise()
        reach("retrieve.dense.flush.after")
        languages = {lang: list(entries) for lang, entries in sorted(self._segments.items())}
        state: dict[str, Any] = {"dim": self._dim, "clip": self._clip}
        if self._kind != "int8":
            state["codes"] = self._kind
        if self._exact:
            state["search"] = "exact"
        if self.through:
            state["through"] = self.through
        stored = self._stored
        entries_of = [(lang, e) for lang, es in languages.items() for e in es]
        vectors = [codes_name(lang, e, stored.suffix) for lang, e in entries_of] if stored else []
        owners = [owners_name(lang, e) for lang, e in entries_of]
        quantised = [quantised_name(lang, e) for lang, e in entries_of if "parts" in e]
        return {**state, "languages": languages, "files": sorted(vectors + owners + quantised)}

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._buffers.clear()

    @property
    def _stored(self) -> Stored | None:
        return stored_as({"dim": self._dim, "clip": self._clip, "codes": self._kind})

    def _stored_for(self, dim: int) -> Stored:
        """How vectors of `dim` components are kept; the first call settles the index's dimension."""
        if not self._dim:
            self._dim, self._clip = dim, self._clip or usual_clip(dim)
        stored = self._stored
        if self._dim != dim or stored is None:
            raise EncoderMismatch(
                f"{self._folder} holds vectors of {self._dim} components, the encoder made {dim}: "
                "use the encoder the index was built with, or build a new index"
            )
        return stored

    def _write_buffers(self) -> None:
        for lang, parts in sorted(self._buffers.items()):
            owners = np.concatenate([part for _, part in parts])
            entry = self._write_segment(lang, owners, (codes for codes, _ in parts), self._made)
            self._segments.setdefault(lang, []).append(entry)
        self._buffers.clear()
        self._buffered = 0

    def _write_segment(self, lang: str, owners: IntArray, blocks: Iterator[Rows], made: int) -> Entry:
        """Write a segment; `blocks` are its codes in order. made: the last commit that made vectors of it anew, or
        0."""
        rows, stored = len(owners), self._stored_for(self._dim)
        entry = {"first": int(owners[0]), "last": int(owners[-1]), "windows": rows, **({"made": made} if made else {})}

        def content() -> Iterator[bytes]:
            yield stored.header(rows)
            for block in blocks:
                yield block.tobytes()

        packed = io.BytesIO()
        np.save(packed, owners.astype("<i8"))
        self._files.make_folder(self._folder / lang)
        reach("retrieve.dense.write.before")
        durable_write(self._files, self._folder / codes_name(lang, entry, stored.suffix), content())
        reach("retrieve.dense.write.codes")
        durable_write(self._files, self._folder / owners_name(lang, entry), packed.getvalue())
        reach("retrieve.dense.write.after")
        return entry

    def _quantise(self) -> None:
        """Give segments that have become large what finds candidates in them (`retrieve.fastscan`), a thread each."""
        stored, parts = self._stored, parts_of(self._dim)
        if self._exact or stored is None or not parts or not have("faiss"):
            return
        large = [
            (lang, place, entry)
            for lang, entries in self._segments.items()
            for place, entry in enumerate(entries)
            if entry["windows"] >= FROM_WINDOWS and "parts" not in entry
        ]

        def quantised(lang: str, entry: Entry) -> bytes:
            rows = stored.map(self._folder / codes_name(lang, entry, stored.suffix), entry["windows"])[1]
            return quantise(stored, rows, parts)

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for (lang, place, entry), content in zip(
                large, threads.map(quantised, [lang for lang, _, _ in large], [e for _, _, e in large]), strict=True
            ):
                durable_write(self._files, self._folder / quantised_name(lang, entry), content)
                reach("retrieve.dense.flush.quantised")
                self._segments[lang][place] = {**entry, "parts": parts}

    def _merge(self, lang: str, entries: Sequence[Entry]) -> Entry:
        stored = self._stored_for(self._dim)
        owners = [map_owners(self._folder / owners_name(lang, e), e["windows"]) for e in entries]
        blocks = (
            codes[start : start + MERGED_AT_ONCE]
            for e in entries
            for codes in [stored.map(self._folder / codes_name(lang, e, stored.suffix), e["windows"])[1]]
            for start in range(0, e["windows"], MERGED_AT_ONCE)
        )
        return self._write_segment(lang, np.concatenate(owners), blocks, max(e.get("made", 0) for e in entries))


class Dense:
    """One snapshot of a dense index, safe to search from several threads; writes nothing.

    name: the key of this retriever's vectors in `Query.vectors`. device: where large segments are searched, as
    `encode.Runtime` has it; on a GPU (`retrieve.gpu`), in the structure `gpu`. Files are mapped when opened and read
    when first searched. Raises `IndexDamaged` when a file is missing or does not fit the state.
    """

    def __init__(
        self, folder: Path, state: Mapping[str, Any], *, name: str = "dense", device: str = "auto", gpu: Kind = "flat"
    ) -> None:
        self._name, self._device, self._gpu = name, device, gpu
        self._exact = state.get("search") == "exact"
        self._stored = stored = stored_as(state)
        self._dim = dim = state.get("dim", 0)
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {}) if stored else {}
        self._segments = {
            lang: [Segment(folder, lang, entry, stored) for entry in entries if stored]
            for lang, entries in languages.items()
        }
        self._sample: FloatArray = np.empty((0, dim), dtype=np.float32)
        self._narrow: NDArray[np.int8] | None = None
        self._searched = 0
        self._sample_starts: list[int] = []
        self._is_prepared = False
        self._faiss: ModuleType | None = None
        self._lock = threading.Lock()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language (of `langs` alone if given), by cosine, then passage number.

        A passage's score is its best window's. allowed: passages that may be returned; `depth` of a language come
        whenever it has them. `query.exact` has all windows scored, also in large segments. The ranking's background is
        mean and standard deviation of this query's scores over a sample of each language's windows. A query without a
        vector, or with one that is all zero, finds nothing. Raises `EncoderMismatch` when the vector is of another
        dimension than the index. Runs in one thread.
        """
        with one_thread(self._prepared()):
            return self._search(query, depth, allowed, langs)

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1: vectors compare across languages; how well is the encoder's to say."""
        return 1.0

    def languages(self) -> list[str]:
        """The languages that have vectors, sorted."""
        return sorted(self._segments)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._segments = {}

    def _prepared(self) -> ModuleType | None:
        """Read the samples and decide on FAISS, once; the module if it is used."""
        with self._lock:
            if not self._is_prepared:
                everything = [segment for segments in self._segments.values() for segment in segments]
                many = sum(segment.rows for segment in everything) >= FAISS_WINDOWS
                if many and have("faiss"):
                    self._faiss = need_faiss()
                    self._use_faiss(self._faiss, everything)
                stored = self._stored
                taken = (sample(segments, stored) for segments in self._segments.values() if stored)
                samples = [self._sample, *taken]
                self._sample_starts = np.cumsum([len(rows) for rows in samples])[:-1].tolist()
                self._sample = np.concatenate(samples)
                self._is_prepared = True
        return self._faiss

    def _use_faiss(self, faiss: ModuleType, segments: Sequence[Segment]) -> None:
        numbers = gpus(faiss, self._device) if self._stored and not self._exact else ()
        least = FROM_WINDOWS_GPU if self._device == "auto" else FROM_WINDOWS
        for segment in segments:
            on_gpu = None
            if numbers and self._stored and segment.rows >= least:
                on_gpu = on_gpus(faiss, numbers, self._gpu, self._stored, segment.codes)
            segment.use_faiss(faiss, on_gpu)

    def _search(self, query: Query, depth: int, allowed: Mask | None, langs: Collection[str] | None) -> Ranking:
        held, vector = self._segments, query.vectors.get(self._name)
        if self._stored is None or not held or vector is None:
            return Ranking.of([], [])
        if len(vector) != self._dim:
            raise EncoderMismatch(
                f"the index holds vectors of {self._dim} components, the query's has {len(vector)}: "
                "use the encoder the index was built with"
            )
        integers, factors = self._stored.encode_queries(np.asarray(vector, dtype=np.float32)[None])
        factor = factors[0]
        wanted = [lang for lang in held if langs is None or lang in langs]
        segments = [segment for lang in wanted for segment in held[lang]]
        if not factor or not segments:
            return Ranking.of([], [])
        groups = [number for number, lang in enumerate(wanted) for _ in held[lang]]
        parts = [segment.best(integers, depth, allowed, query.exact) for segment in segments]
        best, short = best_above(parts, groups, depth)
        if short:
            for number in short:
                parts[number] = segments[number].best(integers, depth, allowed, exact=True)
            best, _ = best_above(parts, groups, depth)
        spread = dict(zip(held, (self._spread(integers) * factor).tolist(), strict=True))
        background = {lang: (spread[lang][0], spread[lang][1]) for lang in wanted}
        return Ranking(best.passages, (best.scores * factor).astype(np.float32), background)

    def _sample_products(self, query: FloatArray) -> FloatArray:
        """Products of the rows of the sample with a query, float32 (n,). Those of 8-bit codes are whole numbers, the
        same whatever computes them: a compiled loop reads a quarter of the bytes."""
        self._searched += 1
        few = self._searched < (LOADED_SEARCHES if "numba" in sys.modules else COMPILED_SEARCHES)
        if few or not isinstance(self._stored, Int8) or not have("numba"):
            return np.asarray(self._sample @ query)
        from xsearch.retrieve.codes_numba import products

        if self._narrow is None:
            self._narrow = self._sample.astype(np.int8)
        found: FloatArray = products(self._narrow, query)
        return found

    def _spread(self, integers: FloatArray) -> NDArray[np.float64]:
        """Mean and standard deviation of a query's products over each language's sample, float64 (languages, 2)."""
        products = self._sample_products(integers[0]).astype(np.float64)
        sizes = np.diff(self._sample_starts, append=len(products))
        means = np.add.reduceat(products, self._sample_starts) / sizes
        squares = np.add.reduceat(products * products, self._sample_starts) / sizes
        # Sums of whole numbers: a variance below zero could only be a last bit's.
        return np.stack((means, np.sqrt(np.maximum(squares - means * means, 0.0))), axis=1)


def merge_from(windows: Sequence[int]) -> int:
    """Which segments, from the one returned to the last, to make one: the last two at least, and every earlier one
    that is less than twice what follows it. So each window is rewritten about log2(n) times, not at every merge."""
    start = len(windows) - 2
    total = sum(windows[start:])
    while start > 0 and windows[start - 1] < 2 * total:
        start -= 1
        total += windows[start]
    return start


def sample(segments: Sequence[Segment], stored: Stored) -> FloatArray:
    """At most `SAMPLE` rows of vectors, decoded, evenly spread over a language's windows in passage order: float32
    (n, dim).

    Which rows are taken depends on the windows alone, not on how they are divided into segments.
    """
    total = sum(segment.rows for segment in segments)
    wanted = np.arange(min(SAMPLE, total)) * total // min(SAMPLE, total)
    parts, before = [], 0
    for segment in segments:
        inside = wanted[(wanted >= before) & (wanted < before + segment.rows)] - before
        parts.append(stored.decode(segment.codes[inside]))
        before += segment.rows
    return np.concatenate(parts)
