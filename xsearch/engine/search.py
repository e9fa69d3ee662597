"""The way out: a query through every retriever, fused, brought from passages to documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xsearch import lang as languages
from xsearch.core import FloatArray, IntArray, Mask, Query, UsageError
from xsearch.engine.constraints import constraint_mask, unmet
from xsearch.engine.parts import PIECES, RETRIEVERS, parts_of
from xsearch.engine.query import build_query
from xsearch.engine.rerank import NONE, Reranked, RerankOptions, rerank_documents
from xsearch.engine.snapshot import Snapshot
from xsearch.engine.suggestions import Suggestion, suggest
from xsearch.rank import Candidates, Fused, balance, fuse, max_passage
from xsearch.rank.rerank import Reranker
from xsearch.retrieve import BM25, Names

MAX_K = 100_000
FIELDS_NAMED = 12
"""Fields told to somebody whose filter no document satisfies."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What a search may be told. None stands for the recipe's setting, or for no restriction.

    k: documents wanted. lang: the query's language. to: languages of the documents. filter: an expression over
    metadata. depth: passages per retriever and language before fusion. balance: an equal share of the answer for
    every language that has documents to show. rerank: a reranker's name, path or the object itself, "none" for none
    although the recipe names one (which is used where neither retrievers nor a fusion are chosen). rerank_depth:
    documents that it reranks. rerank_passages: of each document. rerank_budget: seconds it may take for a query. exact:
    have `dense` and `colbert` score every passage, however many there are.
    """

    k: int = 10
    lang: str | None = None
    to: Sequence[str] | None = None
    filter: str | None = None
    retrievers: Sequence[str] | None = None
    fusion: str | None = None
    depth: int | None = None
    balance: bool = False
    rerank: str | Path | Reranker | None = None
    rerank_depth: int | None = None
    rerank_passages: int | None = None
    rerank_budget: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.k, int | np.integer) or not 1 <= self.k <= MAX_K:
            raise UsageError(f"k must be a whole number between 1 and {MAX_K:,}, not {self.k!r}")
        if self.depth is not None and self.depth < 1:
            raise UsageError(f"depth must be at least 1, not {self.depth}")
        for name in ("to", "retrievers"):
            if isinstance(given := getattr(self, name), str):
                raise UsageError(f"{name} takes a list: [{given!r}]")


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Where a search may look. allowed: passages, or None for all that are alive. groups: languages to search."""

    allowed: Mask | None
    groups: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Documents for a query, best first. documents: int64 (n,) numbers; passages: int64 (n,) each one's best
    passage; scores: float32 (n,); rows: int64 (n,) where each stands in `fused`; notes: remarks for the user;
    suggestions: words for those that no document has. reranked: what a reranker said, its arrays aligned with these,
    None without one."""

    query: Query
    documents: IntArray
    passages: IntArray
    scores: FloatArray
    rows: IntArray
    fused: Fused
    notes: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    reranked: Reranked | None = None


def search(snapshot: Snapshot, text: str, options: SearchOptions) -> Found:
    """The best `options.k` documents for `text`: k of them whenever k exist and match. Raises `UsageError` for a
    question that is no string."""
    if not isinstance(text, str):
        raise UsageError(f"a question is a string, not {type(text).__name__}")
    names = chosen_retrievers(snapshot, options.retrievers)
    scope = search_scope(snapshot, options)
    query, notes = build_query(snapshot, text, options.lang, names, scope.groups)
    query = replace(query, exact=options.exact)
    suggestions = suggest(snapshot, query)
    notes += tuple(suggestion.note for suggestion in suggestions)
    if not snapshot.manifest.passages:
        notes += ("the index holds no documents yet",)
    elif options.to and not scope.groups:
        have = ", ".join(sorted(snapshot.manifest.languages))
        notes += (f"the index has no passage in {', '.join(options.to)}: it has {have}",)
    elif options.filter and not filter_mask(snapshot, options.filter).any():
        notes += (_no_document(snapshot),)
    scope = _constrained(snapshot, query, scope)
    reranking = rerank_options(snapshot, options)
    wanted = options.k if reranking is None else max(options.k, rerank_depth(snapshot, reranking))
    depth = max(options.depth or snapshot.recipe.fusion.depth, wanted)
    while True:
        candidates = [retrieve(snapshot, name, query, depth, scope) for name in names]
        fused = fuse(options.fusion or snapshot.recipe.fusion.method, candidates)
        passages = fused.ranking.passages
        rows, documents, scores = max_passage(fused.ranking, snapshot.columns.document_of(passages))
        # Several passages of one document fill a list without filling the answer: look deeper while there is more.
        if len(documents) >= wanted or not any(_cut(c, depth) for c in candidates):
            break
        depth *= 4
    notes += unmet(snapshot, query.clauses, scope.groups, empty=not len(documents))
    reranked = None
    if reranking is not None and len(rows):
        reranked = rerank_documents(snapshot, query, fused, rows, reranking)
        rows, documents, scores = reranked.rows, documents[reranked.order], reranked.scores
        notes += reranked.notes
    keep: slice | IntArray = slice(0, options.k)
    if options.balance:
        keep = balance(snapshot.group_of(passages[rows]), options.k)
    rows = rows[keep]
    reranked = reranked and reranked.kept(keep)
    return Found(query, documents[keep], passages[rows], scores[keep], rows, fused, notes, suggestions, reranked)


def rerank_options(snapshot: Snapshot, options: SearchOptions) -> RerankOptions | None:
    """How to rerank, None for not at all: what the call says, else the recipe. What the recipe says is of the list that
    it makes itself: a call that chooses retrievers or a fusion gets theirs."""
    settings = snapshot.recipe.rerank
    own = options.retrievers is None and options.fusion is None
    chosen = options.rerank or (settings.reranker if own else NONE)
    if not chosen or chosen == NONE:
        return None
    return RerankOptions(
        chosen,
        settings.depth or None if options.rerank_depth is None else options.rerank_depth,
        settings.passages if options.rerank_passages is None else options.rerank_passages,
        options.rerank_budget,
    )


def rerank_depth(snapshot: Snapshot, reranking: RerankOptions) -> int:
    """Documents that are to be reranked."""
    return reranking.depth or snapshot.rerankers.get(reranking.reranker).card.depth


def _constrained(snapshot: Snapshot, query: Query, scope: Scope) -> Scope:
    mask = constraint_mask(snapshot, query.clauses, scope.groups)
    if mask is None:
        return scope
    return replace(scope, allowed=mask if scope.allowed is None else scope.allowed & mask)


def chosen_retrievers(snapshot: Snapshot, names: Sequence[str] | None) -> list[str]:
    """The retrievers to ask: all the index has, but for those whose translation tables are not installed. Raises
    `UsageError` for one that the index does not have or that cannot be asked."""
    have = list(snapshot.retrievers)
    missing = [name for name in names or () if name not in have]
    if missing:
        raise UsageError(f"the index has no retriever '{missing[0]}': it has {', '.join(have)}")
    asked = list(dict.fromkeys(names)) if names else have
    lame = [name for name in asked if RETRIEVERS[name].translates and snapshot.tables is None]
    if lame and (names or lame == asked):
        raise UsageError(
            f"retriever '{lame[0]}' needs translation tables for the pieces of encoder {snapshot.pieces.card.name}, "
            "and none are installed: install xsearch again, or make some with `xsearch train align` and name them in "
            "the recipe"
        )
    return [name for name in asked if name not in lame]


def search_scope(snapshot: Snapshot, options: SearchOptions) -> Scope:
    """Languages and passages a search may return. A filter becomes a mask of passage numbers (D7)."""
    groups, allowed = snapshot.groups, None if snapshot.all_live else snapshot.alive
    if options.to:
        wanted = [languages.normalize_code(code) for code in options.to]
        codes = snapshot.manifest.languages
        inside = np.array([any(_covers(want, code) for want in wanted) for code in codes], dtype=np.bool_)
        groups = sorted({languages.base_language(code) for code, chosen in zip(codes, inside, strict=True) if chosen})
        if len(groups) < len({languages.base_language(code) for code in codes}) or not inside.all():
            # A group holds every script of its language; holes left by compaction have no language (65535).
            spoken = np.append(inside, False)[np.minimum(snapshot.columns.languages, len(codes))]
            allowed = spoken if allowed is None else allowed & spoken
    if options.filter:
        chosen = filter_mask(snapshot, options.filter)
        allowed = chosen if allowed is None else allowed & chosen
    return Scope(allowed, groups)


def _covers(wanted: str, code: str) -> bool:
    # `zh` asks for both scripts, `zh-Hant` for one.
    return code == wanted or ("-" not in wanted and languages.base_language(code) == wanted)


def filter_mask(snapshot: Snapshot, expression: str) -> Mask:
    """Passages of the documents that satisfy `expression`, bool (high-water mark,). Raises `FilterError`."""
    from xsearch.engine.filters import compile_filter

    condition = compile_filter(expression, languages.normalize_code)
    return snapshot.filter_mask(condition.sql, tuple(condition.parameters))


def _no_document(snapshot: Snapshot) -> str:
    """What to tell of a filter that no document satisfies: most often a field is called otherwise, or is a list."""
    fields = [f"{name} ({' or '.join(kinds)})" for name, kinds in snapshot.store.fields().items()]
    more = f" and {len(fields) - FIELDS_NAMED} more" if len(fields) > FIELDS_NAMED else ""
    return f"no document satisfies the filter; the fields are {', '.join(fields[:FIELDS_NAMED]) or 'none'}{more}"


def retrieve(snapshot: Snapshot, name: str, query: Query, depth: int, scope: Scope) -> Candidates:
    """One retriever's answer with what the fusion must know about it."""
    retriever = snapshot.retrievers[name]
    ranking = retriever.search(query, depth, scope.allowed, langs=scope.groups)
    groups = snapshot.groups
    if isinstance(retriever, Names):
        # The query tells, not the languages: of words that the index has, other retrievers know more.
        support = np.full(len(groups), retriever.unknown(query), dtype=np.float32)
    else:
        support = _supports(snapshot, name, query)
    if isinstance(retriever, BM25):
        # Where a language's passages have none of the words, silence would count against all of them.
        support = support * np.array([group in ranking.background for group in groups], dtype=np.float32)
    background = np.full((len(groups), 2), np.nan, dtype=np.float32)
    for row, group in enumerate(groups):
        if group in ranking.background:
            background[row] = ranking.background[group]
    return Candidates(
        name,
        ranking,
        snapshot.recipe.weight(name),
        snapshot.group_of(ranking.passages),
        support,
        background,
        sizes=snapshot.group_sizes if RETRIEVERS[name].sampled else None,
        depth=depth,
    )


def _supports(snapshot: Snapshot, name: str, query: Query) -> FloatArray:
    """For each group of languages, how well a retriever could see a relevant passage of it: expected over the languages
    the query may be in, float32 (groups,). By pieces none is seen where the query has none: the vocabulary lacks whole
    scripts (N'Ko, Syriac)."""
    if PIECES & set(parts_of([name])) and not (query.pieces is not None and len(query.pieces)):
        return np.zeros(len(snapshot.groups), dtype=np.float32)
    compared, known = np.zeros(len(snapshot.groups)), np.zeros(len(snapshot.groups))
    for code, weight in query.langs:
        by_retriever, by_encoder = snapshot.supports(name, code)
        compared += weight * by_retriever
        known += weight * by_encoder
    return (compared * known).astype(np.float32)


def _cut(candidates: Candidates, depth: int) -> bool:
    """Whether a retriever returned all the passages it was allowed for some language, so that more may exist."""
    return bool(len(candidates.langs)) and int(np.bincount(candidates.langs).max()) >= depth


def matching_ids(snapshot: Snapshot, expression: str) -> list[str]:
    """Ids of the documents that satisfy a filter. Raises `FilterError`."""
    from xsearch.engine.filters import compile_filter

    condition = compile_filter(expression, languages.normalize_code)
    return snapshot.store.ids(snapshot.store.select(condition.sql, condition.parameters))
