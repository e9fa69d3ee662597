"""Is everything together ever worse than words alone? The default recipe against its BM25, language by language.

    python eval/bench/against_bm25.py --data ../shared/data/eval [--collection ntrex-doc ...] [--topics 40]

Every language's wordings of the same topics are asked twice, of the documents in their own language (where BM25 is at
home) and of all documents in one pool. For each language the two are compared by a paired t-test over topics, nDCG@10,
with Holm's correction over all languages of a pool. Appends a row for each collection and pool to
`eval/results/against_bm25.jsonl`: the languages that are significantly worse (p < .05), those that lose more than .02
on average, and by language the number of topics and both means.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from xsearch.core import Qrels, Run, Topic
from xsearch.corpora.collections import collection
from xsearch.engine import Index, create_index
from xsearch.engine.clock import utc_now
from xsearch.evaluate import compare_values, evaluate, holm
from xsearch.evaluate.provenance import provenance

ROOT = Path(__file__).resolve().parents[2]
MEASURE = "nDCG@10"
LOSS, LEVEL = 0.02, 0.05
POOLS = ("own language", "all languages")


def spread(topics: list[Topic], number: int) -> list[Topic]:
    """`number` of the topic ids, evenly spread, in all their languages."""
    ids = sorted({topic.id for topic in topics})
    kept = set(ids[:: max(1, len(ids) // number)][:number])
    return [topic for topic in topics if topic.id in kept]


def scored(
    index: Index, topics: list[Topic], qrels: Qrels, to: list[str] | None, names: list[str] | None
) -> dict[str, float]:
    """nDCG@10 of every topic with judgments."""
    run = Run.of([row for _, rows in index.search_each(topics, 10, to=to, retrievers=names) for row in rows], "run")
    found = evaluate(run, qrels, [MEASURE], topics=topics).per_topic
    return {topic: values[MEASURE] for topic, values in found.items()}


def rows_of(name: str, root: Path, count: int) -> list[dict[str, Any]]:
    """One row for each pool."""
    source = collection(name, root)
    qrels = source.qrels()
    by_lang: dict[str, list[Topic]] = defaultdict(list)
    for topic in spread(source.topics(), count):
        if topic.lang:
            by_lang[topic.lang].append(topic)
    rows = []
    with tempfile.TemporaryDirectory() as folder, create_index(Path(folder) / "idx", "hybrid") as index:
        languages = {}
        with index.writer() as writer:
            for document in source.documents():
                writer.add(document)
                languages[document.id] = document.lang
        for pool in POOLS:
            means, values = {}, []
            for lang, topics in sorted(by_lang.items()):
                own = pool == POOLS[0]
                judged = Qrels(tuple(row for row in qrels if not own or languages.get(row.document) == lang))
                asked = [topic for topic in topics if any(row.topic == topic.id and row.grade > 0 for row in judged)]
                if len(asked) < 2:
                    continue
                to = [lang] if own else None
                words, fused = scored(index, asked, judged, to, ["bm25"]), scored(index, asked, judged, to, None)
                found = compare_values(MEASURE, ("bm25", "hybrid"), words, fused)
                means[lang] = [len(asked), round(found.baseline_mean, 3), round(found.other_mean, 3)]
                values.append((lang, found.difference, found.t_test))
            corrected = holm([p for _, _, p in values])
            worse = [lang for (lang, lift, _), p in zip(values, corrected, strict=True) if lift < 0 and p < LEVEL]
            rows.append(
                {
                    "bench": "against_bm25",
                    "collection": name,
                    "pool": pool,
                    "languages": len(values),
                    "significantly_worse": worse,
                    "loses_more_than_.02": {lang: round(lift, 3) for lang, lift, _ in values if lift < -LOSS},
                    "mean_difference": round(sum(lift for _, lift, _ in values) / len(values), 4),
                    "by_language": means,
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "eval")
    parser.add_argument("--collection", action="append", help="default: ntrex-doc, tldr, iot-lessons, demo")
    parser.add_argument("--topics", type=int, default=40, help="topics, each in all its languages")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "against_bm25.jsonl")
    given = parser.parse_args()
    origin = provenance(utc_now())
    for name in given.collection or ["ntrex-doc", "tldr", "iot-lessons", "demo"]:
        for row in rows_of(name, given.data, given.topics):
            with given.results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row | origin) + "\n")
            print(json.dumps({key: value for key, value in row.items() if key != "by_language"}))


if __name__ == "__main__":
    main()
