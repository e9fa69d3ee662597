"""Are documents that `xsearch train pairs` takes for comparable in two languages on one thing?

    python eval/bench/mining.py --data ../shared/data/eval

On the demo (documents on one topic, each written for itself) and on NTREX (news and their translations: 60 documents in
4 languages, of each document and language four in ten left out at random, so that many have no counterpart). Right is a
pair of one topic. Appends a row a collection to `eval/results/mining.jsonl`: precision and recall of the pairs of
documents at the default score, and without a limit; for the pairs that ask across languages (`aligned`) the share whose
two documents belong together, and how many there are.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from engine import ROOT, SEED

from xsearch import create
from xsearch.core import Document
from xsearch.core.data import data_path
from xsearch.engine.clock import utc_now
from xsearch.evaluate.provenance import provenance
from xsearch.train.mining import MiningOptions, mine_pairs
from xsearch.train.rows import read_records

LANGUAGES = ("de", "fa", "sw", "zh")
DOCUMENTS, KEPT = 60, 0.6


def demo() -> Iterator[Document]:
    for _, record in read_records(data_path("eval/collections/demo") / "docs.jsonl"):
        yield Document(record["id"], record["text"], title=record["title"], lang=record["lang"])


def ntrex(data: Path) -> Iterator[Document]:
    rng = random.Random(SEED)
    records = [r for _, r in read_records(data / "ntrex-doc" / "docs.jsonl.xz") if r["lang"] in LANGUAGES]
    chosen = set(rng.sample(sorted({topic(record["id"]) for record in records}), DOCUMENTS))
    for record in records:
        if topic(record["id"]) in chosen and rng.random() < KEPT:
            yield Document(record["id"], record["text"], lang=record["lang"])


def topic(id: str) -> str:
    return id.rpartition(".")[0]


def measured(documents: list[Document], least: float | None) -> dict[str, object]:
    """Precision and recall of the pairs of documents, and how many there are."""
    options = MiningOptions(("comparable", "aligned"))
    if least is not None:
        options = MiningOptions(("comparable",), least, found=0)
    with tempfile.TemporaryDirectory() as scratch:
        with create(Path(scratch) / "idx") as index:
            with index.writer() as writer:
                for document in documents:
                    writer.add(document)
            mine_pairs(index, Path(scratch) / "pairs.jsonl", options)
        lines = [json.loads(line) for line in (Path(scratch) / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    found = {"comparable": set(), "aligned": set()}
    for line in lines:
        found[line["origin"]].add((line["query_id"], line["positive_id"]))
    languages = Counter((topic(one.id), one.lang) for one in documents)
    topics = Counter(name for name, _ in languages)
    possible = sum(count * (count - 1) for count in topics.values())
    right = {kind: sum(topic(a) == topic(b) for a, b in pairs) for kind, pairs in found.items()}
    aligned = [topic(line["query_id"]) == topic(line["positive_id"]) for line in lines if line["origin"] == "aligned"]
    row: dict[str, object] = {
        "document_pairs": len(found["comparable"]) // 2,
        "precision": round(right["comparable"] / max(1, len(found["comparable"])), 3),
        "recall": round(right["comparable"] / max(1, possible), 3),
    }
    if aligned:
        row |= {"aligned": len(aligned), "aligned_precision": round(sum(aligned) / len(aligned), 3)}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "eval")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "mining.jsonl")
    given = parser.parse_args()
    if not (given.data / "ntrex-doc").is_dir():
        sys.exit(f"no ntrex-doc at {given.data}: point at it with --data")
    origin = provenance(utc_now())
    for name, documents in (("ntrex-doc", list(ntrex(given.data))), ("demo", list(demo()))):
        row = {
            "bench": "mining",
            "collection": name,
            "documents": len(documents),
            "languages": len({document.lang for document in documents}),
            **measured(documents, None),
            "without_limit": measured(documents, 0.0),
            **origin,
        }
        with given.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        print(json.dumps(row, indent=1), flush=True)


if __name__ == "__main__":
    main()
