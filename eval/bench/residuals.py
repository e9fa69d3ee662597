"""How to spend a component's bits beside a centroid: the squared error that token vectors of length 1 are left with.

    python eval/bench/residuals.py --vectors FILE [--about TEXT]

FILE as `colbert.py` keeps it. Half of the tokens teach centroids and weights, the other half are measured. `one grid`
is what an index does: the weights with the least error for all components alike; `quantiles` puts them at the middles
of buckets that hold equally many components (ColBERTv2's); `scale a component` and `scale a centroid` first divide
residuals by their deviation there, `rotated` turns them at random, so that no component varies more than another.
Appends a row to `eval/results/colbert.jsonl`.
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

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from xsearch.retrieve.colbert.centroids import Nearest, kmeans

ROOT = Path(__file__).resolve().parents[2]
STEPS = 60
EVERY = 7
"""Of so many components one is learnt from."""


def learn(values: Any, bits: int, steps: int = STEPS) -> Any:
    """Weights by Lloyd's iteration from the middles of equally large buckets."""
    values = np.sort(values.ravel()[::EVERY]).astype(np.float64)
    count = 1 << bits
    weights = values[((np.arange(count) + 0.5) / count * len(values)).astype(np.int64)]
    sums = np.concatenate(([0.0], np.cumsum(values)))
    for _ in range(steps):
        ends = np.concatenate(([0], np.searchsorted(values, (weights[1:] + weights[:-1]) / 2), [len(values)]))
        sizes = np.diff(ends)
        weights = np.where(sizes > 0, np.diff(sums[ends]) / np.maximum(sizes, 1), weights)
    return weights


def error(learnt: Any, held: Any, scale: Any, bits: int, steps: int = STEPS) -> float:
    """Mean squared length of what is left of `held`; scale: what each half's residuals are divided by before."""
    weights = learn(learnt / scale[0], bits, steps)
    nearest = weights[np.searchsorted((weights[1:] + weights[:-1]) / 2, held / scale[1])] * scale[1]
    return round(float(np.square(held - nearest).sum(axis=1).mean()), 5)


def measure(vectors: Any, centroids: int) -> dict[str, Any]:
    """Errors by bits and way."""
    half = len(vectors) // 2
    means = kmeans(vectors[:half], centroids)
    cells = Nearest(means).find(vectors)
    residuals = vectors - means[cells]
    learnt, held = residuals[:half], residuals[half:]
    ones = np.ones(1, dtype=np.float32)
    component = learnt.std(axis=0)
    spread = np.bincount(cells[:half], np.square(learnt).mean(axis=1), centroids)
    centroid = np.sqrt(spread / np.maximum(np.bincount(cells[:half], minlength=centroids), 1))
    # A centroid that only one vector taught has none left over.
    centroid[centroid < 1e-3] = centroid[centroid >= 1e-3].mean()
    own = centroid[cells].astype(np.float32)[:, None]
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((vectors.shape[1],) * 2))[0].astype(np.float32)
    found = {
        f"{bits} bits": {
            "one grid": error(learnt, held, (ones, ones), bits),
            "quantiles": error(learnt, held, (ones, ones), bits, steps=0),
            "scale a component": error(learnt, held, (component, component), bits),
            "scale a centroid": error(learnt, held, (own[:half], own[half:]), bits),
            "rotated": error(learnt @ turn, held @ turn, (ones, ones), bits),
        }
        for bits in (4, 2, 1)
    }
    return {"centroids": centroids, "residuals": round(float(np.square(held).sum(axis=1).mean()), 4), "errors": found}


def main() -> None:
    """Measure and append a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--centroids", type=int, default=1024)
    parser.add_argument("--about", default="", help="what the vectors are of")
    parser.add_argument("--results", type=Path, default=ROOT / "eval/results/colbert.jsonl")
    asked = parser.parse_args()
    vectors = np.load(asked.vectors)["vectors"][: asked.tokens].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row = {
        "bench": "residuals",
        "tokens": len(vectors),
        **({"encoder": asked.about} if asked.about else {}),
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
        "command": "python eval/bench/residuals.py " + " ".join(sys.argv[1:]),
        **measure(vectors, asked.centroids),
    }
    with asked.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
