"""What a neural encoder's lower precisions cost in quality: the same texts encoded in each, beside float32.

    python eval/bench/precision.py --model FOLDER --kind dense|multivector --collection eval/collections/demo

For each precision: nDCG@10 over all documents in one list, by cosine or MaxSim of all of them, with the change against
float32 in per cent and the half width of the 95 % interval of the topics' paired differences; the share of float32's
ten best documents that are among the ten best; the least cosine of a passage's vectors with float32's; CPU seconds for
the passages. Appends a row a precision to `eval/results/encode.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.encode import Runtime, load_encoder, load_multivector
from xsearch.train.evaluate_static import Collection, ndcg, read_collection

ROOT = Path(__file__).resolve().parents[2]


def encoded(model: str, kind: str, precision: str, device: str, collection: Collection) -> tuple[Any, Any, float]:
    """Scores of all documents, float32 (topics, documents), the vectors they rest on, and CPU seconds."""
    runtime = Runtime(device, precision)
    encoder: Any = load_encoder(model, runtime) if kind == "dense" else load_multivector(model, runtime)
    documents, topics = collection.documents, collection.topics
    asked = encoder.encode_queries([t["text"] for t in topics], [t["lang"] for t in topics])
    started = time.process_time()
    held = encoder.encode_passages(
        [f"{d.get('title') or ''}\n{d['text']}" for d in documents], [d["lang"] for d in documents]
    )
    taken = time.process_time() - started
    scores = np.zeros((len(topics), len(documents)), dtype=np.float32)
    if kind == "dense":
        starts = np.searchsorted(held.owners, np.arange(len(documents)))
        scores[:] = np.maximum.reduceat(asked @ held.vectors.T, starts, axis=1)
    else:
        for row in range(len(topics)):
            best = np.maximum.reduceat(held.vectors @ asked[row].T, held.starts[:-1], axis=0)
            scores[row] = best.sum(axis=1)
    return scores, held.vectors, taken


def main() -> None:
    """Measure and append a row for each precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--kind", choices=("dense", "multivector"), default="dense")
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bf16,int8", help="those to measure beside fp32")
    parser.add_argument("--about", default="", help="what the model is, for the rows")
    parser.add_argument("--output", type=Path, default=ROOT / "eval/results/encode.jsonl")
    arguments = parser.parse_args()
    collection = read_collection(arguments.collection)
    ids = np.array([d["id"].rsplit(".", 1)[0] for d in collection.documents])
    relevant = np.array([t["id"] for t in collection.topics])[:, None] == ids
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    whole = None
    for precision in ["fp32", *filter(None, arguments.precision.split(","))]:
        found = encoded(arguments.model, arguments.kind, precision, arguments.device, collection)
        whole = whole or found
        own, right = ndcg(found[0], relevant), ndcg(whole[0], relevant)
        best, expected = (np.argsort(-scores, axis=1, kind="stable")[:, :10] for scores in (found[0], whole[0]))
        scale = 100 / max(float(right.mean()), 1e-9)
        row = {
            "bench": "precision",
            "commit": commit.stdout.strip(),
            "command": " ".join(["python", *sys.argv]),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "model": arguments.about or Path(arguments.model).name,
            "kind": arguments.kind,
            "collection": arguments.collection.name,
            "topics": len(own),
            "precision": precision,
            "nDCG@10": round(float(own.mean()), 4),
            "change": round(float((own - right).mean()) * scale, 2),
            "change_95": round(float(1.96 * np.std(own - right) / len(own) ** 0.5) * scale, 2),
            "top10": round(
                float(np.mean([len(np.intersect1d(*pair)) for pair in zip(best, expected, strict=True)]) / 10), 4
            ),
            "cosine": round(float(np.einsum("nd,nd->n", found[1], whole[1]).min()), 4),
            "cpu_s": round(found[2], 2),
        }
        print(json.dumps(row), flush=True)
        with arguments.output.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
