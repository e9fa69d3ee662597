"""Vector search on GPUs beside the processor: what each structure finds, how fast, against the memory's speed.

    python eval/bench/gpu.py [--vectors FILE.npy --queries FILE.npy] [--size 1000000] [--size 10000000] [--gpus 0]

Needs FAISS built for GPUs (`pip install 'xsearch-clir[dense-gpu]'`; for CAGRA the build with cuVS). It has not been run
on a GPU yet. Vectors are float32 (n, dim), of unit length; without a file, vectors about 4,096 centres are drawn, which
stand for text in speed but not in recall. Every structure of `retrieve.gpu` is built as an index builds it and asked 1,
32 and 1,024 questions at once. A row each goes to `eval/results/gpu.jsonl`: queries a second, recall of exact search's
ten and hundred best, seconds to build; for `flat` one question at a time, also the bytes read a second, to be held
against the card's memory bandwidth, which the script measures by copying; and the same for the processor's own search.
Speed of neural encoders and of late interaction have scripts of their own (`encode.py`, `colbert.py`).
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import UsageError
from xsearch.core.extras import need_faiss
from xsearch.retrieve.codes import header, usual_clip
from xsearch.retrieve.gpu import STRUCTURES, gpus, on_gpus
from xsearch.retrieve.stored import stored_as

ROOT = Path(__file__).resolve().parents[2]
DEPTH = 100
BATCHES = (1, 32, 1024)
SECONDS = 2.0
BLOCK = 1 << 16


def drawn(count: int, dim: int, seed: int) -> Any:
    """Unit vectors about common centres, float32 (count, dim)."""
    centres = np.random.default_rng(0).standard_normal((4096, dim)).astype(np.float32)
    rng = np.random.default_rng(seed)
    vectors = np.empty((count, dim), dtype=np.float32)
    for start in range(0, count, BLOCK):
        rows = min(BLOCK, count - start)
        noise = rng.standard_normal((rows, dim), dtype=np.float32)
        vectors[start : start + rows] = centres[rng.integers(0, len(centres), rows)] + noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def per_second(search: Callable[[Any], Any], queries: Any, batch: int) -> float:
    """Queries a second, so many at once, over at least `SECONDS`."""
    search(queries[:batch])
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        at = done % max(1, len(queries) - batch + 1)
        search(queries[at : at + batch])
        done += batch
    return done / (time.perf_counter() - started)


def speeds(search: Callable[[Any, int], Any], queries: Any) -> dict[str, float]:
    """`per_second` for each size of batch."""
    return {f"qps_{batch}": round(per_second(lambda q: search(q, DEPTH), queries, batch), 1) for batch in BATCHES}


def bandwidth() -> float | None:
    """Bytes a second that the first GPU reads and writes when it copies its own memory; None without torch."""
    try:
        import torch
    except ImportError:
        return None
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        target.copy_(source)
    torch.cuda.synchronize()
    return 20 * 2 * source.numel() / (time.perf_counter() - started)


def recall(truth: Any, found: Any, k: int) -> float:
    """The share of the `k` best that is among the first `k` found."""
    return float(np.mean([len(np.intersect1d(a[:k], b[:k])) / k for a, b in zip(truth, found, strict=True)]))


def measure(faiss: Any, numbers: tuple[int, ...], vectors: Any, queries: Any) -> Iterator[dict[str, Any]]:
    """Rows for one collection: the processor's flat search, then every structure on the GPUs."""
    count, dim = vectors.shape
    stored = stored_as({"dim": dim, "clip": usual_clip(dim), "codes": "int8"})
    codes = np.concatenate([stored.encode(vectors[start : start + BLOCK]) for start in range(0, count, BLOCK)])
    asked, _ = stored.encode_queries(queries)
    whole = np.frombuffer(header(count, dim) + codes.tobytes(), np.uint8)
    exact = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(whole), len(whole)))
    products, truth = exact.search(asked[:256], DEPTH)
    common = {"vectors": count, "dim": dim, "depth": DEPTH}
    yield {**common, "structure": "flat, processor", **speeds(exact.search, asked)}
    for kind in STRUCTURES:
        started = time.perf_counter()
        try:
            scan = on_gpus(faiss, numbers, kind, stored, codes)
        except UsageError as error:
            yield {**common, "structure": kind, "left_out": str(error)}
            continue
        seconds = time.perf_counter() - started
        if scan is None:
            yield {**common, "structure": kind, "left_out": "does not fit"}
            continue
        scores, found = scan.search(asked[:256], DEPTH)
        # `gpu_`: FAISS alone, without scoring candidates again here, which is what the card does.
        row = {**common, "structure": kind, "build_seconds": round(seconds, 2), **speeds(scan.search, asked)}
        row |= {f"gpu_{name}": value for name, value in speeds(scan._index.search, asked).items()}
        row |= {f"recall@{k}": round(recall(truth, found, k), 4) for k in (10, DEPTH)}
        if kind == "flat":
            row["bytes_per_second"] = row["gpu_qps_1"] * count * dim * 2
            row["largest_difference"] = float(np.abs(scores - products).max())
        yield row


def main() -> None:
    """Measure and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--size", type=int, action="append")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--gpus", default="0", help="numbers, e.g. 0,1")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "gpu.jsonl")
    given = parser.parse_args()
    faiss = need_faiss()
    numbers = gpus(faiss, ",".join(f"cuda:{number}" for number in given.gpus.split(",")))
    if not numbers:
        sys.exit("no GPU that FAISS can use: install 'xsearch-clir[dense-gpu]' in an environment without faiss-cpu")
    card = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    made = {
        "bench": "gpu",
        "commit": commit.stdout.strip(),
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{card.stdout.strip().splitlines()[0]} x{len(numbers)}, {platform.machine()}",
        "faiss": faiss.__version__,
        "copy_bytes_per_second": bandwidth(),
        "date": time.strftime("%Y-%m-%d"),
    }
    for size in given.size or [1_000_000]:
        vectors = np.load(given.vectors, mmap_mode="r")[:size] if given.vectors else drawn(size, given.dim, 1)
        queries = np.load(given.queries)[:2048] if given.queries else drawn(2048, vectors.shape[1], 2)
        for row in measure(faiss, numbers, vectors, queries):
            print(json.dumps(made | row), flush=True)
            with given.results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(made | row) + "\n")


if __name__ == "__main__":
    main()
