"""The recipes of what comes after and before the retrievers, rerankers and generators of questions, by the commands a
person types: trained at toy size, used, and asked.

    python eval/bench/second_stages.py --data ../shared/data [--only qgen-mt5,adapters,cross-encoder] [--steps 100]

What `recipes.py` does for retrievers. Pairs and questions are titles of sections with their text, in English, German,
Persian and Chinese; rerankers begin from what `train sparse --recipe splade --toy` makes. A row in
`eval/results/recipes.jsonl` has nDCG@10 of the collection that ships with the result ("demo") and without it
("without"): of a generator's questions beside BM25, of a reranker on the first ten documents of the recipe `hybrid`.
Ends with 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipes import MEASURE, QUESTION, ROOT, xsearch

from xsearch.train.rows import read_records

DEMO = ROOT / "eval" / "collections" / "demo"
LANGS = ("en", "de", "fa", "zh")
DEPTH = "10"


class Failed(Exception):
    """A command went wrong."""


class Bench:
    """Commands in a folder. seconds: of the processor, of those that train."""

    def __init__(self, data: Path, folder: Path, steps: int) -> None:
        self.folder, self.steps, self.seconds = folder, str(steps), 0.0
        self.data = data
        (folder / "questions").mkdir()
        sections = [record for _, record in read_records(data / "parallel" / "gnome-help.sections.jsonl.xz")]
        english = [record for record in sections if "en" in record["title"] and "en" in record["text"]]
        self._write("pairs.jsonl", [self._pair(record, "en", "positive") for record in english[:300]])
        asked = [self._pair(r, lang, "passage") for r in english[:200] for lang in LANGS if lang in r["title"]]
        self._write("questions/of-sections.jsonl", asked)
        for lang in LANGS[:2]:
            texts = [{"text": record["text"][lang], "lang": lang} for record in sections if lang in record["text"]]
            self._write(f"{lang}.jsonl", texts[:600])

    def _pair(self, record: dict[str, Any], lang: str, passage: str) -> dict[str, str]:
        return {"query": record["title"][lang].split(": ")[-1], "query_lang": lang, passage: record["text"]["en"]}

    def _write(self, name: str, records: list[dict[str, str]]) -> None:
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (self.folder / name).write_text("".join(lines), encoding="utf-8")

    def run(self, *arguments: str | Path) -> str:
        """What a command printed. Raises `Failed`."""
        printed, wrong, seconds = xsearch(*map(str, arguments))
        if wrong:
            raise Failed(f"{' '.join(map(str, arguments[:3]))}: {wrong}")
        self.seconds += seconds if arguments[0] == "train" else 0.0
        return printed

    def index(self, recipe: str) -> Path:
        """The collection that ships, indexed."""
        self.run("index", DEMO / "docs.jsonl", "-i", self.folder / "index", "--recipe", recipe)
        return self.folder / "index"

    def measured(self, index: Path, *options: str | Path) -> dict[str, float]:
        """The collection's figure as an index answers its topics."""
        output = self.folder / f"{len(list(self.folder.glob('*.run')))}.run"
        self.run("query", "--topics", DEMO / "topics.jsonl", "-i", index, "--output", output, "-k", "10", *options)
        judged = self.run("evaluate", output, "--qrels", DEMO / "qrels.txt", "-m", MEASURE, "--format", "json")
        return {MEASURE: round(json.loads(judged)["measures"][MEASURE], 4)}

    def found(self, index: Path, *options: str | Path) -> list[str]:
        """The first documents for a question."""
        printed = self.run("query", QUESTION, "-i", index, "-k", "3", "--format", "json", *options)
        return [hit["id"] for hit in json.loads(printed)["hits"]]


def generator(bench: Bench, name: str) -> dict[str, Any]:
    """Questions of a toy generator beside BM25."""
    held = [part for path in (DEMO / "docs.jsonl", DEMO / "topics.jsonl") for part in ("--exclude", path)]
    out = bench.folder / "trained"
    data = ("--data", bench.folder / "questions", *held, "--steps", bench.steps)
    bench.run("train", "qgen", "--toy", "--recipe", name, *data, "--out", out)
    index = bench.index("bm25")
    without = bench.measured(index)
    bench.run("augment", index, "--generator", out / f"{name}-toy", "--langs", ",".join(LANGS), "-n", "3")
    return {"kind": "generator", "demo": bench.measured(index), "without": without, "found": bench.found(index)}


def reranker(bench: Bench, name: str) -> dict[str, Any]:
    """The first documents reordered by a toy reranker."""
    data = ("--data", bench.data, "--steps", "25")
    bench.run("train", "sparse", "--recipe", "splade", "--toy", *data, "--out", bench.folder / "base")
    ours = bench.folder / "ours"
    quick = ("--steps", bench.steps, "--batch", "8", "--length", "96", "--learning-rate", "1e-3")
    train = ("train", "reranker", "--recipe", name, "--base", bench.folder / "base" / "splade-toy", "--out", ours)
    if name == "adapters":
        for lang in LANGS[:2]:
            bench.run(*train, *quick, "--lang", lang, "--text", bench.folder / f"{lang}.jsonl")
    bench.run(*train, *quick, "--lang", "en", "--pairs", bench.folder / "pairs.jsonl")
    index = bench.index("hybrid")
    without = bench.measured(index, "--rerank", "none")
    options = ("--rerank", ours, "--rerank-depth", DEPTH)
    made = {"demo": bench.measured(index, *options), "without": without, "found": bench.found(index, *options)}
    return {"kind": "reranker", **made}


TRIED: dict[str, Callable[[Bench, str], dict[str, Any]]] = {
    "qgen-mt5": generator,
    "adapters": reranker,
    "cross-encoder": reranker,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", default=",".join(TRIED), help="names, with commas")
    parser.add_argument("--steps", type=int, default=100, help="of each training")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "recipes.jsonl")
    given = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    failed = []
    for name in given.only.split(","):
        row: dict[str, Any] = {"bench": "second_stages", "size": "toy", "recipe": name, "steps_a_stage": given.steps}
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(given.data.resolve(), Path(folder), given.steps)
            try:
                row |= TRIED[name](bench, name)
            except Failed as error:
                row |= {"failed": str(error)}
                failed.append(name)
            row["train_cpu_seconds"] = round(bench.seconds, 1)
        row |= {
            "commit": commit.stdout.strip(),
            "date": time.strftime("%Y-%m-%d"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": round(os.getloadavg()[0], 1),
            "command": f"python eval/bench/second_stages.py --data ../shared/data --only {name} --steps {given.steps}",
        }
        with given.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        said = row.get("failed") or f"{row['without']} → {row['demo']}, found {row['found']}"
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}, {row['train_cpu_seconds']} s: {said}\n")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
