"""What reranking brings and what it costs: the same questions without and with rerankers, by depth and by time allowed.

    python eval/bench/rerank.py --data ../shared/data/eval --rerankers mmarco-mminilm-l12 [--collections tldr]
    python eval/bench/rerank.py --data ../shared/data/eval --speed PATH_OF_A_CROSS_ENCODER

Each collection is indexed with the recipe `hybrid`; every n-th topic is asked in one of its languages, each time the
next one, of all languages at once. `ms` are milliseconds for a question, first stage included, of wall time (p50, p99)
and of the process's CPU time (p50; on a busy machine it says more); `cut` counts the questions whose time was over. `p`
is the paired t-test's against the first stage, Holm's correction over all rows of a collection. With `--speed` the same
pairs of question and passage are scored by this engine and by sentence-transformers' own `CrossEncoder.predict` in
turn, and `ratio` is its CPU time by ours, the median of three rounds. `--note` says what a reader must know of the
models. Rows go to `eval/results/rerank.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import Query, Run, ScoredDoc, Topic
from xsearch.corpora.collections import collection
from xsearch.encode import Runtime
from xsearch.engine import Index, SearchOptions, create_index
from xsearch.engine.clock import utc_now
from xsearch.evaluate import compare
from xsearch.evaluate.provenance import provenance
from xsearch.evaluate.suites import judged_topics
from xsearch.rank.rerank import RerankCandidate, load_reranker
from xsearch.rank.rerank.protocol import passage_text

ROOT = Path(__file__).parents[2]
MEASURES = ("nDCG@10", "nDCG@20", "RR")
K = 100
ROUNDS = 3
READ_WHOLE = 400
"""Characters of a passage where speed is measured: longer ones are cut by one and read in windows by the other."""


def answered(index: Index, topics: Sequence[Topic], tag: str, **options: Any) -> tuple[Run, dict[str, float]]:
    """A run over `topics`, and what a question took."""
    rows, wall, cpu, cut = [], [], [], 0
    for topic in topics:
        started = time.perf_counter(), time.process_time()
        snapshot, found = index.find(topic.text, SearchOptions(K, topic.lang, **options))
        wall.append(1000 * (time.perf_counter() - started[0]))
        cpu.append(1000 * (time.process_time() - started[1]))
        cut += bool(found.reranked and not found.reranked.complete)
        ids = snapshot.store.ids(found.documents)
        rows += [ScoredDoc(f"{topic.id}@{topic.lang}", id, float(s)) for id, s in zip(ids, found.scores, strict=True)]
    p50, p99 = np.percentile(wall, [50, 99])
    times = {"ms_p50": p50, "ms_p99": p99, "cpu_ms_p50": np.median(cpu), "cut": cut}
    return Run.of(rows, tag), {name: round(float(value), 1) for name, value in times.items()}


def in_turn(topics: Sequence[Topic], count: int) -> list[Topic]:
    """Every n-th topic such that about `count` are left, the first in its first language, the next in its second …"""
    wordings: dict[str, list[Topic]] = {}
    for topic in topics:
        wordings.setdefault(topic.id, []).append(topic)
    every = list(wordings.values())[:: max(1, round(len(wordings) / count))]
    return [choices[number % len(choices)] for number, choices in enumerate(every)]


def systems(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What is asked: the first stage, then every reranker at each depth and within each time."""
    found: list[dict[str, Any]] = [{"rerank": "none"}]
    for name in arguments.rerankers:
        found += [{"rerank": name, "rerank_depth": depth} for depth in arguments.depths]
        most = max(arguments.depths)
        found += [{"rerank": name, "rerank_depth": most, "rerank_budget": ms / 1000} for ms in arguments.budgets]
    return found


def quality(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of one collection, a system each."""
    source = collection(name, arguments.data)
    qrels = source.qrels()
    topics = in_turn(judged_topics(source.topics(), {row.topic for row in qrels}, ()), arguments.topics)
    with tempfile.TemporaryDirectory() as folder:
        index = create_index(Path(folder) / "idx", "hybrid", runtime=Runtime(arguments.device))
        with index.writer() as writer:
            for document in source.documents():
                writer.add(document)
        runs, rows = [], []
        for number, options in enumerate(systems(arguments)):
            run, times = answered(index, topics, f"system {number}", **options)
            runs.append(run)
            which = {**options, "rerank": "none"}
            if options["rerank"] != "none":
                card = index.rerankers.get(options["rerank"]).card
                which |= {"rerank": f"{card.name} {card.fingerprint}", "kind": card.kind, "mix": card.mix}
            rows.append({"collection": name, **which, **times, "questions": len(topics)})
    found = compare(runs, qrels, MEASURES, topics=topics)
    rows[0]["means"] = {c.measure: round(c.baseline_mean, 4) for c in found[: len(MEASURES)]}
    for run, row in zip(runs[1:], rows[1:], strict=True):
        mine = [c for c in found if c.other == run.tag]
        row["means"] = {c.measure: round(c.other_mean, 4) for c in mine}
        row["p"] = {c.measure: round(c.t_test_holm, 4) for c in mine}
    return rows


def speed(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time of scoring the same pairs, ours and sentence-transformers'."""
    from sentence_transformers import CrossEncoder

    source = collection(name, arguments.data)
    topics = in_turn(source.topics(), arguments.topics)
    documents = [document for number, document in enumerate(source.documents()) if number % 7 == 0][:K]
    passages = [
        RerankCandidate(n, d.id, d.lang or "und", d.title, d.text[:READ_WHOLE], 0.0) for n, d in enumerate(documents)
    ]
    ours, theirs = load_reranker(arguments.speed, Runtime("cpu")), CrossEncoder(arguments.speed, device="cpu")
    taken: list[list[float]] = []
    for _ in range(ROUNDS):
        spent = [0.0, 0.0]
        for topic in topics:
            query = Query(topic.text, ((topic.lang or "und", 1.0),))
            started = time.process_time()
            scores = ours.score(query, passages)
            between = time.process_time()
            pairs = [(topic.text, passage_text(passage)) for passage in passages]
            peer = theirs.predict(pairs, activation_fn=_logits(), show_progress_bar=False)
            spent[0] += between - started
            spent[1] += time.process_time() - between
        taken.append(spent)
    mine, other = np.median(np.array(taken), axis=0)
    count = len(topics) * len(passages)
    return {
        "collection": name,
        "reranker": f"{ours.card.name} {ours.card.fingerprint}",
        "passages": len(passages),
        "questions": len(topics),
        "ms_a_passage": round(1000 * mine / count, 3),
        "peer": "sentence-transformers CrossEncoder.predict",
        "peer_ms_a_passage": round(1000 * other / count, 3),
        "ratio": round(float(np.median([b / a for a, b in taken])), 2),
        "largest_difference": round(float(np.abs(scores - peer).max()), 6),
    }


def _logits() -> Any:
    import torch

    return torch.nn.Identity()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rerankers", nargs="+", default=[], help="names, cards or models' folders")
    parser.add_argument("--speed", help="the folder of a cross-encoder")
    parser.add_argument("--collections", nargs="+", default=["ntrex-doc", "tldr", "iot-lessons"])
    parser.add_argument("--topics", type=int, default=60, help="of a collection, about")
    parser.add_argument("--depths", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--budgets", type=int, nargs="*", default=[], help="milliseconds")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, default=ROOT / "eval" / "results" / "rerank.jsonl")
    arguments = parser.parse_args()
    if not arguments.rerankers and not arguments.speed:
        sys.exit("give --rerankers or --speed")
    origin = provenance(utc_now(), threads=int(os.environ.get("OMP_NUM_THREADS", 0)) or None)
    for name in arguments.collections:
        for row in quality(name, arguments) if arguments.rerankers else [speed(name, arguments)]:
            row = {"bench": "rerank", **row, "note": arguments.note, **origin}
            print(json.dumps(row))
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
