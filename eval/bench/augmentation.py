"""What generated questions bring: the same index with and without, on collections in several languages.

    python eval/bench/augmentation.py --root ../shared/data/eval --collection tldr [--langs en,de,fa,zh,ru,sw]

Documents and topics are those in --langs, questions are made in all of them by translation tables (`lexical`).
Appends a row a system to `eval/results/augmentation.jsonl`: the measures of all languages in one pool, and by pair of
languages in the pair's own pool, means over the pairs within a language and across.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from xsearch.core import Qrels, Topic
from xsearch.corpora.collections import collection
from xsearch.engine import Index, create_index, open_index
from xsearch.engine.augmentation import augment
from xsearch.engine.clock import utc_now
from xsearch.engine.generators import load_generator
from xsearch.engine.recipe import AugmentSettings
from xsearch.engine.runs import run_topic_ids
from xsearch.evaluate.evaluation import evaluate
from xsearch.evaluate.fairness import pair_means
from xsearch.evaluate.provenance import provenance
from xsearch.evaluate.suites import append_row, sampled

ROOT = Path(__file__).resolve().parents[2]
MEASURES = ("nDCG@10", "nDCG@20", "RR", "R@100")
SYSTEMS = {
    "hybrid": ("bm25", "psq", "names", "dense"),
    "hybrid+generated": ("bm25", "psq", "names", "dense", "generated"),
    "bm25": ("bm25",),
    "bm25+generated": ("bm25", "generated"),
    "psq": ("psq",),
    "generated": ("generated",),
    "dense": ("dense",),
}
WINDOWS = {"dense+windows": ("dense",), "hybrid+windows": SYSTEMS["hybrid"]}
VECTORS = {"dense+vectors": ("dense",), "hybrid+vectors": SYSTEMS["hybrid"]}


def main() -> None:
    """Build, augment, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--collection", default="tldr")
    parser.add_argument("--langs", default="en,de,fa,zh,ru,sw")
    parser.add_argument("--topics", type=int, default=300, help="about so many wordings")
    parser.add_argument("--documents", type=int, default=0, help="in each language, 0 for all")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--alpha", type=float, default=0.01)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "augmentation.jsonl")
    asked = parser.parse_args()
    langs = tuple(asked.langs.split(","))
    source = collection(asked.collection, asked.root)
    documents = [document for document in source.documents() if document.lang in langs]
    if asked.documents:
        # Translations of a document share the id before the language.
        kept = set(sorted({document.id.rsplit(".", 1)[0] for document in documents})[: asked.documents])
        documents = [document for document in documents if document.id.rsplit(".", 1)[0] in kept]
    spoken = {document.id: str(document.lang) for document in documents}
    qrels = Qrels(tuple(row for row in source.qrels() if row.document in spoken))
    judged = qrels.topics()
    topics = sampled([t for t in source.topics() if t.lang in langs and t.id in judged], asked.topics)
    origin = provenance(utc_now(), threads=1)
    with tempfile.TemporaryDirectory(prefix="xsearch-augmentation-") as folder:
        index = create_index(Path(folder) / "index", "hybrid")
        with index.writer() as writer:
            for document in documents:
                writer.add(document)
        generator = load_generator("lexical", index.snapshot)
        runs = {("words",): SYSTEMS, ("windows",): WINDOWS, ("vectors",): VECTORS}
        for use, systems in runs.items():
            started = time.perf_counter()
            settings = AugmentSettings("lexical", langs, asked.count, use, alpha=asked.alpha)
            report = augment(index.path, generator, settings)
            seconds = time.perf_counter() - started
            with open_index(index.path) as built:
                for name, retrievers in systems.items():
                    row = measured(built, topics, qrels, spoken, (asked.collection, name), retrievers)
                    made = {"langs": asked.langs, "count": asked.count, "questions": report.questions}
                    append_row(asked.results, row | made | {"augment_seconds": round(seconds, 1)} | origin)


def measured(
    index: Index,
    topics: list[Topic],
    qrels: Qrels,
    spoken: dict[str, str],
    names: tuple[str, str],
    retrievers: tuple[str, ...],
) -> dict[str, object]:
    """A row of results for one way to search."""
    started = time.process_time()
    run = index.search_many(run_topic_ids(topics), 300, threads=1, retrievers=retrievers)
    seconds = time.process_time() - started
    result = evaluate(run, qrels, MEASURES, by=["pair"], doc_langs=spoken, topics=topics)
    pairs = pair_means(result.by["pair"])
    means = {"one_pool": result.measures, "within": pairs.get("same", {}), "across": pairs.get("cross", {})}
    rounded = {part: {name: round(value, 4) for name, value in found.items()} for part, found in means.items()}
    collection, system = names
    return {
        "collection": collection,
        "system": system,
        **rounded,
        "documents": len(spoken),
        "topics": len(topics),
        "cpu_ms_per_query": round(1000 * seconds / len(topics), 2),
    }


if __name__ == "__main__":
    main()
