"""Passages translated when they are indexed beside queries translated when they are asked: nDCG@10, time, room.

    python eval/bench/psq_index_time.py --data ../shared/data/eval

English questions, every third of three parallel collections, are asked by psq alone of the documents in eight
languages, each language in its own pool; a document is one passage. One row a collection and floor below which expected
counts are left out ("query": none are kept, queries are translated) goes to `eval/results/psq-index-time.jsonl`. Times
are processor time of `PSQ.search` at depth 10, NumPy.
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
from pathlib import Path

import numpy as np

from xsearch.core import Bags, PassageBatch, Query
from xsearch.corpora.collections import collection
from xsearch.encode import StaticEncoder, load_encoder
from xsearch.engine import expected
from xsearch.engine.tables import find_tables, translate
from xsearch.lang.translation import TranslationTables
from xsearch.retrieve import PSQ, ExpectedWriter, ImpactWriter
from xsearch.storage import DiskFiles

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("de", "ru", "fi", "zh", "ar", "hi", "tr", "vi")
FLOORS = (None, 0.03, 0.1, 0.2, 0.3)
DEPTH = 10


class Pools:
    """Documents of a collection in pieces, and English questions with their translations and what answers them."""

    def __init__(self, name: str, root: Path, encoder: StaticEncoder, tables: TranslationTables) -> None:
        found = collection(name, root)
        documents = [document for document in found.documents() if document.lang in LANGUAGES]
        self.ids = [document.id for document in documents]
        self.langs = [str(document.lang) for document in documents]
        self.pieces: Bags = encoder.pieces([f"{d.title or ''}\n{d.text}" for d in documents])
        judged, spoken = found.qrels().topics(), sorted(set(self.langs))
        self.asked = []
        for topic in [topic for topic in found.topics() if topic.lang == "en"][::3]:
            pieces = encoder.query_pieces(topic.text)
            made = translate(tables, topic.text, pieces, (("en", 1.0),), spoken)
            right = {doc for doc, grade in judged.get(topic.id.split("@")[0], {}).items() if grade > 0}
            self.asked.append((Query(topic.text, (("en", 1.0),), pieces=pieces, translations=made), right))

    def measured(self, tables: TranslationTables, floor: float | None) -> dict[str, float]:
        """What psq scores and takes with counts kept from `floor` on."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            writer: ImpactWriter | ExpectedWriter
            if floor is None:
                writer, counts = ImpactWriter(folder, {}, high_water=0, files=DiskFiles()), None
            else:
                expected.LEAST = floor
                writer = ExpectedWriter(folder, {"langs": ["en"]}, high_water=0, files=DiskFiles())
                counts = expected.ExpectedCounts(tables, ["en"]).of(self.pieces, self.langs)
            numbers = np.arange(len(self.ids))
            writer.add(PassageBatch(numbers, self.langs, (), (), None, self.pieces, expected=counts))
            psq = PSQ(folder, writer.flush())
            size = sum(path.stat().st_size for path in folder.rglob("*.postings"))
            values, times = [], []
            for query, right in self.asked:
                began = time.thread_time()
                ranking = psq.search(query, DEPTH)
                times.append(1000 * (time.thread_time() - began))
                values += self._scored(ranking.passages.tolist(), right)
        return {
            "ndcg@10": round(float(np.mean(values)), 4),
            "p50_cpu_ms": round(float(np.median(times)), 2),
            "bytes_per_passage": round(size / len(self.ids)),
        }

    def _scored(self, passages: list[int], right: set[str]) -> list[float]:
        """nDCG@10 in each language that has an answer."""
        values = []
        for lang in LANGUAGES:
            pool = {doc for doc, own in zip(self.ids, self.langs, strict=True) if own == lang} & right
            if pool:
                gains = [self.ids[number] in pool for number in passages if self.langs[number] == lang]
                ideal = sum(1 / np.log2(rank + 2) for rank in range(min(DEPTH, len(pool))))
                values.append(sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains)) / ideal)
        return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "eval")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "psq-index-time.jsonl")
    given = parser.parse_args()
    encoder = load_encoder()
    tables = find_tables(None, encoder) if isinstance(encoder, StaticEncoder) else None
    if not isinstance(encoder, StaticEncoder) or tables is None:
        sys.exit("no translation tables are installed")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    for name in ("tldr", "iot-lessons", "ntrex-doc"):
        pools = Pools(name, given.data, encoder, tables)
        for floor in FLOORS:
            row = {
                "bench": "psq, passages translated",
                "collection": name,
                "floor": "query" if floor is None else floor,
                **pools.measured(tables, floor),
                "pieces_per_passage": len(pools.pieces.tokens) // len(pools.ids),
                "questions": len(pools.asked),
                "commit": commit.stdout.strip(),
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "load": round(os.getloadavg()[0], 1),
                "date": time.strftime("%Y-%m-%d"),
                "command": "python eval/bench/psq_index_time.py",
            }
            with given.results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
            print(json.dumps(row))


if __name__ == "__main__":
    main()
