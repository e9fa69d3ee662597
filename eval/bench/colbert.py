"""Late interaction over token vectors: what of exact MaxSim the index keeps, and what it costs.

    python eval/bench/colbert.py --vectors FILE [--encoder MODEL --data DIR] [--passages N] [--fast-plaid PYTHON]

FILE holds the vectors of passages and queries; where it is missing, MODEL encodes the `*.sections.jsonl.xz` of DIR:
passages are sections of documentation in 18 languages, queries their headings, one language each; the sections of the
same heading are relevant in all languages. All passages are put into one list, as the peers have them. `recall` counts,
of the hundred best by exact MaxSim (float32, all passages), those among the hundred that a search returns, `recall_10`,
of the ten best, those among its ten, and `found_10` those among its hundred. For the first `--whole` queries
`candidates` is the share of the hundred that are scored at all, `codes` the recall where all are: which of the two
loses. `ndcg_change` is nDCG@10 less exact MaxSim's, over its mean, in per cent, with the half width of the 95 %
interval of these paired differences. Times are CPU time of one thread.

Appends rows to `eval/results/colbert.jsonl`: for each of `--bits`, by default and, of the number of bits that is the
default, for each of `--probes` and of `--rescored`; for candidates by fixed-dimensional encodings (`muvera`); and for
peers in interpreters of their own (`eval/peers`), on the first `--peer-queries`: fast-plaid with each of `--bits` and
of `--full-scores`, and sentence-transformers scoring all passages.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from muvera import FixedEncoding

from xsearch.core import PassageBatch, Query, TokenVectors
from xsearch.retrieve import Colbert, ColbertWriter
from xsearch.retrieve.colbert import reader
from xsearch.retrieve.colbert.codebook import Codebook, codebook_name
from xsearch.retrieve.colbert.prepared import Prepared
from xsearch.retrieve.colbert.probe import probed, promising
from xsearch.retrieve.colbert.scoring import ask, compiled_loops
from xsearch.retrieve.colbert.segment import map_segment, segment_name
from xsearch.retrieve.colbert.writer import BITS, open_codebook
from xsearch.storage import DiskFiles

ROOT = Path(__file__).resolve().parents[2]
DEPTH = 100
AT_ONCE = 64
LANGUAGES = ["en", "de", "fr", "es", "ru", "fa", "zh", "ar", "hi", "ja", "tr", "pl", "it", "pt", "ko", "vi", "id", "uk"]


@dataclass(frozen=True)
class Vectors:
    """Passages' and queries' token vectors, and which passages answer a query: those of the same key."""

    vectors: np.ndarray
    starts: np.ndarray
    keys: np.ndarray
    query_vectors: np.ndarray
    query_starts: np.ndarray
    query_keys: np.ndarray

    @staticmethod
    def load(path: Path, passages: int, queries: int) -> Vectors:
        held = np.load(path)
        starts, asked = held["starts"][: passages + 1], held["query_starts"][: queries + 1]
        return Vectors(
            held["vectors"][: starts[-1]],
            starts,
            held["keys"][:passages],
            held["query_vectors"][: asked[-1]],
            asked,
            held["query_keys"][:queries],
        )

    def first(self, queries: int) -> Vectors:
        """With so many queries."""
        ends = self.query_starts[: queries + 1]
        return replace(
            self, query_vectors=self.query_vectors[: ends[-1]], query_starts=ends, query_keys=self.query_keys[:queries]
        )

    @property
    def queries(self) -> list[np.ndarray]:
        return np.split(self.query_vectors, self.query_starts[1:-1])

    def exact(self, keep: Path) -> tuple[np.ndarray, float]:
        """MaxSim of all passages for all queries, float32 (passages, queries), and CPU milliseconds a query. Kept
        beside the vectors, for as many queries or fewer: of many it takes minutes."""
        if keep.is_file() and (held := np.load(keep))["scores"].shape[1] >= len(self.query_keys):
            return held["scores"][:, : len(self.query_keys)], float(held["ms"])
        started = time.process_time()
        scores = np.empty((len(self.keys), len(self.query_keys)), np.float32)
        for first in range(0, len(self.keys), AT_ONCE):
            last = min(first + AT_ONCE, len(self.keys))
            begin, end = self.starts[first], self.starts[last]
            similar = self.vectors[begin:end].astype(np.float32) @ self.query_vectors.T
            best = np.maximum.reduceat(similar, self.starts[first:last] - begin, axis=0)
            scores[first:last] = np.add.reduceat(best, self.query_starts[:-1], axis=1)
        taken = 1000 * (time.process_time() - started) / len(self.query_keys)
        np.savez(keep, scores=scores, ms=taken)
        return scores, taken


def encode(encoder: str, data: Path, path: Path, passages: int, queries: int) -> None:
    """Encode sections and headings, and keep the vectors."""
    import lzma

    from xsearch.encode import Runtime, load_multivector

    rng, found, asked = np.random.default_rng(5), [], []
    for source in sorted(data.glob("*.sections.jsonl.xz")):
        for row, line in enumerate(lzma.decompress(source.read_bytes()).decode().splitlines()):
            record, key = json.loads(line), f"{source.stem}:{row}"
            found += [(key, lang, text) for lang, text in record["text"].items() if lang in LANGUAGES]
            titles = [(key, lang, text) for lang, text in record["title"].items() if lang in LANGUAGES]
            if titles:
                asked.append(titles[rng.integers(len(titles))])
    found = [found[i] for i in rng.permutation(len(found))[:passages]]
    # A question that none of the passages answers would tell nothing of nDCG.
    there = {key for key, _, _ in found}
    asked = [asked[i] for i in rng.permutation(len(asked)) if asked[i][0] in there][:queries]
    model = load_multivector(encoder, Runtime("auto"))
    held = [model.encode_passages([row[2] for row in found[i : i + 1024]]) for i in range(0, len(found), 1024)]
    sizes = np.concatenate([np.diff(part.starts) for part in held])
    kept = sizes > 0
    topics = model.encode_queries([row[2] for row in asked])
    np.savez(
        path,
        vectors=np.concatenate([part.vectors.astype(np.float16) for part in held]),
        starts=np.concatenate(([0], np.cumsum(sizes[kept]))),
        keys=np.array([row[0] for row in found])[kept],
        query_vectors=topics.vectors,
        query_starts=topics.starts,
        query_keys=np.array([row[0] for row in asked]),
    )


def build(folder: Path, given: Vectors, bits: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """An index of the passages; its state, CPU seconds, and bytes a token: in all, of its bits (`codes`), of its
    centroid's number (`cells`), its share of the centroids (`codebook`), and what is left, of lists of passages."""
    started = time.process_time()
    writer = ColbertWriter(folder, {"bits": bits}, high_water=0, files=DiskFiles())
    for first in range(0, len(given.keys), 4096):
        last = min(first + 4096, len(given.keys))
        begin, end = given.starts[first], given.starts[last]
        held = TokenVectors(given.vectors[begin:end].astype(np.float32), given.starts[first : last + 1] - begin)
        writer.add(PassageBatch(np.arange(first, last), ["en"] * (last - first), (), (), token_vectors=held))
    state = writer.flush()
    taken = time.process_time() - started
    size = sum((folder / name).stat().st_size for name in state["files"])
    book = open_codebook(folder, state)
    parts = {"codes": book.width, "cells": segment_cells(folder, state, book) / len(given.vectors)}
    parts["codebook"] = (folder / codebook_name(state["trained"])).stat().st_size / len(given.vectors)
    parts["lists"] = size / len(given.vectors) - sum(parts.values())
    of = {name: round(share, 2) for name, share in parts.items()}
    return state, {"build_s": round(taken, 1), "bytes_a_token": round(size / len(given.vectors), 1), "bytes_of": of}


def segment_cells(folder: Path, state: dict[str, Any], book: Codebook) -> int:
    """Bytes of the numbers of centroids."""
    entries = state["languages"]["en"]
    return sum(map_segment(folder / segment_name("en", e), e, book).tokens.cells.nbytes for e in entries)


def searched(
    folder: Path, state: dict[str, Any], given: Vectors, exact: bool = False
) -> tuple[list[np.ndarray], float]:
    """The best passages of every query, and CPU milliseconds of a search at the median, after one to warm up. exact:
    score all passages."""
    opened, found, taken = Colbert(folder, state), [], []
    queries = [Query("", (), vectors={"colbert": vectors}, exact=exact) for vectors in given.queries]
    opened.search(queries[0], DEPTH)
    for query in queries:
        started = time.thread_time()
        found.append(opened.search(query, DEPTH).passages)
        taken.append(1000 * (time.thread_time() - started))
    return found, float(np.median(taken))


def candidates_held(folder: Path, state: dict[str, Any], given: Vectors, exact: np.ndarray) -> float:
    """Of the best by exact MaxSim, the share that centroid probing hands on to be scored."""
    book = open_codebook(folder, state)
    segments = {"en": [map_segment(folder / segment_name("en", e), e, book) for e in state["languages"]["en"]]}
    prepared = Prepared.of(book, segments, compiled_loops(), None)
    right, shares = np.argsort(-exact, axis=0, kind="stable")[:DEPTH].T, []
    for vectors, best in zip(given.queries, right, strict=True):
        near = probed(prepared.similar(ask(vectors)), prepared.cells["en"], reader.PROBES)
        numbers = promising(segments["en"], near, reader.RESCORED, None, prepared.compiled)
        shares.append(len(np.intersect1d(numbers, best)) / DEPTH)
    return round(float(np.mean(shares)), 4)


def quality(found: list[np.ndarray], exact: np.ndarray, given: Vectors) -> dict[str, float]:
    """Recall of what exact MaxSim finds, and nDCG@10 beside its own."""
    right = np.argsort(-exact, axis=0, kind="stable")[:DEPTH].T
    shared = [
        [len(np.intersect1d(a[:among], b[:best])) / best for among, best in ((DEPTH, DEPTH), (10, 10), (DEPTH, 10))]
        for a, b in zip(found, right, strict=True)
    ]
    own = np.array([ndcg(passages, key, given) for passages, key in zip(found, given.query_keys, strict=True)])
    ideal = np.array([ndcg(passages, key, given) for passages, key in zip(right, given.query_keys, strict=True)])
    scale = 100 / max(ideal.mean(), 1e-9)
    return {
        **dict(zip(("recall", "recall_10", "found_10"), np.mean(shared, axis=0).round(4).tolist(), strict=True)),
        "ndcg_10": round(float(np.mean(own)), 4),
        "exact_ndcg_10": round(float(np.mean(ideal)), 4),
        "ndcg_change": round(float(np.mean(own - ideal) * scale), 2),
        "ndcg_change_95": round(float(1.96 * np.std(own - ideal) / len(own) ** 0.5 * scale), 2),
    }


def ndcg(passages: np.ndarray, key: str, given: Vectors) -> float:
    """nDCG@10 with one grade."""
    discounts = 1 / np.log2(np.arange(2, 12))
    gains = given.keys[passages[:10]] == key
    relevant = min(10, int((given.keys == key).sum()))
    return float(gains @ discounts[: len(gains)] / discounts[:relevant].sum()) if relevant else 0.0


def candidates(
    given: Vectors, exact: np.ndarray, planes: int, repetitions: int, shares: list[int]
) -> Iterator[dict[str, Any]]:
    """Recall of so many best by fixed-dimensional encodings, rescored exactly, and what they cost."""
    made = FixedEncoding(given.vectors.shape[1], planes=planes, repetitions=repetitions)
    started = time.process_time()
    parts = [
        made.encode(
            given.vectors[given.starts[first] : given.starts[last]].astype(np.float32),
            given.starts[first : last + 1] - given.starts[first],
            query=False,
        )
        for first in range(0, len(given.keys), AT_ONCE)
        for last in [min(first + AT_ONCE, len(given.keys))]
    ]
    rows = np.concatenate(parts)
    built = time.process_time() - started
    asked = made.encode(given.query_vectors, given.query_starts, query=True)
    # As int8 they would take a byte each.
    size = round(made.size * len(given.keys) / len(given.vectors), 1)
    for share in shares:
        found, started = [], time.process_time()
        for number, query in enumerate(asked):
            best = np.argpartition(-(rows @ query), share)[:share]
            found.append(best[np.argsort(-exact[best, number], kind="stable")[:DEPTH]])
        taken = 1000 * (time.process_time() - started) / len(asked)
        row = {"candidates": "muvera", "planes": planes, "repetitions": repetitions, "rescored": share}
        row |= {"build_s": round(built, 1), "bytes_a_token": size, "ms": round(taken, 1)}
        yield row | quality(found, exact, given)


def peer(
    name: str, python: Path, path: Path, given: Vectors, exact: np.ndarray, *options: str
) -> Iterator[dict[str, Any]]:
    """A peer on the same vectors, in its own interpreter: a row for each of its settings."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "found.npz"
        script = ROOT / "eval" / "peers" / f"{name}_peer.py"
        counts = [str(len(given.keys)), str(len(given.query_keys))]
        subprocess.run([python, script, path, *counts, out, *options], check=True, stdout=sys.stderr)
        held = np.load(out)
        for measured, found in zip(json.loads(str(held["measured"])), held["passages"], strict=True):
            yield {"queries": len(given.query_keys)} | measured | quality(list(found), exact, given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--encoder")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--bits", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--probes", type=int, nargs="*", default=[16, 256])
    parser.add_argument("--rescored", type=int, nargs="*", default=[500, 8000])
    parser.add_argument("--whole", type=int, default=50, help="queries for which codes and candidates are told apart")
    parser.add_argument("--loops", default="numba,numpy")
    parser.add_argument("--planes", type=int, nargs="*", default=[4, 5])
    parser.add_argument("--peer-queries", type=int, default=400, help="those that peers are asked")
    parser.add_argument("--full-scores", nargs="*", default=["4096", "1000"], help="passages that fast-plaid decodes")
    parser.add_argument("--fast-plaid", type=Path, help="the interpreter that has fast-plaid")
    parser.add_argument("--exhaustive", type=Path, help="the interpreter that has sentence-transformers")
    parser.add_argument("--about", default="", help="what the vectors are of, for the rows")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "colbert.jsonl")
    asked = parser.parse_args()
    if not asked.vectors.is_file():
        if not asked.encoder:
            sys.exit(f"{asked.vectors} is not there: name a ColBERT-style model with --encoder")
        encode(asked.encoder, asked.data, asked.vectors, asked.passages, asked.queries)
    given = Vectors.load(asked.vectors, asked.passages, asked.queries)
    exact, exhaustive = given.exact(asked.vectors.with_suffix(f".{len(given.keys)}.npz"))
    about = {
        "bench": "colbert",
        "passages": len(given.keys),
        "tokens": len(given.vectors),
        "queries": len(given.query_keys),
        "exhaustive_ms": round(exhaustive, 1),
        **({"encoder": asked.about} if asked.about else {}),
        **provenance(),
    }

    def report(row: dict[str, Any]) -> None:
        with asked.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(about | row) + "\n")
        print(json.dumps(row), flush=True)

    measure(given, exact, asked, report)
    few = given.first(asked.peer_queries)
    scores = exact[:, : len(few.query_keys)]
    for bits in asked.bits if asked.fast_plaid else []:
        options = str(bits), *asked.full_scores
        for row in peer("fast_plaid", asked.fast_plaid, asked.vectors, few, scores, *options):
            report({"system": "fast-plaid"} | row)
    if asked.exhaustive:
        for row in peer("multivector", asked.exhaustive, asked.vectors, few, scores):
            report({"system": "sentence-transformers, all passages scored"} | row)
    for planes in asked.planes:
        for row in candidates(given, exact, planes, 20, [reader.RESCORED, *asked.rescored]):
            report({"system": "muvera"} | row)


def measure(given: Vectors, exact: np.ndarray, asked: argparse.Namespace, report: Callable[..., None]) -> None:
    """Rows of the index: as it is by default with each number of bits, then with other settings."""
    defaults = reader.PROBES, reader.RESCORED
    for bits in asked.bits:
        with tempfile.TemporaryDirectory() as scratch:
            state, costs = build(Path(scratch), given, bits)
            few = given.first(asked.whole)
            whole = quality(searched(Path(scratch), state, few, exact=True)[0], exact[:, : asked.whole], few)
            costs |= {"codes": whole["recall"]}
            settings = [defaults]
            if bits == BITS:
                settings += [(probes, defaults[1]) for probes in asked.probes]
                settings += [(defaults[0], rescored) for rescored in asked.rescored]
            for loops in asked.loops.split(","):
                for reader.PROBES, reader.RESCORED in settings if loops == "numba" else settings[:1]:
                    reader.COMPILED = 0 if loops == "numba" else sys.maxsize
                    found, taken = searched(Path(scratch), state, given)
                    row = {"system": "xsearch", "bits": bits, "probes": reader.PROBES, "rescored": reader.RESCORED}
                    row |= {"loops": loops, "ms": round(taken, 1)}
                    row |= {"candidates": candidates_held(Path(scratch), state, few, exact[:, : asked.whole])}
                    report(row | costs | quality(found, exact, given))
            reader.PROBES, reader.RESCORED = defaults


def provenance() -> dict[str, Any]:
    """Commit, machine, date and command."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "load": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
        "command": "python eval/bench/colbert.py " + " ".join(sys.argv[1:]),
    }


if __name__ == "__main__":
    main()
