"""Relevance judgments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judgment:
    """A line of qrels: `grade` 0 is not relevant, higher is more relevant. `iteration` is TREC's second column
    (TREC 2022 NeuCLIR writes the language there)."""

    topic: str
    document: str
    grade: int
    iteration: str = "0"


@dataclass(frozen=True, slots=True)
class Qrels:
    """Judgments of many topics; a (topic, document) pair stands once."""

    rows: tuple[Judgment, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Judgment]:
        return iter(self.rows)

    def topics(self) -> dict[str, dict[str, int]]:
        """Grades by topic and document."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            found.setdefault(row.topic, {})[row.document] = row.grade
        return found
