"""The small reranker against the fused ranking it reorders: effectiveness in one pool of all languages and in pools of
one, and its time.

    python eval/bench/rerank_small.py --data ../shared/data/eval ntrex-doc tldr iot-lessons [--questions 150]

Every question is searched once, 100 documents deep, with the default recipe; its list is scored as it is and after
reranking. Questions are spread over all topics, each in languages drawn alike; in pools of one language, which is drawn
too, that language's judged documents alone count. Wordings of one topic are one observation of the paired randomisation
test; p values are corrected by Holm's method over all tests of the call. `ms` is CPU time of the scoring of a list of
100 passages on one thread, from their texts on, after the first 20 lists, `wall_ms` the time of day that it took;
`scan_ms` the time in which the same process sums 64 MB, and `load` how many processes wanted a core, as measures of the
machine at that moment. The words of a collection that this call indexes are known to the process, as they are to one
that has answered for a while; with `--indexes` of an earlier call lists bring new words, which are cut into pieces
first. Appends a row for each collection and pool to `eval/results/rerank-small.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from engine import ROOT, SEED
from late import scan

from xsearch.core import Judgment, Qrels, Query, Run, ScoredDoc, Topic
from xsearch.corpora.collections import Collection, collection
from xsearch.engine import Index, SearchOptions, create_index
from xsearch.engine.clock import utc_now
from xsearch.engine.rerank import candidates
from xsearch.evaluate.compare import compare_values, holm
from xsearch.evaluate.evaluation import evaluate
from xsearch.evaluate.provenance import provenance
from xsearch.rank.rerank import RerankCandidate, load_reranker

DEPTH = 100
WARM = 20
MEASURES = {"mixed": "nDCG@20", "one": "nDCG@10"}


class Question(NamedTuple):
    """A topic's wording; right: its judged documents, of language `to` alone if that is given."""

    topic: Topic
    to: str | None
    right: Mapping[str, int]


def questions(source: Collection, pool: str, count: int) -> Iterator[Question]:
    """About `count` questions, every topic as often as any other."""
    rng = random.Random(f"{SEED} {source.name} {pool}")
    langs = {document.id: document.lang or "" for document in source.documents()}
    judged = source.qrels().topics()
    wordings = defaultdict(list)
    for topic in source.topics():
        if judged.get(topic.id):
            wordings[topic.id].append(topic)
    ids = sorted(wordings)
    rng.shuffle(ids)
    for number in range(count):
        id = ids[number % len(ids)]
        right = judged[id]
        to = rng.choice(sorted({langs[document] for document in right})) if pool == "one" else None
        if to:
            right = {document: grade for document, grade in right.items() if langs[document] == to}
        yield Question(rng.choice(wordings[id]), to, right)


class Searched(NamedTuple):
    """A question's list, in the fused order."""

    question: Question
    query: Query
    passages: list[RerankCandidate]


def searched(index: Index, asked: Iterable[Question]) -> Iterator[Searched]:
    """The lists of the questions."""
    for question in asked:
        options = SearchOptions(DEPTH, question.topic.lang, [question.to] if question.to else None, rerank="none")
        snapshot, found = index.find(question.topic.text, options)
        yield Searched(question, found.query, candidates(snapshot, found.fused, found.rows))


def compared(lists: Iterable[Searched], measure: str) -> dict[str, Any]:
    """Means before and after, the test, and milliseconds."""
    reranker = load_reranker("small")
    values: dict[str, dict[str, list[float]]] = {"fused": defaultdict(list), "small": defaultdict(list)}
    taken, wall = [], []
    for question, query, passages in lists:
        begun, started = time.perf_counter(), time.thread_time()
        scores = reranker.score(query, passages)
        taken.append((len(passages), 1000 * (time.thread_time() - started)))
        wall.append(1000 * (time.perf_counter() - begun))
        id = question.topic.id
        qrels = Qrels(tuple(Judgment(id, document, grade) for document, grade in question.right.items()))
        orders = {"fused": np.arange(len(passages)), "small": np.argsort(-scores, kind="stable")}
        for name, order in orders.items():
            ranked = (ScoredDoc(id, passages[at].document, -float(rank)) for rank, at in enumerate(order))
            values[name][id].append(evaluate(Run.of(ranked, name), qrels, [measure]).measures[measure])
    means = {name: {id: float(np.mean(own)) for id, own in by.items()} for name, by in values.items()}
    test = compare_values(measure, ("fused", "small"), means["fused"], means["small"])
    full = [ms for size, ms in taken[WARM:] if size == DEPTH] or [ms for _, ms in taken[WARM:]]
    p50, p95, p99 = np.percentile(full, [50, 95, 99])
    return {
        "measure": measure,
        "questions": len(taken),
        "topics": test.topics,
        "fused": round(test.baseline_mean, 4),
        "small": round(test.other_mean, 4),
        "difference": round(test.difference, 4),
        "wins": test.wins,
        "losses": test.losses,
        "p": test.randomisation,
        "ms_p50": round(float(p50), 1),
        "ms_p95": round(float(p95), 1),
        "ms_p99": round(float(p99), 1),
        "wall_ms_p50": round(float(np.median(wall[WARM:])), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collections", nargs="+")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "eval")
    parser.add_argument("--questions", type=int, default=150, help="of each collection and pool")
    parser.add_argument("--indexes", type=Path, help="where indexes are kept from call to call")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "rerank-small.jsonl")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.collections:
            source = collection(name, root=given.data)
            folder = (given.indexes or Path(scratch)) / name
            if not folder.exists():
                with create_index(folder) as index, index.writer() as writer:
                    for document in source.documents():
                        writer.add(document)
            with Index(folder) as index:
                for pool, measure in MEASURES.items():
                    row = {"bench": "rerank-small", "collection": name, "pool": pool}
                    asked = questions(source, pool, given.questions)
                    rows.append(row | compared(searched(index, asked), measure))
                    rows[-1] |= {"scan_ms": scan(), "load": round(os.getloadavg()[0], 1)}
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p
    with given.results.open("a", encoding="utf-8") as out:
        for row in rows:
            line = json.dumps(row | provenance(utc_now(), threads=1))
            out.write(line + "\n")
            print(line)


if __name__ == "__main__":
    main()
