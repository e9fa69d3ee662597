"""The stage after fusion: the passages of the best documents handed to a reranker, and its word on the order."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xsearch.core import FloatArray, IntArray, Query, UsageError
from xsearch.core.wording import counted
from xsearch.encode import Runtime
from xsearch.rank import Fused
from xsearch.rank.rerank import RerankCandidate, Reranker, load_reranker, reorder, score_within

if TYPE_CHECKING:
    from xsearch.engine.snapshot import Snapshot

NONE = "none"
"""The name that stands for no reranker."""
CUT = "reranked in part, the time was over"


class Rerankers:
    """Rerankers by name or path, each loaded once, and what befell them. Thread-safe."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._loaded: dict[str, Reranker] = {}
        self._cut = 0

    def get(self, given: str | Path | Reranker) -> Reranker:
        """The reranker of a name or path; one that is given as an object is that. Raises what `load_reranker`
        raises."""
        if not isinstance(given, str | Path):
            return given
        key = str(Path(given).resolve()) if Path(given).exists() else str(given)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = load_reranker(given, self._runtime)
            return self._loaded[key]

    def note_cut(self) -> None:
        """Count a list that was not finished in time."""
        with self._lock:
            self._cut += 1

    @property
    def counts(self) -> Counter[str]:
        """What rerankers could not do as asked, over all searches: their own counts and lists not finished in time."""
        total = Counter({CUT: self._cut})
        for reranker in list(self._loaded.values()):
            total.update(reranker.counts)
        return +total


@dataclass(frozen=True, slots=True)
class RerankOptions:
    """reranker: a name, a path or an object. depth: documents reranked, None for what its card says. passages: of each
    document, the best found first; its score is that of the best of them (MaxP). budget: seconds."""

    reranker: str | Path | Reranker
    depth: int | None = None
    passages: int = 1
    budget: float | None = None

    def __post_init__(self) -> None:
        if (self.depth is not None and self.depth < 1) or self.passages < 1:
            raise UsageError("the depth of reranking and the passages of a document must be at least 1")
        if self.budget is not None and not self.budget > 0:
            raise UsageError(f"the time for reranking must be above 0, not {self.budget:g} s")


@dataclass(frozen=True, slots=True, eq=False)
class Reranked:
    """Documents in their new order, made by a reranker. order: int64 (n,), places in the order before. scores: float32
    (n,), descending. rows: int64 (n,), where each one's best passage stands in the fused ranking. reranker_scores:
    float32 (n,), NaN of documents it did not come to. asked, done: documents that were to be reranked and that were.
    complete: whether the reranker had time enough. notes: remarks for the user."""

    by: Reranker
    order: IntArray
    scores: FloatArray
    rows: IntArray
    reranker_scores: FloatArray
    asked: int
    done: int
    complete: bool
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The reranker's."""
        return self.by.card.name

    def kept(self, places: slice | IntArray) -> Reranked:
        """The documents in some places of the new order."""
        arrays = ("order", "scores", "rows", "reranker_scores")
        return replace(self, **{name: getattr(self, name)[places] for name in arrays})


def rerank_documents(
    snapshot: Snapshot,
    query: Query,
    fused: Fused,
    rows: IntArray,
    options: RerankOptions,
    clock: Callable[[], float] | None = None,
) -> Reranked:
    """Rerank the first documents of a fused ranking.

    rows: int64 (n,), where each document's best passage stands in `fused`, best first. Of several passages a document
    the first ones of all documents are scored before any second one, so that a budget cuts off what matters least.
    """
    reranker = snapshot.rerankers.get(options.reranker)
    depth = min(len(rows), options.depth or reranker.card.depth)
    chosen, owners = _chosen(snapshot, fused, rows[:depth], options.passages)
    before = Counter(reranker.counts)
    timing = {} if clock is None else {"clock": clock}
    scored = score_within(reranker, query, candidates(snapshot, fused, chosen), options.budget, **timing)
    best, place = _best(scored.scores, owners, len(rows))
    made = reorder(fused.ranking.scores[rows], best, reranker.card.mix)
    done = int((~np.isnan(best)).sum())
    notes = [f"{name}: {count}" for name, count in (Counter(reranker.counts) - before).items()]
    if not scored.complete:
        snapshot.rerankers.note_cut()
        said = f"{done} of {depth} documents reranked"
        if scored.passes:
            said = f"{scored.passes[0]} of {scored.passes[1]} passes over {counted(depth, 'document')} done"
        notes.insert(0, f"{said} in {scored.seconds * 1000:.0f} ms: the time was over")
    elif options.budget and scored.seconds > options.budget:
        spent, given = scored.seconds * 1000, options.budget * 1000
        notes.insert(0, f"reranked in {spent:.0f} ms, longer than the {given:g} ms given")
    new_rows = np.where(place >= 0, chosen[place], rows) if len(chosen) else rows
    return Reranked(
        reranker,
        made.order,
        made.scores,
        new_rows[made.order],
        best[made.order],
        depth,
        done,
        scored.complete,
        scored.seconds,
        tuple(notes),
    )


def candidates(snapshot: Snapshot, fused: Fused, rows: IntArray) -> list[RerankCandidate]:
    """The passages in some rows of a fused ranking, as a reranker takes them."""
    stored = snapshot.store.passages(fused.ranking.passages[rows])
    # As lists: of an array, single numbers take long to get.
    fused_scores = fused.ranking.scores[rows].tolist()
    ranks, scores, supports = (
        {name: getattr(part, column)[rows].tolist() for name, part in fused.parts.items()}
        for column in ("rank", "calibrated", "support")
    )
    found = []
    for at, passage in enumerate(stored):
        returned = [name for name, own in ranks.items() if own[at]]
        found.append(
            RerankCandidate(
                number=passage.number,
                document=passage.id,
                lang=passage.lang,
                title=passage.title,
                text=passage.text,
                score=fused_scores[at],
                scores={name: scores[name][at] for name in returned},
                ranks={name: ranks[name][at] for name in returned},
                supports={name: own[at] for name, own in supports.items()},
            )
        )
    return found


def _chosen(snapshot: Snapshot, fused: Fused, rows: IntArray, passages: int) -> tuple[IntArray, IntArray]:
    """Rows of the passages to score, all documents' first ones first, and which document, a place in `rows`, each is
    of. Both int64 (m,)."""
    owners = np.arange(len(rows))
    if passages == 1 or not len(rows):
        return rows, owners
    documents = snapshot.columns.document_of(fused.ranking.passages)
    wanted = documents[rows]
    by_number = np.argsort(wanted)
    place = np.minimum(np.searchsorted(wanted[by_number], documents), len(rows) - 1)
    owner = by_number[place]
    inside = np.flatnonzero(wanted[owner] == documents)
    owner = owner[inside]
    # How many passages of its own document stand above each.
    grouped = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=len(rows))
    nth = np.empty(len(owner), dtype=np.int64)
    nth[grouped] = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    keep = nth < passages
    order = np.lexsort((owner[keep], nth[keep]))
    return inside[keep][order], owner[keep][order]


def _best(scores: FloatArray, owners: IntArray, documents: int) -> tuple[FloatArray, IntArray]:
    """MaxP: the greatest score of each document's passages, NaN where none was scored, and its place among `scores`,
    -1 for none."""
    best = np.full(documents, np.nan, dtype=np.float32)
    place = np.full(documents, -1, dtype=np.int64)
    known = np.flatnonzero(~np.isnan(scores))
    # Worst first, so that the best is written last; of equal ones the first found.
    for at in known[np.lexsort((-known, scores[known]))].tolist():
        best[owners[at]], place[owners[at]] = scores[at], at
    return best, place
