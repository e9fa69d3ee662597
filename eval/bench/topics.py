"""A batch of topics as experiments run them: 10,000 questions on 200,000 passages, 1,000 results each, on all cores,
packed, stopped in the middle and taken up again.

    python eval/bench/topics.py --data ../shared/data/parallel [--documents 200000] [--topics 10000]

Documents are those of `engine.py`; topics are stretches of 3 to 6 words of them. The run is made once without a break
and once stopped by SIGINT after half of its topics; both must be the same bytes. Appends a row to
`eval/results/topics.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
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


def stopped_and_resumed(folder: Path, k: int, topics: int) -> dict[str, float]:
    """Stop the run with SIGINT once half the topics are done, then start it again."""
    part = folder / "resumed.txt.zst.part"
    process = subprocess.Popen(search(folder, k, "resumed.txt.zst"), stderr=subprocess.DEVNULL)
    while process.poll() is None and lines(part) < topics // 2:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.wait()
    kept = lines(part)
    started = time.perf_counter()
    subprocess.run(search(folder, k, "resumed.txt.zst"), check=True, stderr=subprocess.DEVNULL)
    return {"topics_kept": kept, "seconds_for_the_rest": round(time.perf_counter() - started, 2)}


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
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "topics.jsonl")
    given = parser.parse_args()
    if not given.data.is_dir():
        sys.exit(f"no parallel text at {given.data}: point at it with --data")
    origin = provenance(utc_now())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_documents(given.data, given.documents, folder / "docs.jsonl")
        make_topics(folder / "docs.jsonl", given.topics, folder / "topics.tsv")
        subprocess.run([*XSEARCH, "index", str(folder / "docs.jsonl"), "-i", str(folder / "idx")], check=True)
        indexing = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        started = time.perf_counter()
        subprocess.run(search(folder, given.hits, "run.txt.zst"), check=True)
        seconds = time.perf_counter() - started
        row: dict[str, object] = {
            "bench": "topics",
            "documents": given.documents,
            "topics": given.topics,
            "hits": given.hits,
            "seconds": round(seconds, 2),
            "ms_per_topic": round(1000 * seconds / given.topics, 3),
            "run_mb": round((folder / "run.txt.zst").stat().st_size / 1e6, 2),
            # The larger of both: what the system tells is the peak over all child processes so far.
            "peak_mib_indexing": round(indexing),
            "peak_mib_indexing_or_searching": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
            "resumed": stopped_and_resumed(folder, given.hits, given.topics),
            "resumed_is_the_same": (folder / "run.txt.zst").read_bytes() == (folder / "resumed.txt.zst").read_bytes(),
        }
    row |= origin
    given.results.parent.mkdir(parents=True, exist_ok=True)
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
