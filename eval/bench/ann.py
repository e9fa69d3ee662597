"""Structures that find the nearest of many vectors, beside scoring them all: what each finds, takes and costs.

    python eval/bench/ann.py --data ../shared/data/parallel [--lang de] [--size 10000 --size 150000] [--graphs]

Vectors are those of distinct sentences by the encoder that ships, in 8 bits as an index keeps them: of one language
(`--lang`), or of all but English; the questions are English sentences, so that what is measured is search across
languages. Every structure's candidates are scored again on the 8-bit vectors. Appends a row for each structure and
setting to `eval/results/ann.jsonl`: recall of exact search's ten and hundred best, milliseconds of one thread's
processor time for a hundred results, as a ratio to exact search in the same run too, bytes a vector beside the 8-bit
ones, seconds to build. `--graphs` builds HNSW too, which takes long. `--keep FOLDER` keeps the vectors for another run.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core.extras import need_faiss
from xsearch.encode import load_encoder
from xsearch.retrieve.codes import Quantizer, decode, header, usual_clip
from xsearch.retrieve.fastscan import CANDIDATES, parts_of, quantise
from xsearch.retrieve.stored import stored_as

ROOT = Path(__file__).resolve().parents[2]
SEED = 5
QUERIES = 200
DEPTH = 100
FETCH = 131
"""Windows that the dense retriever fetches for a hundred passages of a window or little more each."""


def sentences(data: Path, lang: str | None) -> tuple[list[str], list[str]]:
    """Distinct sentences of a language, or of all but English, in random order, and English ones to ask with."""
    found: dict[str, dict[str, None]] = {}
    for path in sorted(data.glob("*.jsonl.xz")):
        if path.name.endswith(".sections.jsonl.xz"):
            continue
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                for code, text in json.loads(line).items():
                    if isinstance(text, str) and 2 <= len(code) <= 3 and len(text) > 20:
                        found.setdefault(code, {})[text] = None
    rng = np.random.default_rng(SEED)
    english = list(found.pop("en"))
    wanted = found if lang is None else {lang: found[lang]}
    texts = [text for several in wanted.values() for text in several]
    asked = [english[i] for i in rng.permutation(len(english))[:QUERIES]]
    return [texts[i] for i in rng.permutation(len(texts))], asked


def read_vectors(data: Path, lang: str | None, most: int, keep: Path | None) -> tuple[Any, Any]:
    """Codes of passages, uint8 (n, dim), and vectors of questions, float32."""
    kept = keep / f"{lang or 'all'}-{most}.npz" if keep else None
    if kept and kept.is_file():
        with np.load(kept) as saved:
            return saved["codes"], saved["queries"]
    texts, asked = sentences(data, lang)
    encoder = load_encoder()
    quantizer = Quantizer(encoder.card.dim, usual_clip(encoder.card.dim))
    blocks = []
    for start in range(0, min(most, len(texts)), 20_000):
        encoded = encoder.encode_queries(texts[start : min(start + 20_000, most)])
        blocks.append(quantizer.encode(encoded[np.any(encoded != 0, axis=1)]))
    codes, queries = np.concatenate(blocks), encoder.encode_queries(asked)
    if kept:
        keep.mkdir(parents=True, exist_ok=True)
        np.savez(kept, codes=codes, queries=queries)
    return codes, queries


@dataclass(frozen=True)
class Vectors:
    """Codes, uint8 (n, dim), with FAISS's index that scores them all."""

    faiss: Any
    codes: Any
    exact: Any
    whole: Any

    @staticmethod
    def of(faiss: Any, codes: Any) -> Vectors:
        """With the memory that the index reads."""
        whole = np.frombuffer(header(*codes.shape) + codes.tobytes(), np.uint8)
        return Vectors(faiss, codes, faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(whole), len(whole))), whole)

    @property
    def dim(self) -> int:
        return int(self.codes.shape[1])

    def into(self, index: Any) -> Any:
        """The index with all vectors in it, trained on some of them."""
        if not index.is_trained:
            index.train(decode(self.codes[:: max(1, len(self.codes) // 50_000)]))
        for start in range(0, len(self.codes), 16_384):
            index.add(decode(self.codes[start : start + 16_384]))
        return index


def pq4(vectors: Vectors, parts: int) -> Any:
    """What a dense index has for a large segment."""
    stored = stored_as({"dim": vectors.dim, "clip": usual_clip(vectors.dim), "codes": "int8"})
    written = quantise(stored, vectors.codes, parts)
    return vectors.faiss.deserialize_index(np.frombuffer(written, np.uint8))


def by_name(vectors: Vectors, name: str) -> Any:
    """Of FAISS's factory."""
    return vectors.into(vectors.faiss.index_factory(vectors.dim, name, vectors.faiss.METRIC_INNER_PRODUCT))


def inverted(vectors: Vectors, cells: int) -> Any:
    """Inverted lists of the 8-bit codes themselves."""
    faiss = vectors.faiss
    means = faiss.Kmeans(vectors.dim, cells, niter=10, spherical=True, seed=1, max_points_per_centroid=64)
    means.train(decode(vectors.codes[:: max(1, len(vectors.codes) // (64 * cells))]))
    coarse = faiss.IndexFlatIP(vectors.dim)
    coarse.add(means.centroids)
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index = faiss.IndexIVFScalarQuantizer(coarse, vectors.dim, cells, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.is_trained = True
    return vectors.into(index)


def graph(vectors: Vectors) -> Any:
    """A graph of 16 neighbours over the 8-bit codes."""
    faiss = vectors.faiss
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index = faiss.IndexHNSWSQ(vectors.dim, kind, 16, faiss.METRIC_INNER_PRODUCT)
    index.is_trained = True
    return vectors.into(index)


def refined(vectors: Vectors, factor: int, index: Any) -> Any:
    """Scores so many candidates for each result again."""
    index = vectors.faiss.IndexRefine(index, vectors.exact)
    index.k_factor = factor
    return index


def probed(cells: int, index: Any) -> Any:
    """Reads so many lists."""
    index.nprobe = cells
    return index


def walked(width: int, index: Any) -> Any:
    """Keeps so many candidates on the way."""
    index.hnsw.efSearch = width
    return index


Setting = tuple[str, Callable[[Any], Any]]


def structures(vectors: Vectors, graphs: bool) -> Iterator[tuple[str, Callable[[], Any], list[Setting]]]:
    """Each structure: its name, what builds it, its settings."""

    def factors(*several: int) -> list[Setting]:
        return [(f"candidates x{factor}", partial(refined, vectors, factor)) for factor in several]

    parts = parts_of(vectors.dim)
    yield f"pq4, {parts} parts", partial(pq4, vectors, parts), factors(2, CANDIDATES, 6)
    yield f"pq4, {parts // 2} parts", partial(pq4, vectors, parts // 2), factors(CANDIDATES, 6)
    yield "RaBitQ, scanned fast", partial(by_name, vectors, "RaBitQfs"), factors(CANDIDATES, 8)
    cells = max(64, int(len(vectors.codes) ** 0.5) // 64 * 64)
    probes = [(f"nprobe {cells // share}", partial(probed, cells // share)) for share in (64, 16, 4, 2)]
    yield f"IVF{cells},SQ8", partial(inverted, vectors, cells), probes
    yield (
        f"IVF{cells},RaBitQ",
        partial(by_name, vectors, f"IVF{cells},RaBitQ"),
        [(f"nprobe {cells // 4}, candidates x8", lambda index: refined(vectors, 8, probed(cells // 4, index)))],
    )
    if graphs:
        widths = [(f"efSearch {width}", partial(walked, width)) for width in (64, 256, 1024)]
        yield "HNSW16,SQ8", partial(graph, vectors), widths


def milliseconds(index: Any, queries: Any) -> float:
    """Processor time of a query, alone."""
    for query in queries[:5]:
        index.search(query[None], FETCH)
    started = time.thread_time()
    for query in queries:
        index.search(query[None], FETCH)
    return 1000 * (time.thread_time() - started) / len(queries)


def recall(truth: Any, found: Any, k: int) -> float:
    """The share of the `k` best that is among those found."""
    return float(np.mean([len(np.intersect1d(a[:k], b[:k])) / k for a, b in zip(truth, found, strict=True)]))


def measure(codes: Any, queries: Any, graphs: bool) -> Iterator[dict[str, Any]]:
    """A row for each structure and setting."""
    faiss = need_faiss()
    faiss.omp_set_num_threads(1)
    vectors = Vectors.of(faiss, codes)
    asked, _ = Quantizer(vectors.dim, usual_clip(vectors.dim)).encode_queries(queries)
    _, truth = vectors.exact.search(asked, DEPTH)
    base = milliseconds(vectors.exact, asked[:60])
    common = {"vectors": len(codes), "dim": vectors.dim}
    yield {**common, "kind": "exact", "setting": "", "recall@10": 1.0, "recall@100": 1.0, "ms": round(base, 4)}
    for kind, build, settings in structures(vectors, graphs):
        started = time.thread_time()
        index = build()
        seconds = time.thread_time() - started
        # The codes are there anyway: what counts is what stands beside them.
        beside = faiss.serialize_index(index).nbytes - ("SQ8" in kind) * codes.nbytes
        for setting, apply in settings:
            ready = apply(index)
            found = ready.search(asked, FETCH)[1][:, :DEPTH]
            taken = milliseconds(ready, asked[:60])
            yield {
                **common,
                "kind": kind,
                "setting": setting,
                "recall@10": round(recall(truth, found, 10), 4),
                "recall@100": round(recall(truth, found, DEPTH), 4),
                "ms": round(taken, 4),
                "time_of_exact": round(taken / base, 3),
                "bytes_beside": round(beside / len(codes), 1),
                "build_seconds": round(seconds, 1),
            }


def main() -> None:
    """Measure and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--lang", help="of the passages; default: all but English")
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--graphs", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "ann.jsonl")
    given = parser.parse_args()
    if not given.data.is_dir():
        sys.exit(f"no parallel text at {given.data}: point at it with --data")
    sizes = given.size or [10_000, 150_000]
    codes, queries = read_vectors(given.data, given.lang, max(sizes), given.keep)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    for size in sizes:
        for row in measure(np.ascontiguousarray(codes[:size]), queries, given.graphs):
            made = {
                "bench": "ann", "languages": given.lang or "all but en", **row,
                "command": "python eval/bench/ann.py"
                + (f" --lang {given.lang}" if given.lang else "") + f" --size {size}" + " --graphs" * given.graphs,
                "commit": commit.stdout.strip(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "load": round(os.getloadavg()[0], 1), "date": time.strftime("%Y-%m-%d"),
            }  # fmt: skip
            print(json.dumps(made), flush=True)
            with given.results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
