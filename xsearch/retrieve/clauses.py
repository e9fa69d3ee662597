"""Analyzed clauses → a tantivy query, and what its terms are worth in an index."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import tantivy

from xsearch.core import AnalyzedClause

_OCCUR = {"should": tantivy.Occur.Should, "must": tantivy.Occur.Must, "must_not": tantivy.Occur.MustNot}


def tantivy_query(schema: tantivy.Schema, clauses: Sequence[AnalyzedClause]) -> tantivy.Query | None:
    """The clauses as one tantivy query, None when they could match nothing (none, or exclusions alone).

    A wanted word that stands n times in the query counts n-fold. Words of a required clause: at least one of them
    must match; of an excluded one: none may. A phrase matches its terms side by side, in order. A clause without
    terms asks for nothing.
    """
    parts: list[tuple[tantivy.Occur, tantivy.Query]] = []
    words: Counter[tuple[str, str]] = Counter()
    for clause in clauses:
        if clause.occur == "should" and not clause.phrase:
            words.update((clause.field, term) for term in clause.terms)
        elif clause.terms:
            parts.append((_OCCUR[clause.occur], _clause_query(schema, clause)))
    parts.extend((tantivy.Occur.Should, _term_query(schema, field, term, n)) for (field, term), n in words.items())
    if all(occur == tantivy.Occur.MustNot for occur, _ in parts):
        return None
    return tantivy.Query.boolean_query(parts)


def asks(clauses: Sequence[AnalyzedClause]) -> bool:
    """Whether the clauses could match anything: whether `tantivy_query` makes a query of them."""
    return any(clause.terms and clause.occur != "must_not" for clause in clauses)


def idf_sum(searcher: tantivy.Searcher, clauses: Sequence[AnalyzedClause]) -> tuple[float, bool]:
    """Σ ln(1 + (N - df + 0.5) / (df + 0.5)) over the distinct terms of wanted and required clauses, and whether the
    index holds any of them.

    A term the index lacks counts with df = 0: a query that says much of what the index knows nothing about is one
    whose best match is worth little.
    """
    wanted = {(clause.field, term) for clause in clauses if clause.occur != "must_not" for term in clause.terms}
    documents = searcher.num_docs
    doc_freq, log1p = searcher.doc_freq, math.log1p
    frequencies = [doc_freq(field, term) for field, term in wanted]
    return math.fsum([log1p((documents - df + 0.5) / (df + 0.5)) for df in frequencies]), any(frequencies)


def _clause_query(schema: tantivy.Schema, clause: AnalyzedClause) -> tantivy.Query:
    if clause.phrase and len(clause.terms) > 1:
        return tantivy.Query.phrase_query(schema, clause.field, list(clause.terms))
    words = Counter(clause.terms)
    should = tantivy.Occur.Should
    return tantivy.Query.boolean_query(
        [(should, _term_query(schema, clause.field, term, n)) for term, n in words.items()]
    )


def _term_query(schema: tantivy.Schema, field: str, term: str, count: int) -> tantivy.Query:
    query = tantivy.Query.term_query(schema, field, term)
    return query if count == 1 else tantivy.Query.boost_query(query, float(count))
