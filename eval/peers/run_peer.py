"""Run another engine on a collection and score it as the suites do.

python eval/peers/run_peer.py PEER COLLECTION [--root DIR] [--python PYTHON] [-- options of the peer]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from xsearch.corpora.collections import AnyCollection, collection
from xsearch.corpora.formats.topics import write_topics
from xsearch.corpora.formats.trec_run import read_run
from xsearch.engine.clock import utc_now
from xsearch.engine.runs import run_topic_ids
from xsearch.evaluate import Confidence, evaluate
from xsearch.evaluate.provenance import provenance
from xsearch.evaluate.suite import load_suite
from xsearch.evaluate.suites import Costs, Judged, append_row, judged_topics, result_row, sampled

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "peers.jsonl"
PEERS = {"bm25s": "bm25s_peer.py", "lucene": "lucene_peer.py", "dense": "dense_peer.py"}
JAVA = Path("/usr/lib/jvm/temurin-25-jdk-amd64")


def export_documents(source: AnyCollection, path: Path) -> dict[str, str]:
    """Write the documents, titles before texts, as JSON lines; returns the languages by id."""
    languages = {}
    with path.open("w", encoding="utf-8") as file:
        for document in source.documents():
            text = f"{document.title}\n{document.text}" if document.title else document.text
            languages[document.id] = document.lang or "und"
            record = {"id": document.id, "lang": languages[document.id], "text": text}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return languages


def texts_of(docs: Path, wanted: set[str]) -> dict[str, str]:
    """The texts of the `wanted` documents, as the peer got them."""
    with docs.open(encoding="utf-8") as lines:
        records = (json.loads(line) for line in lines)
        return {record["id"]: record["text"] for record in records if record["id"] in wanted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("collection")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peer")
    parser.add_argument("--suite", help="take breakdowns, measures, depth and sample of topics from this suite")
    parser.add_argument("--by", nargs="*", default=["query_lang"], help="pair, query_lang, doc_lang")
    parser.add_argument("-k", type=int, default=1000)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--name", help="the system's name in the results; the peer's by default")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given, theirs = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    source = collection(given.collection, given.root)
    measures, sample = source.about.measures, 0
    if given.suite:
        suite = load_suite(given.suite)
        measures, given.by, given.k, sample = suite.measures, suite.by, suite.k, suite.sample
    judged = Judged.of(source)
    asked = sampled(judged_topics(source.topics(), judged.topics, ()), sample)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in ("docs.jsonl", "topics.jsonl", "run", "times.json")}
        languages = export_documents(source, paths["docs.jsonl"])
        write_topics(paths["topics.jsonl"], run_topic_ids(asked))
        command = [given.python, str(HERE / PEERS[given.peer]), "-k", str(given.k)]
        for option, name in (
            ("docs", "docs.jsonl"),
            ("topics", "topics.jsonl"),
            ("run", "run"),
            ("times", "times.json"),
        ):
            command += [f"--{option}", str(paths[name])]
        subprocess.run([*command, *theirs], check=True, env=_environment())
        run = read_run(paths["run"])
        times = json.loads(paths["times.json"].read_text())
        texts = {} if judged.answers is None else texts_of(paths["docs.jsonl"], {row.document for row in run})
    result = evaluate(
        run,
        judged.qrels,
        measures,
        by=given.by,
        doc_langs=languages,
        topics=asked,
        confidence=Confidence(),
        answers=judged.answers,
        texts=texts.get,
    )
    costs = Costs(
        len(languages), times["index_seconds"], times.get("index_bytes", 0), len(asked), times["search_seconds"]
    )
    names = ("peers", source.name, given.name or given.peer)
    row = result_row(names, {"peer": times["peer"], "options": theirs}, result, costs) | provenance(utc_now())
    append_row(given.results, row)
    print(json.dumps({key: row[key] for key in ("collection", "system", "measures", "ms_per_query")}, indent=1))


def _environment() -> dict[str, str]:
    """pyserini wants a recent Java, and a key for a service that is never called."""
    java = {"JAVA_HOME": str(JAVA)} if JAVA.is_dir() else {}
    return {**os.environ, **java, "OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "unused")}


if __name__ == "__main__":
    main()
