"""What it costs to augment an index again after one document more (the questions appended, or the index built anew),
and to take all questions out.

    python eval/bench/appending.py --docs eval/collections/demo/docs.jsonl [--use words,vectors]

Questions come from a generator that costs nothing (a passage's own first words), so that the figures are those of
putting them in. Appends a row to `eval/results/appending.jsonl`: seconds by the clock and of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

import xsearch
from xsearch.core import Document
from xsearch.corpora import read_path
from xsearch.engine import compact, open_index
from xsearch.engine.augmentation import augment, remove_questions
from xsearch.engine.recipe import AugmentSettings
from xsearch.generate import Made, SourcePassage

ROOT = Path(__file__).resolve().parents[2]


class FirstWords:
    """A generator that asks with a passage's first words."""

    name, fingerprint, batch, is_running_text = "first-words", "1", 512, False

    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def speaks(self, lang: str) -> bool:
        """Everything."""
        return True

    def generate(self, passages: Sequence[SourcePassage], lang: str, count: int, seed: int) -> list[list[Made]]:
        """One question of each passage."""
        return [[Made(" ".join(passage.text.split()[:12]))] for passage in passages]


def timed(act: Callable[[], Any]) -> dict[str, float]:
    """Seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, default=Path("eval/collections/demo/docs.jsonl"))
    parser.add_argument("--recipe", default="hybrid")
    parser.add_argument("--use", default="words", help="what is made of questions: words, windows, vectors")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "appending.jsonl")
    given = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row: dict[str, Any] = {"bench": "appending", "recipe": given.recipe, "collection": given.docs.parent.name}
    row["use"] = given.use
    settings = msgspec.convert(
        {"generator": "first-words", "langs": ["und"], "use": given.use.split(",")}, AugmentSettings
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        with xsearch.create(folder, recipe=given.recipe) as index, index.writer() as writer:
            for document in read_path(given.docs):
                writer.add(document)
        row["first"] = timed(lambda: augment(folder, FirstWords(), settings))
        with open_index(folder) as index, index.writer() as writer:
            writer.add(Document("one-more", "A document that came later.", lang="en"))
        row["again"] = timed(lambda: augment(folder, FirstWords(), settings))
        row["built anew"] = timed(lambda: compact(folder))
        row["removed"] = timed(lambda: remove_questions(folder))
        with open_index(folder) as index:
            row["passages"] = index.manifest.passages
    row |= {
        "ratio": round(row["built anew"]["cpu_seconds"] / max(row["again"]["cpu_seconds"], 0.01), 1),
        "commit": commit.stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "command": f"python eval/bench/appending.py --docs {given.docs} --recipe {given.recipe} --use {given.use}",
    }
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
