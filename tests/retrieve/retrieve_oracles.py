"""What the retrievers must compute, in the plainest way: BM25 by counting, vectors by whole-number arithmetic."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np

from xsearch.core import AnalyzedClause, PassageBatch, Query, Windows
from xsearch.storage import DiskFiles

K1, B = 1.2, 0.75


def length_table() -> list[int]:
    """Lucene's SmallFloat.byte4ToInt: 24 exact values, then a float of four significant bits."""
    table = list(range(24))
    for i in range(256 - 24):
        bits, shift = i & 7, (i >> 3) - 1
        table.append(24 + (bits if shift < 0 else (bits | 8) << shift))
    return table


LENGTHS = length_table()


def kept_length(length: int) -> int:
    """A length as one byte keeps it: the largest of the 256 that is not above."""
    return max(known for known in LENGTHS if known <= length)


def occurrences(text: list[str], clause: AnalyzedClause) -> int:
    """How often a phrase's terms stand in order in `text`."""
    terms, n = list(clause.terms), len(clause.terms)
    return sum(text[i : i + n] == terms for i in range(len(text) - n + 1))


class LanguageOracle:
    """BM25 over one language's passages: number → (body terms, title terms)."""

    def __init__(self, passages: dict[int, tuple[list[str], list[str]]]) -> None:
        self.passages = passages
        self.df: dict[str, Counter[str]] = {"body": Counter(), "title": Counter()}
        total = Counter()
        for body, title in passages.values():
            for field, text in (("body", body), ("title", title)):
                self.df[field].update(set(text))
                total[field] += len(text)
        self.average = {field: total[field] / max(1, len(passages)) for field in ("body", "title")}

    def idf(self, field: str, term: str) -> float:
        n, df = len(self.passages), self.df[field][term]
        return math.log(1 + (n - df + 0.5) / (df + 0.5))

    def text(self, number: int, field: str) -> list[str]:
        return self.passages[number][0 if field == "body" else 1]

    def weight(self, number: int, field: str, idf: float, tf: int) -> float:
        length = kept_length(len(self.text(number, field)))
        return idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / self.average[field]))

    def clause(self, number: int, clause: AnalyzedClause) -> float | None:
        """The clause's score in a passage, None where it does not match."""
        text = self.text(number, clause.field)
        if clause.phrase and len(clause.terms) > 1:
            tf = occurrences(text, clause)
            return (
                self.weight(number, clause.field, sum(self.idf(clause.field, t) for t in clause.terms), tf)
                if tf
                else None
            )
        found = [(term, text.count(term)) for term in clause.terms if term in text]
        if not found:
            return None
        return sum(self.weight(number, clause.field, self.idf(clause.field, term), tf) for term, tf in found)

    def scores(self, clauses: tuple[AnalyzedClause, ...]) -> dict[int, float]:
        """Passages that match and what they score."""
        clauses = tuple(clause for clause in clauses if clause.terms)
        found = {}
        for number in self.passages:
            values = [(clause.occur, self.clause(number, clause)) for clause in clauses]
            if any(value is not None for occur, value in values if occur == "must_not"):
                continue
            if any(value is None for occur, value in values if occur == "must"):
                continue
            matched = [value for occur, value in values if occur != "must_not" and value is not None]
            if matched:
                found[number] = sum(matched)
        return found


def zipf_texts(rng: np.random.Generator, n: int, vocabulary: int = 200, longest: int = 70) -> list[list[str]]:
    """Random texts, few words frequent and many rare; some longer than what one byte keeps exactly."""
    return [[f"w{min(int(rank), vocabulary)}" for rank in rng.zipf(1.3, rng.integers(1, longest))] for _ in range(n)]


def text_batch(
    numbers: list[int], langs: list[str], bodies: list[list[str]], titles: list[list[str]] | None = None
) -> PassageBatch:
    titles = titles or [[] for _ in bodies]
    return PassageBatch(
        np.array(numbers, dtype=np.int64), langs, [" ".join(b) for b in bodies], [" ".join(t) for t in titles]
    )


def words(*terms: str, occur="should", field="body") -> AnalyzedClause:
    return AnalyzedClause(tuple(terms), occur, field)


def phrase(*terms: str, occur="should", field="body") -> AnalyzedClause:
    return AnalyzedClause(tuple(terms), occur, field, phrase=True)


def text_query(langs, *clauses: AnalyzedClause) -> Query:
    return Query("", (), analyzed={lang: tuple(clauses) for lang in langs})


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def vector_batch(numbers, langs, vectors: np.ndarray, owners) -> PassageBatch:
    empty = [""] * len(numbers)
    windows = Windows(vectors.astype(np.float32), np.asarray(owners, dtype=np.int64))
    return PassageBatch(np.asarray(numbers, dtype=np.int64), langs, empty, empty, windows)


def vector_query(vector: np.ndarray) -> Query:
    return Query("", (), vectors={"dense": np.asarray(vector, dtype=np.float32)})


class RecordedFiles(DiskFiles):
    """The real disk, with what was asked of it: ("sync", path), ("replace", source, target), …"""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def write(self, path, data):
        self.calls.append(("write", path))
        super().write(path, data)

    def sync(self, path):
        self.calls.append(("sync", path))
        super().sync(path)

    def sync_folder(self, path):
        self.calls.append(("sync_folder", path))
        super().sync_folder(path)

    def replace(self, source, target):
        self.calls.append(("replace", source, target))
        super().replace(source, target)

    def unsafe(self, folder: Path, names: list[str]) -> list[str]:
        """Of these files, those a power cut could lose: bytes not synced under the name they were renamed from, or
        the folder not synced after."""
        lost = []
        for name in names:
            renames = [(i, c[1]) for i, c in enumerate(self.calls) if c[0] == "replace" and c[2] == folder / name]
            if not renames:
                continue
            place, source = renames[-1]
            if ("sync", source) not in self.calls[:place] or ("sync_folder", (folder / name).parent) not in self.calls[
                place:
            ]:
                lost.append(name)
        return lost


def fingerprint(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in a folder: size, time of change, content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.stat()
        found[str(path.relative_to(folder))] = (
            stat.st_size,
            stat.st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
    return found
