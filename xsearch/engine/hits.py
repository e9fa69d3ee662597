"""Found documents → Hits: text, snippet with the matched words, each retriever's part."""

from __future__ import annotations

import numpy as np

from xsearch import lang as languages
from xsearch.core import Explanation, FloatArray, Hit, Query
from xsearch.engine.search import Found
from xsearch.engine.snapshot import Snapshot
from xsearch.rank import Fused, snippet
from xsearch.storage import StoredPassage


def make_hits(snapshot: Snapshot, found: Found, explain: bool) -> list[Hit]:
    """The hits of a search, best first."""
    passages = snapshot.store.passages(found.passages)
    hits = []
    for rank, (passage, score, row) in enumerate(zip(passages, found.scores, found.rows, strict=True), start=1):
        text, spans = make_snippet(snapshot, found.query, passage)
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
            )
        )
    return hits


def make_snippet(snapshot: Snapshot, query: Query, passage: StoredPassage) -> tuple[str, list[tuple[int, int]]]:
    """The sentence of a passage that answers best, and the words in it that the query's terms matched.

    Where no word of the query stands in the passage (it is in another language), the encoder says which sentence
    is nearest to the query.
    """
    text = passage.text or passage.title or ""
    terms = query_terms(snapshot, query, passage.lang)
    tokens = [(t.terms, t.start, t.end) for t in languages.analyzer(passage.lang).tokens(text)] if terms else []
    sentences = languages.sentences(text, passage.lang)
    nearness = None
    if not any(term in terms for token in tokens for term in token[0]) and "dense" in query.vectors:
        nearness = _nearness(snapshot, query.vectors["dense"], text, sentences, passage.lang)
    return snippet(text, sentences, tokens, terms, nearness)


def query_terms(snapshot: Snapshot, query: Query, lang: str) -> dict[str, float]:
    """The query's terms in a language's analysis, with a weight each: what may be marked in a passage."""
    clauses = query.analyzed.get(languages.base_language(lang))
    if clauses is None:
        text = " ".join(clause.text for clause in query.clauses if clause.occur != "must_not")
        return dict.fromkeys(languages.analyzer(lang).terms(text), 1.0)
    return {term: 1.0 for clause in clauses if clause.occur != "must_not" for term in clause.terms}


def _nearness(
    snapshot: Snapshot, vector: FloatArray, text: str, sentences: list[tuple[int, int]], lang: str
) -> FloatArray | None:
    if len(sentences) < 2:
        return None
    vectors = snapshot.encoder.encode_queries([text[a:b] for a, b in sentences], [lang] * len(sentences))
    scores: FloatArray = np.asarray(vectors @ vector, dtype=np.float32)
    return scores


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
