"""Late interaction at scale: time of a query on one thread, recall against exhaustive scoring, bytes of a passage.

    python eval/bench/late.py --data ../shared/data/parallel [--passages 1000000]

Passages are about 60 words of parallel text in 20 languages: random sentences, of 40,000 a language. Queries are 3 to 6
words of such sentences. Recall counts, of the hundred best of all passages when every word of every passage is compared
(all languages in one list), those that a search returns; a passage that scores as high as the hundredth counts as one
of them. `recall_by_language` is the same of the hundred best of each language. Times are CPU time of the thread, after
the first search (`first_ms`), which reads the vocabulary; `scan_ms` is the time in which the same process reads 64 MB
of memory, as a measure of the machine at that moment. Appends a row to `eval/results/late.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from engine import ROOT, SEED, WORDS, sentences

from xsearch.core import Bags, PassageBatch, Query
from xsearch.encode import load_encoder
from xsearch.retrieve import Late, TokensWriter, static_late
from xsearch.retrieve.best import Best
from xsearch.retrieve.maxsim import Comparison, compiled_loops, query_words, word_bounds
from xsearch.retrieve.static_late import Samples, summed
from xsearch.retrieve.tokens import words_name
from xsearch.retrieve.word_file import map_words
from xsearch.storage import DiskFiles

POOL = 40_000
AT_ONCE = 5_000
DEPTH = 100


def words(text: str, lang: str) -> float:
    """Length of a text; scripts without spaces count two and a half characters as a word."""
    return len(text) / 2.5 if lang in ("zh", "ja") else len(text.split())


def batches(pool: dict[str, list[str]], encoder: Any, count: int, rng: np.random.Generator) -> Iterator[PassageBatch]:
    """Passages of random sentences, language after language."""
    each, first = -(-count // len(pool)), 0
    for lang, texts in pool.items():
        bags = encoder.pieces(texts)
        begins = np.zeros(len(bags.tokens), dtype=np.bool_)
        begins[bags.words] = True
        sizes = np.diff(bags.starts)
        per_passage = max(1, round(WORDS / np.mean([words(text, lang) for text in texts])))
        for start in range(0, each, AT_ONCE):
            n = min(AT_ONCE, each - start)
            chosen = rng.integers(0, len(texts), n * per_passage)
            ends = np.cumsum(sizes[chosen])
            places = np.arange(ends[-1]) + np.repeat(bags.starts[chosen] - ends + sizes[chosen], sizes[chosen])
            starts = np.concatenate(([0], ends[per_passage - 1 :: per_passage]))
            pieces = Bags(bags.tokens[places], starts, np.flatnonzero(begins[places]))
            empty = [""] * n
            yield PassageBatch(np.arange(first, first + n), [lang] * n, empty, empty, None, pieces)
            first += n


def build(folder: Path, made: Iterator[PassageBatch]) -> tuple[dict[str, Any], dict[str, float]]:
    """The part; its state, and CPU microseconds and bytes of a passage in it."""
    writer = TokensWriter(folder, {}, high_water=0, files=DiskFiles())
    taken, count = 0.0, 0
    for batch in made:
        count += len(batch)
        started = time.thread_time()
        writer.add(batch)
        taken += time.thread_time() - started
    started = time.thread_time()
    state = writer.flush()
    taken += time.thread_time() - started
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return state, {"us": round(1e6 * taken / count, 1), "bytes": round(size / count, 1)}


def questions(pool: dict[str, list[str]], count: int) -> list[str]:
    """Stretches of 3 to 6 words, of every language alike."""
    rng = random.Random(SEED)
    made = []
    for number in range(count):
        lang = list(pool)[number % len(pool)]
        text = rng.choice(pool[lang])
        if lang in ("zh", "ja"):
            made.append(text[: rng.randint(6, 14)])
        else:
            split = text.split()
            start = rng.randrange(max(1, len(split) - 6))
            made.append(" ".join(split[start : start + rng.randint(3, 6)]))
    return made


def timed(late: Late, queries: list[Query]) -> dict[str, float]:
    """CPU milliseconds of a search, after as many to warm up."""
    started = time.thread_time()
    late.search(queries[0], DEPTH)
    first = 1000 * (time.thread_time() - started)
    half = len(queries) // 2
    taken = []
    for number, query in enumerate(queries):
        started = time.thread_time()
        late.search(query, DEPTH)
        if number >= half:
            taken.append(1000 * (time.thread_time() - started))
    p50, p99 = np.percentile(taken, [50, 99])
    return {"first_ms": round(first), "p50_ms": round(float(p50), 1), "p99_ms": round(float(p99), 1)}


class Compared:
    """Every word of every passage compared with every word of a query: what a search is to find."""

    def __init__(self, folder: Path, state: dict[str, Any], encoder: Any) -> None:
        self.languages = {
            lang: [map_words(folder / words_name(lang, entry), entry) for entry in entries]
            for lang, entries in state["languages"].items()
        }
        self.encoder, self.comparison = encoder, Comparison(encoder, compiled_loops())
        self.samples = Samples.of(self.languages)

    def best(self, query: Query) -> list[Best]:
        """The best hundred of each language."""
        words = query_words(self.encoder, query.pieces.tokens, word_bounds(self.encoder, query.pieces))
        words = words.take(np.flatnonzero(words.weights > 0))
        asked = self.comparison.asked(words)
        views = self.samples.views(asked.matches(self.samples.passages(self.languages)), words)
        found = []
        for lang, segments in self.languages.items():
            met = np.concatenate([asked.matches(segment.forward) for segment in segments], axis=1)
            numbers = np.concatenate([segment.forward.numbers for segment in segments])
            scores = (summed(views[lang].weights, met) / views[lang].total).astype(np.float32)
            found.append(Best.of(numbers, scores, DEPTH))
        return found


def recall(late: Late, compared: Compared, queries: list[Query]) -> dict[str, float]:
    """Of the best hundred by comparing every word, in one list and by language, the share that a search returns."""
    together, apart = [], []
    for query in queries:
        found = late.search(query, DEPTH)
        right = compared.best(query)
        best = np.sort(np.concatenate([each.scores for each in right]))[::-1][:DEPTH]
        together.append(min(len(best), int((found.scores >= best[-1]).sum())) / len(best))
        passages = np.concatenate([each.passages for each in right])
        apart.append(len(np.intersect1d(found.passages, passages)) / len(passages))
    return {"recall_at_100": round(float(np.mean(together)), 4), "recall_by_language": round(float(np.mean(apart)), 4)}


def scan() -> float:
    """CPU milliseconds to sum 64 MB."""
    block = np.ones(16 << 20, dtype=np.float32)
    taken = []
    for _ in range(9):
        started = time.thread_time()
        block.sum()
        taken.append(1000 * (time.thread_time() - started))
    return round(float(np.median(taken)), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--judged", type=int, default=20, help="queries whose recall is measured")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "late.jsonl")
    given = parser.parse_args()
    if not given.data.is_dir():
        sys.exit(f"no parallel text at {given.data}: point at it with --data")
    rng, encoder = np.random.default_rng(SEED), load_encoder(None)
    pool = {
        lang: [texts[i] for i in rng.permutation(len(texts))[:POOL]] for lang, texts in sentences(given.data).items()
    }
    queries = [Query(text, (), pieces=encoder.query_pieces(text)) for text in questions(pool, given.queries)]
    row: dict[str, Any] = {"bench": "late", "passages": given.passages, "languages": len(pool)}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        state, row["a_passage"] = build(folder, batches(pool, encoder, given.passages, rng))
        for name, compiled in (("numba", 0), ("numpy", sys.maxsize)):
            static_late.COMPILED = compiled
            row[name] = timed(Late(folder, state, lambda: encoder), queries)
        row["scan_ms"] = scan()
        static_late.COMPILED = 0
        compared = Compared(folder, state, encoder)
        row |= recall(Late(folder, state, lambda: encoder), compared, queries[: given.judged])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row |= {
        "encoder": encoder.card.name,
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
        "command": f"python eval/bench/late.py --passages {given.passages}",
    }
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
