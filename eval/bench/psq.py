"""Latency and size of psq at a million passages, by NumPy and by numba, in one thread.

    python eval/bench/psq.py --data ../shared/data/parallel [--passages 1000000]

Passages are about 60 words of parallel text in 20 languages, in the pieces of the encoder that ships; where the text of
a language runs out, its sentences are drawn again. A query is 3 to 6 words in a row of an English passage. Its
translations are those of the tables (--tables, or the shipped ones; of the 20 languages those that the tables have),
or with --drawn twelve a piece, taken from running text of the language (so that frequent ones come often, which costs
most), with probabilities 1/2, 1/4, …
With --index-time English is translated when passages are indexed (`retrieve.expected`).
What is timed is `PSQ.search` over all languages at depth 100, as the engine calls it. Appends rows to
`eval/results/psq.jsonl`; `cpu_ms` is what a busy machine does not change much.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import Bags, PassageBatch, Query, Translations
from xsearch.encode import StaticEncoder, load_encoder
from xsearch.engine.expected import ExpectedCounts
from xsearch.engine.tables import find_tables, translate
from xsearch.lang.translation import TranslationTables
from xsearch.retrieve import PSQ, ExpectedWriter, ImpactWriter
from xsearch.retrieve import impact as impact_module
from xsearch.storage import DiskFiles

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = [
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk"),
    *("tr", "ar", "fa", "hi", "zh", "ja", "ko", "vi", "id", "sv"),
]
PIECES = 80
"""Of a passage: about 60 words."""
SENTENCES = 20_000
"""Of a language, drawn from."""
QUERIES = 200
DEPTH = 100
SEED = 7


def sentences(data: Path, languages: list[str]) -> dict[str, list[str]]:
    """Up to `SENTENCES` distinct sentences of each language."""
    found: dict[str, dict[str, None]] = {lang: {} for lang in languages}
    for path in sorted(data.glob("*.jsonl.xz")):
        if path.name.endswith(".sections.jsonl.xz") or all(len(texts) >= SENTENCES for texts in found.values()):
            continue
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                for lang in languages:
                    if len(found[lang]) < SENTENCES and isinstance(text := row.get(lang), str):
                        found[lang][text] = None
    return {lang: list(texts) for lang, texts in found.items()}


def build(
    texts: dict[str, list[str]],
    passages: int,
    encoder: StaticEncoder,
    folder: Path,
    expected: ExpectedCounts | None = None,
) -> dict[str, Any]:
    """Write the postings, of pieces or of `expected` counts; the state. Passages of the languages alternate, as they
    come in."""
    rng = np.random.default_rng(SEED)
    own = {lang: encoder.pieces(pool) for lang, pool in texts.items()}
    writer: ImpactWriter | ExpectedWriter
    if expected:
        writer = ExpectedWriter(folder, {"langs": ["en"]}, high_water=0, files=DiskFiles())
    else:
        writer = ImpactWriter(folder, {}, high_water=0, files=DiskFiles())
    each = 500
    batch = each * len(texts)
    for start in range(0, passages, batch):
        bags = [drawn(own[lang], each, rng) for lang in texts]
        tokens = np.concatenate([bag.ravel() for bag in bags])
        starts = np.arange(batch + 1, dtype=np.int64) * PIECES
        langs = [lang for lang in texts for _ in range(each)]
        numbers = np.arange(start, start + batch, dtype=np.int64)
        pieces = Bags(tokens.astype(np.int32), starts)
        counts = expected.of(pieces, langs) if expected else None
        writer.add(PassageBatch(numbers, langs, (), (), None, pieces, expected=counts))
    return writer.flush()


def drawn(bags: Bags, count: int, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Passages of `PIECES` pieces, each of sentences that follow each other from a random one on."""
    first = rng.integers(0, len(bags.tokens) - PIECES, count)
    return bags.tokens[first[:, None] + np.arange(PIECES)]


def random_translations(
    count: int, own: np.ndarray[tuple[int], np.dtype[np.int32]], rng: np.random.Generator
) -> Translations:
    """Twelve translations of each of `count` pieces, of running text."""
    tokens = [np.unique(rng.choice(own, 12)) for _ in range(count)]
    starts = np.concatenate(([0], np.cumsum([len(row) for row in tokens])))
    values = [0.5 ** rng.permutation(np.arange(1, len(row) + 1)) for row in tokens]
    return Translations(starts, np.concatenate(tokens), np.concatenate(values).astype(np.float32))


def queries(texts: dict[str, list[str]], encoder: StaticEncoder, tables: TranslationTables | None) -> list[Query]:
    """Queries with their translations."""
    rng, chance = np.random.default_rng(SEED), random.Random(SEED)
    own = {lang: encoder.pieces(pool[:2000]).tokens for lang, pool in texts.items()}
    made = []
    while len(made) < QUERIES:
        words = chance.choice(texts["en"]).split()
        start = chance.randrange(max(1, len(words) - 6))
        text = " ".join(words[start : start + chance.randint(3, 6)])
        pieces = encoder.query_pieces(text)
        if not len(pieces):
            continue
        if tables:
            translations = translate(tables, text, pieces, (("en", 1.0),), list(texts))
        else:
            translations = {lang: random_translations(len(pieces), own[lang], rng) for lang in texts}
        made.append(Query(text, (("en", 1.0),), pieces=pieces, translations=translations))
    return made


def latency(folder: Path, state: dict[str, Any], asked: list[Query], compiled: bool) -> dict[str, float]:
    """Milliseconds of a search, after a tenth of the queries have warmed it up."""
    impact_module.COMPILED_TOKENS = 0 if compiled else 1 << 60
    impact_module.COMPILED_SEARCHES = impact_module.COMPILED_TOKENS
    psq = PSQ(folder, state)
    for query in asked[: QUERIES // 10]:
        psq.search(query, DEPTH)
    wall, cpu = [], []
    for query in asked[QUERIES // 10 :]:
        began, began_cpu = time.perf_counter(), time.thread_time()
        psq.search(query, DEPTH)
        wall.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.thread_time() - began_cpu))
    return {
        "p50_ms": round(statistics.median(wall), 2),
        "p99_ms": round(float(np.percentile(wall, 99)), 2),
        "p50_cpu_ms": round(statistics.median(cpu), 2),
        "p99_cpu_ms": round(float(np.percentile(cpu, 99)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "psq.jsonl")
    parser.add_argument("--tables", metavar="FILE")
    parser.add_argument("--drawn", action="store_true")
    parser.add_argument("--index-time", action="store_true")
    given = parser.parse_args()
    if given.drawn and given.index_time:
        sys.exit("--index-time needs tables: leave --drawn out")
    if not given.data.is_dir():
        sys.exit(f"no parallel text at {given.data}: point at it with --data")
    encoder = load_encoder()
    if not isinstance(encoder, StaticEncoder):
        sys.exit("the shipped encoder has no pieces")
    tables = None if given.drawn else find_tables(given.tables, encoder)
    if not given.drawn and tables is None:
        sys.exit("no translation tables are installed: name some with --tables, or give --drawn")
    reached = [lang for lang in LANGUAGES if tables is None or tables.supports("en", lang) > 0]
    texts = sentences(given.data, reached)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        load, began, began_cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
        expected = ExpectedCounts(tables, ["en"]) if given.index_time and tables else None
        state = build(texts, given.passages, encoder, folder, expected)
        built = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
        size = sum((folder / name).stat().st_size for name in state["files"])
        asked = queries(texts, encoder, tables)
        row: dict[str, object] = {
            "bench": "psq, passages translated" if given.index_time else "psq",
            "passages": given.passages,
            "languages": len(texts),
            "translations": f"tables {tables.fingerprint}" if tables else "drawn",
            "bytes_per_passage": round(size / given.passages, 1),
            "build": {name: round(value, 1) for name, value in built.items()},
            "numpy": latency(folder, state, asked, compiled=False),
            "numba": latency(folder, state, asked, compiled=True),
        }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row |= {
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(load, 1),
        "date": time.strftime("%Y-%m-%d"),
        "command": f"python eval/bench/psq.py --passages {given.passages}"
        + " --drawn" * given.drawn
        + " --index-time" * given.index_time,
    }
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
