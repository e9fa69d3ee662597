"""fast-plaid (a PLAID engine in Rust over libtorch) on token vectors that lie in a file: build, size, searches.

    python eval/peers/fast_plaid_peer.py VECTORS PASSAGES QUERIES OUT BITS DECODED...

Run by `eval/bench/colbert.py`, in an environment of its own (`fast_plaid_requirements.txt`): fast-plaid wants the torch
it was compiled against. It is built with BITS a component and searched with each number of passages to decode
(`n_full_scores`, 4096 by default).
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


def main() -> None:
    source, passages, queries, out, bits, *settings = sys.argv[1:]
    torch.set_num_threads(1)
    held = np.load(source)
    starts, asked = held["starts"][: int(passages) + 1], held["query_starts"][: int(queries) + 1]
    vectors = torch.from_numpy(held["vectors"][: starts[-1]].astype(np.float32))
    documents = list(torch.split(vectors, np.diff(starts).tolist()))
    topics = list(torch.split(torch.from_numpy(held["query_vectors"][: asked[-1]]), np.diff(asked).tolist()))
    found, measured = np.full((len(settings), len(topics), DEPTH), -1, dtype=np.int64), []
    with tempfile.TemporaryDirectory() as scratch:
        engine = search.FastPlaid(index=scratch, device="cpu")
        started = time.process_time()
        engine.create(documents_embeddings=documents, nbits=int(bits))
        built = time.process_time() - started
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*") if path.is_file())
        costs = {"build_s": round(built, 1), "bytes_a_token": round(size / len(vectors), 1)}
        for rows, decoded in zip(found, settings, strict=True):
            options = {"top_k": DEPTH, "n_full_scores": int(decoded), "show_progress": False}
            engine.search([topics[0]], **options)
            taken = []
            for row, topic in zip(rows, topics, strict=True):
                started = time.process_time()
                ranked = engine.search([topic], **options)[0]
                taken.append(1000 * (time.process_time() - started))
                row[: len(ranked)] = [passage for passage, _ in ranked]
            setting = {"version": version("fast-plaid"), "bits": int(bits), "rescored": int(decoded)}
            measured.append(setting | costs | {"ms": round(float(np.median(taken)), 1)})
    np.savez(out, passages=found, measured=np.array(json.dumps(measured)))


if __name__ == "__main__":
    main()
