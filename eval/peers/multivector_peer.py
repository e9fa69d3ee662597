"""sentence-transformers' MaxSim, as its `MultiVectorEncoder.similarity` computes it, of all passages for every query.

    python eval/peers/multivector_peer.py VECTORS PASSAGES QUERIES OUT

Run by `eval/bench/colbert.py`, in whatever environment has sentence-transformers 6 or newer. There is no index: what
it takes is the vectors, in float32, and scoring them all.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import torch
from sentence_transformers.util import maxsim

DEPTH = 100


def main() -> None:
    source, passages, queries, out = sys.argv[1:]
    torch.set_num_threads(1)
    held = np.load(source)
    starts, asked = held["starts"][: int(passages) + 1], held["query_starts"][: int(queries) + 1]
    vectors = torch.from_numpy(held["vectors"][: starts[-1]].astype(np.float32))
    documents = list(torch.split(vectors, np.diff(starts).tolist()))
    topics = torch.split(torch.from_numpy(held["query_vectors"][: asked[-1]]), np.diff(asked).tolist())
    rows, taken = np.empty((len(topics), DEPTH), dtype=np.int64), []
    for row, topic in zip(rows, topics, strict=True):
        started = time.process_time()
        row[:] = torch.topk(maxsim([topic], documents)[0], DEPTH).indices.numpy()
        taken.append(1000 * (time.process_time() - started))
    measured = {
        "version": version("sentence-transformers"),
        "bytes_a_token": 4 * vectors.shape[1],
        "ms": round(float(np.median(taken)), 1),
    }
    np.savez(out, passages=rows[None], measured=np.array(json.dumps([measured])))


if __name__ == "__main__":
    main()
