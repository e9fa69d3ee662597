"""Many topics' results outside the engine: an immutable table in trec_eval's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from xsearch.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class ScoredDoc:
    """A line of a run: topic id, document id, score."""

    topic: str
    document: str
    score: float


@dataclass(frozen=True, slots=True)
class Run:
    """Results of many topics, ordered when made: by topic as first seen, then score, then document id, both
    descending (trec_eval's rule for ties). A document stands at most once in a topic."""

    tag: str
    rows: tuple[ScoredDoc, ...]

    @staticmethod
    def of(rows: Iterable[ScoredDoc], tag: str = "xsearch") -> Run:
        """A run of unordered rows. Raises `BadInput` on a score that is NaN or a document twice in a topic."""
        topics: dict[str, list[ScoredDoc]] = {}
        for row in rows:
            if row.score != row.score:
                raise BadInput(f"topic {row.topic}, document {row.document}: the score is NaN")
            topics.setdefault(row.topic, []).append(row)
        ordered: list[ScoredDoc] = []
        for topic, docs in topics.items():
            docs.sort(key=lambda d: d.document, reverse=True)
            docs.sort(key=lambda d: d.score, reverse=True)
            if len({d.document for d in docs}) < len(docs):
                twice, _ = Counter(d.document for d in docs).most_common(1)[0]
                raise BadInput(f"topic {topic}: document {twice} is listed twice")
            ordered.extend(docs)
        return Run(tag, tuple(ordered))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[ScoredDoc]:
        return iter(self.rows)

    def topics(self) -> dict[str, list[ScoredDoc]]:
        """Rows by topic, in the run's order."""
        found: dict[str, list[ScoredDoc]] = {}
        for row in self.rows:
            found.setdefault(row.topic, []).append(row)
        return found
