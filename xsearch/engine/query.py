"""Text → Query: parsed once, its language weighed, analyzed under every language of the index, encoded."""

from __future__ import annotations

from collections.abc import Collection

from xsearch import lang as languages
from xsearch.core import AnalyzedClause, Clause, Query
from xsearch.engine.parse import parse_query
from xsearch.engine.snapshot import Snapshot


def build_query(
    snapshot: Snapshot, text: str, lang: str | None, retrievers: Collection[str], groups: Collection[str]
) -> tuple[Query, tuple[str, ...]]:
    """The query for `text`, and remarks about it for the user. `lang` None has its language identified.

    A word is analyzed under each language's analyzer, not the query's alone: a name or a loan word in an English
    question is looked up in the German index in the form that German documents have it in.
    """
    parsed = parse_query(text)
    if lang is not None:
        langs: tuple[tuple[str, float], ...] = ((languages.normalize_code(lang), 1.0),)
    else:
        langs = languages.identify_query(parsed.text, among=snapshot.manifest.languages)
    analyzed = {}
    if "bm25" in retrievers:
        by_analyzer: dict[str, tuple[AnalyzedClause, ...]] = {}
        for group in groups:
            analyzer = languages.analyzer(group)
            if analyzer.fingerprint not in by_analyzer:
                by_analyzer[analyzer.fingerprint] = analyze_clauses(parsed.clauses, analyzer)
            analyzed[group] = by_analyzer[analyzer.fingerprint]
    vectors = {}
    if "dense" in retrievers:
        best = langs[0][0] if langs else "und"
        vectors["dense"] = snapshot.encoder.encode_queries([parsed.text], [best])[0]
    return Query(parsed.text, langs, parsed.clauses, analyzed, vectors), parsed.notes


def analyze_clauses(clauses: tuple[Clause, ...], analyzer: languages.Analyzer) -> tuple[AnalyzedClause, ...]:
    """The clauses in one language's terms; one that leaves no term (a lone sign) is dropped."""
    done = (
        AnalyzedClause(tuple(analyzer.terms(clause.text)), clause.occur, clause.field, clause.phrase)
        for clause in clauses
    )
    return tuple(clause for clause in done if clause.terms)
