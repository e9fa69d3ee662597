"""Indexing speed, query latency, bytes and memory of the engine, with bm25s on the same documents in the same run.

    python eval/bench/engine.py --data ../shared/data/parallel [--documents 200000] [--recipe hybrid]

Documents are made of distinct sentences of parallel text in 20 languages, about 60 words each (unspaced scripts:
the sentences that are 60 words in English). Each measurement runs in a process of its own, so that peak memory is
that of one thing. Appends a row for each recipe to `eval/results/engine.jsonl`; `load` is the machine's average number
of busy processes in the minute before, and the CPU's time is what a busy machine does not change much.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = [
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk"),
    *("tr", "ar", "fa", "hi", "zh", "ja", "ko", "vi", "id", "sv"),
]
RECIPES = ("words-and-vectors", "hybrid")
WORDS = 60
SEED = 7
WARM_UP = 50
"""Queries before those that are measured."""


def sentences(data: Path) -> dict[str, list[str]]:
    """Distinct sentences of each language, over all files of parallel text."""
    found: dict[str, dict[str, None]] = {lang: {} for lang in LANGUAGES}
    for path in sorted(data.glob("*.jsonl.xz")):
        if path.name.endswith(".sections.jsonl.xz"):
            continue
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                for lang in LANGUAGES:
                    if isinstance(text := row.get(lang), str):
                        found[lang][text] = None
    return {lang: list(texts) for lang, texts in found.items()}


def make_documents(data: Path, count: int, target: Path) -> None:
    """Write `count` documents as JSON lines; a language whose sentences run out starts over in another order."""
    rng = random.Random(SEED)
    each = -(-count // len(LANGUAGES))
    rows = []
    for lang, pool in sentences(data).items():
        made, at = 0, len(pool)
        while made < each:
            if at >= len(pool) - 1:
                rng.shuffle(pool)
                at = 0
            parts: list[str] = []
            length = 0.0
            while length < WORDS and at < len(pool):
                parts.append(pool[at])
                length += len(pool[at]) / 2.5 if lang in ("zh", "ja") else len(pool[at].split())
                at += 1
            rows.append((lang, " ".join(parts)))
            made += 1
    rng.shuffle(rows)
    with target.open("w", encoding="utf-8") as out:
        for number, (lang, text) in enumerate(rows[:count]):
            out.write(json.dumps({"id": f"d{number:06d}", "text": text, "made": lang}, ensure_ascii=False) + "\n")


def measure_index(documents: Path, folder: Path, recipe: str) -> dict[str, float]:
    """Index through the public command's path: read, identify, analyze, encode, store, commit."""
    import xsearch
    from xsearch.engine import IngestOptions, index_paths

    started = time.perf_counter()
    index = xsearch.create(folder, recipe)
    report = index_paths(index, [documents], IngestOptions(workers=os.cpu_count() or 1))
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "documents_per_second": report.documents / seconds}


def measure_bm25s(documents: Path, folder: Path, _: str) -> dict[str, float]:
    """bm25s with its own tokenizer, no stemmer, index saved to disk."""
    import bm25s

    started = time.perf_counter()
    texts = [json.loads(line)["text"] for line in documents.open(encoding="utf-8")]
    tokens = bm25s.tokenize(texts, stopwords=None, show_progress=False)
    retriever = bm25s.BM25()
    retriever.index(tokens, show_progress=False)
    retriever.save(str(folder))
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "documents_per_second": len(texts) / seconds}


def measure_queries(documents: Path, folder: Path, _: str) -> dict[str, float]:
    """500 queries of 3 to 6 words in the documents' languages, one thread, k = 10: hits with snippets ("all"), without
    ("ranked"), without the reranker too ("fused"), and by single retrievers."""
    import numpy as np

    import xsearch

    texts = [json.loads(line)["text"] for line in documents.open(encoding="utf-8")]
    ways = ("all", "ranked", "fused", "bm25", "dense")
    # Each way its own: what a query has taught the caches is not to help the next.
    queries = {way: made_of(texts, random.Random(f"{SEED} {way}")) for way in ways}
    started = time.perf_counter()
    index = xsearch.open(folder)
    index.search(queries["all"][0])
    opened = time.perf_counter() - started
    results: dict[str, float] = {"open_and_first_query_ms": 1000 * opened}
    for way in ways:
        chosen = [way] if way in ("bm25", "dense") else None
        rerank = "none" if way == "fused" else None
        taken, busy = [], []
        for query in queries[way]:
            started, worked = time.perf_counter(), time.process_time()
            index.search(query, retrievers=chosen, rerank=rerank, snippets=way not in ("ranked", "fused"))
            taken.append(1000 * (time.perf_counter() - started))
            busy.append(1000 * (time.process_time() - worked))
        wall, cpu = np.percentile(taken[WARM_UP:], [50, 99]), np.percentile(busy[WARM_UP:], [50, 99])
        results[f"{way}_p50_ms"], results[f"{way}_p99_ms"] = map(float, wall)
        results[f"{way}_cpu_p50_ms"], results[f"{way}_cpu_p99_ms"] = map(float, cpu)
    results["scan_ms"] = scan(folder)
    return results


def made_of(texts: list[str], rng: random.Random) -> list[str]:
    """Queries: 3 to 6 words, one after the other in a document."""
    queries = []
    for text in rng.sample(texts, WARM_UP + 500):
        words = text.split()
        start = rng.randrange(max(1, len(words) - 6))
        queries.append(" ".join(words[start : start + rng.randint(3, 6)])[:60])
    return queries


def scan(folder: Path) -> float:
    """The least time in which the machine reads all stored vectors once, in ms: what bounds an exact search."""
    import numpy as np

    maps = [np.memmap(path, np.uint8, mode="r") for path in folder.rglob("*.faiss")]
    words = [codes[: len(codes) // 8 * 8].view(np.uint64) for codes in maps]
    taken = []
    for _ in range(20):
        started = time.process_time()
        for part in words:
            np.bitwise_xor.reduce(part)
        taken.append(1000 * (time.process_time() - started))
    return min(taken)


def sizes(folder: Path, count: int) -> dict[str, float]:
    """Bytes per document of each part of the index."""
    totals: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            parts = path.relative_to(folder).parts
            part = parts[1].split("-")[0].split(".")[0] if len(parts) > 1 else "manifest"
            totals[part] = totals.get(part, 0) + path.stat().st_size
    return {part: round(total / count, 1) for part, total in sorted(totals.items())}


def in_process(step: str, documents: Path, folder: Path, recipe: str = "") -> dict[str, float]:
    """Run one measurement in a fresh interpreter; adds its peak memory."""
    command = [sys.executable, __file__, "--step", step, "--input", str(documents), "--folder", str(folder)]
    command += ["--recipe", recipe]
    # Before numpy is imported: its threads are made then.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} if step == "queries" else {}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | threads)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def peak_kib() -> int:
    """Most memory this process held. What `getrusage` says includes what its parent held when it was started."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(recipe: str, count: int, documents: Path, folder: Path, peer: dict[str, float]) -> dict[str, object]:
    """A row of the results: one recipe, beside bm25s on the same documents."""
    ours = in_process("index", documents, folder, recipe)
    return {
        "bench": "engine",
        "recipe": recipe,
        "documents": count,
        "languages": len(LANGUAGES),
        "index": ours | {"cpu_us_per_document": 1e6 * ours["cpu_seconds"] / count},
        "bm25s": peer,
        "ratio_to_bm25s": ours["documents_per_second"] / peer["documents_per_second"],
        "cpu_ratio_to_bm25s": peer["cpu_seconds"] / ours["cpu_seconds"],
        "queries": in_process("queries", documents, folder, recipe),
        "bytes_per_document": sizes(folder, count),
        "command": f"python eval/bench/engine.py --documents {count} --recipe {recipe}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--recipe", action="append", help=f"default: {' and '.join(RECIPES)}")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "engine.jsonl")
    parser.add_argument("--step", choices=["index", "bm25s", "queries"], help=argparse.SUPPRESS)
    parser.add_argument("--input", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step = {"index": measure_index, "bm25s": measure_bm25s, "queries": measure_queries}[given.step]
        result = step(given.input, given.folder, given.recipe[0])
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        result["cpu_seconds"] = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        result["peak_mib"] = peak_kib() / 1024
        print(json.dumps(result))
        return
    if not given.data.is_dir():
        sys.exit(f"no parallel text at {given.data}: point at it with --data")
    with tempfile.TemporaryDirectory() as scratch:
        load = os.getloadavg()[0]
        documents = Path(scratch) / "documents.jsonl"
        make_documents(given.data, given.documents, documents)
        peer = in_process("bm25s", documents, Path(scratch) / "bm25s")
        recipes = given.recipe or RECIPES
        rows = [measure(name, given.documents, documents, Path(scratch) / name, peer) for name in recipes]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    made = {
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(load, 1),
        "date": time.strftime("%Y-%m-%d"),
    }
    given.results.parent.mkdir(parents=True, exist_ok=True)
    with given.results.open("a", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row | made) + "\n")
            print(json.dumps(row | made, indent=1))


if __name__ == "__main__":
    main()
