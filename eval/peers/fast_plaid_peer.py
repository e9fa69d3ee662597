"""fast-plaid (a PLAID engine in Rust over libtorch) on token vectors that lie in a file: build, size, searches.

    python eval/peers/fast_plaid_peer.py VECTORS PASSAGES QUERIES OUT

Run by `eval/bench/colbert.py`, in an environment of its own (`fast_plaid_requirements.txt`): fast-plaid wants the torch
it was compiled against.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from fast_plaid import search

DEPTH = 100
BITS = 4
"""What fast-plaid takes unless told otherwise."""


def main() -> None:
    source, passages, queries, out = sys.argv[1:]
    torch.set_num_threads(1)
    held = np.load(source)
    starts, asked = held["starts"][: int(passages) + 1], held["query_starts"][: int(queries) + 1]
    vectors = torch.from_numpy(held["vectors"][: starts[-1]].astype(np.float32))
    documents = list(torch.split(vectors, np.diff(starts).tolist()))
    topics = list(torch.split(torch.from_numpy(held["query_vectors"][: asked[-1]]), np.diff(asked).tolist()))
    with tempfile.TemporaryDirectory() as scratch:
        engine = search.FastPlaid(index=scratch, device="cpu")
        started = time.process_time()
        engine.create(documents_embeddings=documents, nbits=BITS)
        built = time.process_time() - started
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        found, taken = [], []
        for number in [0, *range(len(topics))]:
            started = time.process_time()
            ranked = engine.search([topics[number]], top_k=DEPTH, show_progress=False)[0]
            taken.append(1000 * (time.process_time() - started))
            found.append([passage for passage, _ in ranked])
    measured = {
        "version": version("fast-plaid"),
        "bits": BITS,
        "build_s": round(built, 1),
        "bytes_a_token": round(size / len(vectors), 1),
        "ms": round(float(np.median(taken[1:])), 1),
    }
    rows = np.full((len(topics), DEPTH), -1, dtype=np.int64)
    for row, passages_found in zip(rows, found[1:], strict=True):
        row[: len(passages_found)] = passages_found
    np.savez(out, passages=rows, measured=np.array(json.dumps(measured)))


if __name__ == "__main__":
    main()
