"""Found documents → Hits: text, snippet with the matched words, each retriever's part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from xsearch import lang as languages
from xsearch.core import Explanation, FloatArray, Hit, Query, Reranking, WordMatch
from xsearch.engine.query import analyze_clauses, content_clauses
from xsearch.engine.question_matches import question_matches
from xsearch.engine.search import Found
from xsearch.engine.snapshot import Snapshot
from xsearch.engine.token_matches import token_matches
from xsearch.rank import WIDTH, Fused, believed, snippet, word_matches
from xsearch.rank.rerank import is_composed
from xsearch.storage import StoredPassage


def make_hits(snapshot: Snapshot, found: Found, explain: bool, show: bool = True) -> list[Hit]:
    """The hits of a search, best first; with snippets if they are to be shown."""
    passages = snapshot.store.passages(found.passages)
    matches: list[list[WordMatch]] = [[] for _ in passages]
    if show or explain:
        matches = passage_matches(snapshot, found.query, passages)
    met = token_matches(snapshot, found, passages) if explain else [()] * len(passages)
    snippets: list[tuple[str, list[tuple[int, int]]]] = [("", [])] * len(passages)
    if show:
        snippets = make_snippets(snapshot, found.query, passages, matches, _unmatched(found))
    questions = question_matches(snapshot, found)
    hits = []
    ranked = zip(passages, matches, met, snippets, questions, found.scores, found.rows, strict=True)
    for rank, (passage, own, tokens, (text, spans), asked, score, row) in enumerate(ranked, start=1):
        hits.append(
            Hit(
                rank=rank,
                id=passage.id,
                lang=passage.lang,
                score=float(score),
                text=passage.text,
                title=passage.title,
                snippet=text,
                spans=tuple(spans),
                start=passage.start,
                end=passage.end,
                metadata=passage.metadata,
                explain=explanations(snapshot, found.fused, int(row)) if explain else (),
                matches=tuple(own) if explain else (),
                met=tokens,
                rerank=reranking(found, rank, passage.lang) if explain else None,
                questions=asked,
            )
        )
    return hits


def reranking(found: Found, rank: int, lang: str) -> Reranking | None:
    """What the reranker did with the document at a rank, whose best passage is in `lang`; None without one."""
    done = found.reranked
    if done is None:
        return None
    score = float(done.reranker_scores[rank - 1])
    before = int(done.order[rank - 1]) + 1
    if np.isnan(score):
        return Reranking(done.name, before, rank, None)
    modules = done.by.composition(found.query.lang, lang) if is_composed(done.by) else None
    return Reranking(done.name, before, rank, score, modules)


def passage_matches(snapshot: Snapshot, query: Query, passages: Sequence[StoredPassage]) -> list[list[WordMatch]]:
    """Of each passage the words that translate words of the query; none in the query's own language."""
    asked = query.pieces
    own = {languages.base_language(code) for code, _ in query.langs}
    groups = [languages.base_language(passage.lang) for passage in passages]
    abroad = [row for row, group in enumerate(groups) if group not in own and group in query.translations]
    found: list[list[WordMatch]] = [[] for _ in passages]
    if asked is None or not abroad:
        return found
    translations = [query.translations[groups[row]] for row in abroad]
    texts = [passages[row].text for row in abroad]
    held = snapshot.pieces.pieces_around(texts, [known.tokens for known in translations])
    for row, matches in zip(abroad, word_matches(query.text, asked, translations, texts, held), strict=True):
        found[row] = matches
    return believed(found, snapshot.word_encoder.encode_queries)


def _unmatched(found: Found) -> list[bool]:
    """Of each document found, whether BM25 knows that no word of the query stands in its passage. Of a phrase it knows
    that the whole is not there, of a word for titles not where else it stands."""
    part = found.fused.parts.get("bm25")
    if part is None or any(clause.phrase or clause.field != "body" for clause in found.query.clauses):
        return [False] * len(found.rows)
    unmatched: list[bool] = part.unmatched[found.rows].tolist()
    return unmatched


def make_snippets(
    snapshot: Snapshot,
    query: Query,
    passages: Sequence[StoredPassage],
    matches: Sequence[Sequence[WordMatch]],
    unmatched: Sequence[bool],
) -> list[tuple[str, list[tuple[int, int]]]]:
    """Of each passage the sentence that answers best, and the words in it that the query's terms, or their
    translations, matched.

    Where no word of the query stands in the passage (it is in another language), the encoder says which sentence
    is nearest to the query. unmatched: where it is known that no term stands in the passage, so that its words, each of
    which would have to be analyzed, need not be looked at.
    """
    terms = {lang: query_terms(snapshot, query, lang) for lang in {passage.lang for passage in passages}}
    tokens = _found(terms, passages, unmatched)
    views = [
        _view(terms[passage.lang], passage, own, there)
        for passage, own, there in zip(passages, matches, tokens, strict=True)
    ]
    nearness = _nearness(snapshot, query, views) if snapshot.has_encoder else [None] * len(views)
    return [
        snippet(view.text, view.sentences, view.tokens, view.terms, near, words=partial(_words, view))
        for view, near in zip(views, nearness, strict=True)
    ]


class _View(NamedTuple):
    """A passage as `snippet` takes it. sentences: none where all of it is shown. tokens: those that matched."""

    text: str
    lang: str
    sentences: list[tuple[int, int]]
    tokens: Sequence[languages.Token]
    terms: dict[str, float]


def _found(
    terms: Mapping[str, Mapping[str, float]], passages: Sequence[StoredPassage], unmatched: Sequence[bool]
) -> list[list[languages.Token]]:
    """Of each passage the words that the query's terms match; those of a language are analyzed together."""
    found: list[list[languages.Token]] = [[] for _ in passages]
    by_lang: dict[str, list[int]] = {}
    for row, passage in enumerate(passages):
        if not unmatched[row]:
            by_lang.setdefault(passage.lang, []).append(row)
    for lang, rows in by_lang.items():
        if terms[lang]:
            texts = [shown(passages[row]) for row in rows]
            for row, tokens in zip(rows, languages.analyzer(lang).find_all(texts, terms[lang]), strict=True):
                found[row] = tokens
    return found


def shown(passage: StoredPassage) -> str:
    """What a snippet is of: the passage's text, or its title where it has no more."""
    return passage.text or passage.title or ""


def _view(
    asked: Mapping[str, float], passage: StoredPassage, matches: Sequence[WordMatch], tokens: list[languages.Token]
) -> _View:
    text, terms = shown(passage), dict(asked)
    if matches:
        tokens = _with_translated(tokens, matches)
        for match in matches:
            terms[_translated(match)] = max(match.strength, terms.get(_translated(match), 0.0))
    sentences = languages.sentences(text, passage.lang) if len(text) > WIDTH else []
    return _View(text, passage.lang, sentences, tokens, terms)


def _words(view: _View) -> list[tuple[int, int]]:
    """Where the words of a passage stand."""
    return [(start, end) for _, start, end in languages.analyzer(view.lang).tokens(view.text)]


def _translated(match: WordMatch) -> str:
    """The term that stands for a translated word of the query: no analyzer makes one with an arrow in it."""
    return f"← {match.query}"


def _with_translated(tokens: Sequence[languages.Token], matches: Sequence[WordMatch]) -> list[languages.Token]:
    """The tokens and, where none of them stands, the translated words, ascending by start."""
    taken = {place for token in tokens for place in range(token.start, token.end)}
    added = [
        languages.Token((_translated(match),), match.start, match.end)
        for match in matches
        if taken.isdisjoint(range(match.start, match.end))
    ]
    return sorted([*tokens, *added], key=lambda token: token.start)


def query_terms(snapshot: Snapshot, query: Query, lang: str) -> dict[str, float]:
    """The query's terms in a language's analysis, with a weight each: what may be marked in a passage. Of a query in
    that language, function words are none of it, unless it has no other words."""
    analyzer, group = languages.analyzer(lang), languages.base_language(lang)
    clauses = query.analyzed.get(group)
    if clauses is None:
        clauses = analyze_clauses(query.clauses, analyzer)
    if snapshot.has_encoder and group in {languages.base_language(code) for code, _ in query.langs}:
        clauses = analyze_clauses(content_clauses(query.clauses, snapshot.word_encoder), analyzer) or clauses
    return {term: 1.0 for clause in clauses if clause.occur != "must_not" for term in clause.terms}


def _nearness(snapshot: Snapshot, query: Query, views: Sequence[_View]) -> list[FloatArray | None]:
    """Cosines of each view's sentences with the query, None where words say more or there is one sentence alone."""
    asked = [len(view.sentences) if len(view.sentences) > 1 and not view.tokens else 0 for view in views]
    # All sentences at once: the encoder takes as long for one as for ten.
    chosen = [(view, span) for view, count in zip(views, asked, strict=True) if count for span in view.sentences]
    if not chosen:
        return [None] * len(views)
    texts = [view.text[start:end] for view, (start, end) in chosen]
    vectors = snapshot.word_encoder.encode_queries([*texts, query.text])
    scores = np.split(np.asarray(vectors[:-1] @ vectors[-1], dtype=np.float32), np.cumsum(asked)[:-1])
    return [part if count else None for part, count in zip(scores, asked, strict=True)]


def explanations(snapshot: Snapshot, fused: Fused, row: int) -> tuple[Explanation, ...]:
    """What each retriever said of the passage in `row` of the fused ranking."""
    parts = []
    for name, part in fused.parts.items():
        rank, calibrated = int(part.rank[row]), float(part.calibrated[row])
        parts.append(
            Explanation(
                retriever=name,
                rank=rank or None,
                score=float(part.score[row]) if rank else None,
                calibrated=None if np.isnan(calibrated) else calibrated,
                support=float(part.support[row]),
                weight=snapshot.recipe.weight(name),
            )
        )
    return tuple(parts)
