"""Text → Query: parsed once, its language weighed, analyzed under every language of the index, encoded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from xsearch import lang as languages
from xsearch.core import AnalyzedClause, Clause, Query
from xsearch.encode import Encoder
from xsearch.engine.parse import parse_query
from xsearch.engine.parts import PIECES, RETRIEVERS, parts_of
from xsearch.engine.snapshot import Snapshot
from xsearch.engine.tables import FUNCTION_WORD, translate

LONGEST_NAME = 8
"""Characters of a question that may be a name and nothing else."""


def build_query(
    snapshot: Snapshot, text: str, lang: str | None, retrievers: Collection[str], groups: Collection[str]
) -> tuple[Query, tuple[str, ...]]:
    """The query for `text`, and remarks about it for the user. `lang` None has its language identified.

    A word is analyzed under each language's analyzer, not the query's alone: a name or a loan word in an English
    question is looked up in the German index in the form that German documents have it in. Words that say little
    (`FUNCTION_WORD`) are looked up in the query's own languages only: Spanish "y" is in French a rare word.
    """
    parsed = parse_query(languages.to_unicode(text))
    if lang is not None:
        langs: tuple[tuple[str, float], ...] = ((languages.normalize_code(lang), 1.0),)
    else:
        langs = languages.identify_query(
            parsed.text, among=[*snapshot.manifest.languages, *snapshot.question_languages]
        )
    analyzed: dict[str, tuple[AnalyzedClause, ...]] = {}
    wordings: dict[str, tuple[Clause, ...]] = {}
    if "generated" in retrievers:
        # Questions may be in languages that no passage is in.
        asked = {languages.base_language(code) for code, _ in langs}.intersection(snapshot.question_languages)
        analyzed |= {group: analyze_clauses(parsed.clauses, languages.analyzer(group)) for group in sorted(asked)}
    if {"bm25", "lucene"} & set(retrievers):
        own = {languages.base_language(code) for code, _ in langs}
        abroad = content_clauses(parsed.clauses, snapshot.word_encoder) if snapshot.has_encoder else parsed.clauses
        done: dict[tuple[str, bool], tuple[AnalyzedClause, ...]] = {}
        for group in groups:
            analyzer = languages.analyzer(group)
            key = (analyzer.fingerprint, group in own)
            if key not in done:
                done[key] = analyze_clauses(parsed.clauses if group in own else abroad, analyzer)
            analyzed[group] = done[key]
            wordings[group] = parsed.clauses if group in own else abroad
    best = [langs[0][0] if langs else "und"]
    vectors, weights = {}, None
    if "dense" in retrievers:
        vectors["dense"] = snapshot.encoder.encode_queries([parsed.text], best)[0]
    if "colbert" in retrievers and (tokens := snapshot.encoders.tokens):
        vectors["colbert"] = tokens.encode_queries([parsed.text], best)[0]
    if "sparse" in retrievers and (sparse := snapshot.encoders.weights):
        weights = sparse.encode_queries([parsed.text], best)
    pieces = snapshot.pieces.query_pieces(parsed.text) if PIECES & set(parts_of(retrievers)) else None
    translations = {}
    if pieces is not None and snapshot.tables and any(RETRIEVERS[name].translates for name in retrievers):
        translations = translate(snapshot.tables, parsed.text, pieces, langs, sorted(groups))
    query = Query(
        parsed.text, langs, parsed.clauses, analyzed, vectors, pieces, weights, translations, wordings=wordings
    )
    if "names" in retrievers:
        reader = lang or kanji_reader(parsed.text, langs)
        spellings = languages.query_spellings(parsed.text, partial(word_weights, snapshot), reader)
        query = replace(query, spellings=spellings)
    notes = parsed.notes
    if parsed.text and not any(map(str.isalnum, parsed.text)):
        notes += ("the query has neither letters nor digits: signs and emoji are not searched for",)
    return query, notes


def kanji_reader(text: str, langs: Sequence[tuple[str, float]]) -> str | None:
    """The language by which Han characters of a question in no language told are read: None, Japanese too, where it may
    be Japanese or no more than a name. A whole Chinese question would have its names looked for by sounds that it does
    not have, for thrice the time."""
    if len(text) <= LONGEST_NAME or any(languages.base_language(code) == "ja" for code, _ in langs):
        return None
    return langs[0][0] if langs else None


def word_weights(snapshot: Snapshot, words: Sequence[str]) -> list[float]:
    """What each word of a query counts by its spelling: 0 for one that says little (`FUNCTION_WORD`), else 1."""
    if not snapshot.has_encoder or not words:
        return [1.0] * len(words)
    return [float(weight >= FUNCTION_WORD) for weight in snapshot.word_encoder.word_weights(words)]


def content_clauses(clauses: tuple[Clause, ...], encoder: Encoder) -> tuple[Clause, ...]:
    """The clauses without plain words that say little; required, excluded and quoted words stay."""
    kept = []
    for clause in clauses:
        words = clause.text.split()
        if clause.occur == "should" and not clause.phrase and words:
            weights = encoder.word_weights(words)
            words = [word for word, weight in zip(words, weights, strict=True) if weight >= FUNCTION_WORD]
            clause = replace(clause, text=" ".join(words))
        if clause.text:
            kept.append(clause)
    return tuple(kept)


def analyze_clauses(clauses: tuple[Clause, ...], analyzer: languages.Analyzer) -> tuple[AnalyzedClause, ...]:
    """The clauses in one language's terms, all of them wanted: what is required and excluded has become a mask
    (`engine.constraints`). One that leaves no term (a lone sign) is dropped."""
    done = (
        AnalyzedClause(tuple(analyzer.terms(clause.text)), "should", clause.field, clause.phrase)
        for clause in clauses
        if clause.occur != "must_not"
    )
    return tuple(clause for clause in done if clause.terms)
