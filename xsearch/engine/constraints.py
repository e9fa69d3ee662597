"""What a query requires and excludes: a mask that holds for every retriever, not for word search alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xsearch import lang as languages
from xsearch.core import AnalyzedClause, Clause, IntArray, Mask, Query
from xsearch.engine.snapshot import Snapshot


def is_constraint(clause: Clause) -> bool:
    """Whether a clause decides which documents may be returned: +required, -excluded, title:word."""
    return clause.occur != "should" or clause.field == "title"


def constraint_mask(snapshot: Snapshot, clauses: Sequence[Clause], groups: Sequence[str]) -> Mask | None:
    """Passages of the documents that have every required clause and no excluded one, in whatever passages; bool
    (high-water mark,), None for no restriction. A word is required in the form of each document's language.

    Without a word index nothing can be required: the mask is None.
    """
    constraints = [clause for clause in clauses if is_constraint(clause)]
    if not constraints or "bm25" not in snapshot.retrievers:
        return None
    documents = snapshot.columns.documents
    allowed = np.ones(int(documents.max(initial=-1)) + 2, dtype=np.bool_)
    # A passage that compaction removed has document -1: the last element.
    allowed[-1] = False
    for clause in constraints:
        inside = np.zeros_like(allowed)
        inside[_documents_with(snapshot, clause, groups)] = True
        allowed &= ~inside if clause.occur == "must_not" else inside
    mask: Mask = allowed[documents]
    return mask


def unmet(snapshot: Snapshot, clauses: Sequence[Clause], groups: Sequence[str], empty: bool) -> tuple[str, ...]:
    """What to tell of phrases of several words that no document has and, where nothing was found (`empty`), of what is
    required and no document has."""
    if "bm25" not in snapshot.retrievers:
        return ()
    notes = {
        "should": "no document has the phrase '{}': its words are looked for one by one",
        "must": "no document has '{}', which is required",
    }
    phrases = [c for c in clauses if c.occur == "should" and c.phrase and len(c.text.split()) > 1]
    required = [c for c in clauses if c.occur == "must" and empty]
    asked = [*phrases, *required]
    return tuple(notes[c.occur].format(c.text) for c in asked if not len(_documents_with(snapshot, c, groups)))


def _documents_with(snapshot: Snapshot, clause: Clause, groups: Sequence[str]) -> IntArray:
    """Numbers of the documents with a passage that a clause matches: all of its words, or its phrase."""
    found: IntArray | None = None
    for text in [clause.text] if clause.phrase else clause.text.split():
        analyzed = {}
        for group in groups:
            terms = tuple(languages.analyzer(group).terms(text))
            if terms:
                # Several terms of one word (n-grams, parts) stand in order, as in a phrase.
                analyzed[group] = (AnalyzedClause(terms, "should", clause.field, len(terms) > 1),)
        query = Query(text, (), analyzed=analyzed)
        ranking = snapshot.retrievers["bm25"].search(query, max(1, snapshot.manifest.high_water), None, langs=groups)
        documents = np.unique(snapshot.columns.document_of(ranking.passages))
        found = documents if found is None else np.intersect1d(found, documents)
    return np.zeros(0, dtype=np.int64) if found is None else found
