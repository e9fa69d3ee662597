"""A batch of topics as experiments run them: 10,000 questions on 200,000 passages, 1,000 results each, on all cores,
packed, stopped in the middle and taken up again.

    python eval/bench/topics.py --data ../shared/data/parallel [--documents 200000] [--topics 10000] [--once]

Documents are those of `engine.py`; topics are stretches of 3 to 6 words of them. The run is made once without a break
and once stopped by SIGINT after half of its topics; both must be the same bytes. bm25s answers the same topics over
the same documents in the same run, words only, on as many threads. Appends a row to `eval/results/topics.jsonl`;
`cpu_seconds` are over all processes, `peak_mib` that of the largest one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine import ROOT, SEED, make_documents

from xsearch.engine.clock import utc_now
from xsearch.evaluate.provenance import provenance

XSEARCH = [sys.executable, "-m", "xsearch"]


def make_topics(documents: Path, count: int, target: Path) -> None:
    """Write `count` topics as id⇥text: 3 to 6 words in a row of a document (of an unspaced one, 20 characters)."""
    rng = random.Random(SEED)
    texts = [json.loads(line)["text"] for line in documents.open(encoding="utf-8")]
    with target.open("w", encoding="utf-8") as out:
        for number in range(count):
            words = rng.choice(texts).split()
            start = rng.randrange(max(1, len(words) - 6))
            text = " ".join(words[start : start + rng.randint(3, 6)])
            out.write(f"t{number:05d}\t{text[:20] if len(words) < 6 else text}\n")


def search(folder: Path, k: int, output: str) -> list[str]:
    return [*XSEARCH, "query", "-i", str(folder / "idx"), "--topics", str(folder / "topics.tsv"), "-k", str(k),
            "--output", str(folder / output)]  # fmt: skip


def timed(command: list[str]) -> dict[str, float]:
    """Run a command to its end: wall and CPU seconds, and the peak memory of its largest process."""
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


def stopped_and_resumed(folder: Path, k: int, topics: int) -> dict[str, float]:
    """Stop the run with SIGINT once half the topics are done, then start it again."""
    part = folder / "resumed.txt.zst.part"
    process = subprocess.Popen(search(folder, k, "resumed.txt.zst"), stderr=subprocess.DEVNULL)
    while process.poll() is None and lines(part) < topics // 2:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.wait()
    return {"topics_kept": lines(part), **timed(search(folder, k, "resumed.txt.zst"))}


def stopped(folder: Path, k: int, topics: int) -> dict[str, object]:
    """What stopping in the middle costs, and whether the run is the same in the end."""
    resumed = stopped_and_resumed(folder, k, topics)
    same = (folder / "run.txt.zst").read_bytes() == (folder / "resumed.txt.zst").read_bytes()
    return {"resumed": resumed, "resumed_is_the_same": same}


def bm25s(folder: Path, k: int) -> dict[str, float]:
    """The same documents and topics through bm25s; without the time to index."""
    import bm25s

    texts = [json.loads(line)["text"] for line in (folder / "docs.jsonl").open(encoding="utf-8")]
    asked = [line.split("\t")[1] for line in (folder / "topics.tsv").open(encoding="utf-8")]
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(texts, stopwords=None, show_progress=False), show_progress=False)
    started = time.perf_counter()
    tokens = bm25s.tokenize(asked, stopwords=None, show_progress=False)
    retriever.retrieve(tokens, k=min(k, len(texts)), n_threads=os.cpu_count() or 1, show_progress=False)
    return {"seconds": round(time.perf_counter() - started, 2)}


def lines(part: Path) -> int:
    """Topics in a ``.part`` file, whose first line holds the settings."""
    if not part.is_file():
        return 0
    with part.open("rb") as file:
        return max(0, sum(1 for _ in file) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument("-k", "--hits", type=int, default=1000)
    parser.add_argument("--once", action="store_true", help="without the run that is stopped")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "topics.jsonl")
    given = parser.parse_args()
    if not given.data.is_dir():
        sys.exit(f"no parallel text at {given.data}: point at it with --data")
    origin, load = provenance(utc_now()), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_documents(given.data, given.documents, folder / "docs.jsonl")
        make_topics(folder / "docs.jsonl", given.topics, folder / "topics.tsv")
        indexing = timed([*XSEARCH, "index", str(folder / "docs.jsonl"), "-i", str(folder / "idx")])
        searching = timed(search(folder, given.hits, "run.txt.zst"))
        row: dict[str, object] = {
            "bench": "topics",
            "documents": given.documents,
            "topics": given.topics,
            "hits": given.hits,
            **searching,
            "ms_per_topic": round(1000 * searching["seconds"] / given.topics, 3),
            "cpu_ms_per_topic": round(1000 * searching["cpu_seconds"] / given.topics, 3),
            "run_mb": round((folder / "run.txt.zst").stat().st_size / 1e6, 2),
            "indexing": indexing,
            **({} if given.once else stopped(folder, given.hits, given.topics)),
            "bm25s": (peer := bm25s(folder, given.hits)),
            "ratio_to_bm25s": round(searching["seconds"] / peer["seconds"], 2),
            "load": round(load, 1),
        }
    row |= origin
    given.results.parent.mkdir(parents=True, exist_ok=True)
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
