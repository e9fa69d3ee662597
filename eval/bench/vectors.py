"""What each way of keeping dense vectors costs in quality, on the vectors of a trained encoder.

    python eval/bench/vectors.py --collection ../shared/data/eval/iot-lessons [--encoder NAME|PATH]

For every kind of `retrieve.stored`, and for vectors cut to half their components (which costs more where the encoder
was not trained to be cut): nDCG@10 over all documents in one list (a document's best window), the share of exact
search's ten best documents that are among the ten best, and bytes a vector. Appends a row a collection to
`eval/results/vectors.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.encode import load_encoder
from xsearch.retrieve.codes import usual_clip
from xsearch.retrieve.stored import KINDS, Stored, stored_as
from xsearch.train.evaluate_static import ndcg, read_collection

ROOT = Path(__file__).resolve().parents[2]


def document_scores(stored: Stored, vectors: Any, owners: Any, queries: Any, documents: int) -> Any:
    """(queries, documents): each document's best window as `stored` scores it."""
    prepared, factors = stored.encode_queries(queries)
    products = stored.dot(stored.encode(vectors), prepared).T * factors[:, None]
    scores = np.full((len(queries), documents), -9.0, dtype=np.float32)
    present, starts = np.unique(owners, return_index=True)
    scores[:, present] = np.maximum.reduceat(products, starts, axis=1)
    return scores


def best(scores: Any, depth: int = 10) -> Any:
    """The numbers of the best documents of every query."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]


def cut(vectors: Any, dim: int) -> Any:
    """The first components, scaled to length 1."""
    kept = vectors[:, :dim]
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return np.divide(kept, lengths, out=np.zeros_like(kept), where=lengths > 0)


def measure(folder: Path, encoder: Any) -> dict[str, Any]:
    """The figures of one collection, by kind."""
    collection = read_collection(folder)
    documents, topics = collection.documents, collection.topics
    langs = [d["lang"] for d in documents]
    windows = encoder.encode_passages([f"{d.get('title') or ''}\n{d['text']}" for d in documents], langs)
    queries = encoder.encode_queries([t["text"] for t in topics], [t["lang"] for t in topics])
    ids = np.array([d["id"].rsplit(".", 1)[0] for d in documents])
    relevant = np.array([t["id"] for t in topics])[:, None] == ids
    dim = windows.vectors.shape[1]
    exact = None
    rows = {}
    for kind, size in [("fp32", dim), *((kind, dim) for kind in KINDS if kind != "fp32"), ("int8", dim // 2)]:
        stored = stored_as({"dim": size, "clip": usual_clip(size), "codes": kind})
        if stored is None:
            continue
        vectors, asked = cut(windows.vectors, size), cut(queries, size)
        scores = document_scores(stored, vectors, windows.owners, asked, len(documents))
        top = best(scores)
        exact = top if exact is None else exact
        shared = np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(exact, top, strict=True)])
        rows[kind if size == dim else f"{kind}, {size} of {dim}"] = {
            "nDCG@10": round(float(ndcg(scores, relevant).mean()), 4),
            "top10": round(float(shared), 4),
            "bytes": int(stored.encode(vectors[:1]).nbytes),
        }
    return {"documents": len(documents), "windows": len(windows.owners), "topics": len(topics), "kinds": rows}


def main() -> None:
    """Measure and append a row a collection."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collection", type=Path, action="append", required=True)
    parser.add_argument("--encoder")
    parser.add_argument("--output", type=Path, default=ROOT / "eval/results/vectors.jsonl")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.encoder)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    for folder in arguments.collection:
        row = {
            "bench": "vectors",
            "commit": commit.stdout.strip(),
            "command": " ".join(["python", *sys.argv]),
            "encoder": encoder.card.name,
            "collection": folder.name,
            **measure(folder, encoder),
        }
        print(json.dumps(row))
        with arguments.output.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
