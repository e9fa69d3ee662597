"""How many passages of each language must a retriever bring for a list of ten?

    python eval/bench/depth.py --data ../shared/data/eval [--collection demo ...] [--wordings 150]

Wordings of topics, drawn at random, are asked of all documents with 100, 50 and 25 passages a language and retriever
before fusion. Appends a row for each collection and recipe to `eval/results/depth.jsonl`: for each depth nDCG@10, the
share of the first ten that are among the first ten of the greatest depth, and the processor's time a question, with
snippets, in milliseconds (the least of two passes).
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from xsearch.core import Qrels, Run, Topic
from xsearch.corpora.collections import collection
from xsearch.engine import Index, create_index
from xsearch.engine.clock import utc_now
from xsearch.engine.runs import run_topic_ids
from xsearch.evaluate import evaluate
from xsearch.evaluate.provenance import provenance

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ("demo", "everyday", "tldr", "iot-lessons", "ntrex-doc")
RECIPES = ("words-and-vectors", "hybrid")
DEPTHS = (100, 50, 25)
K = 10


def asked(index: Index, topics: list[Topic], qrels: Qrels, depth: int) -> tuple[list[set[str]], dict[str, float]]:
    """The first ten of each topic, and the row's figures of this depth."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        for topic in topics:
            index.search(topic.text, K, lang=topic.lang, depth=depth)
        taken.append(time.process_time() - began)
    found = [list(rows) for _, rows in index.search_each(run_topic_ids(topics), K, depth=depth)]
    run = Run.of([row for rows in found for row in rows], "depth")
    score = evaluate(run, qrels, ["nDCG@10"], topics=topics).measures["nDCG@10"]
    figures = {"nDCG@10": round(score, 4), "cpu_ms": round(1000 * min(taken) / len(topics), 1)}
    return [{row.document for row in rows} for rows in found], figures


def row_of(name: str, root: Path, recipe: str, wordings: int) -> dict[str, Any]:
    """The row of a collection and a recipe."""
    source = collection(name, root)
    judged = {row.topic for row in source.qrels() if row.grade > 0}
    topics = [topic for topic in source.topics() if topic.id in judged]
    topics = random.Random(7).sample(topics, min(wordings, len(topics)))
    with tempfile.TemporaryDirectory() as folder, create_index(Path(folder) / "idx", recipe) as index:
        with index.writer() as writer:
            for document in source.documents():
                writer.add(document)
        for topic in topics:
            index.search(topic.text, K, lang=topic.lang)
        found = {depth: asked(index, topics, source.qrels(), depth) for depth in DEPTHS}
    deepest = found[DEPTHS[0]][0]
    by_depth = {}
    for depth, (lists, figures) in found.items():
        shared = [len(one & other) / len(other) for one, other in zip(lists, deepest, strict=True) if other]
        by_depth[str(depth)] = figures | {"shared": round(sum(shared) / len(shared), 4)}
    return {"bench": "depth", "collection": name, "recipe": recipe, "wordings": len(topics), "depths": by_depth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "eval")
    parser.add_argument("--collection", action="append", help=f"default: {', '.join(COLLECTIONS)}")
    parser.add_argument("--wordings", type=int, default=150)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "depth.jsonl")
    given = parser.parse_args()
    origin = provenance(utc_now())
    for name in given.collection or COLLECTIONS:
        for recipe in RECIPES:
            row = row_of(name, given.data, recipe, given.wordings)
            with given.results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row | origin) + "\n")
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
