"""Through which of its generated questions a document was found."""

from __future__ import annotations

import numpy as np

from xsearch import lang as languages
from xsearch.core import Mask, QuestionMatch
from xsearch.engine.query import analyze_clauses
from xsearch.engine.search import Found
from xsearch.engine.snapshot import Snapshot
from xsearch.rank import Fused
from xsearch.storage import Question

RETRIEVER = "generated"


def question_matches(snapshot: Snapshot, found: Found) -> list[tuple[QuestionMatch, ...]]:
    """For each document found, the questions of its passage that words of the query stand in, those with most of
    them first; none where the index of the questions' words did not return the passage."""
    part = found.fused.parts.get(RETRIEVER)
    if part is None:
        return [()] * len(found.passages)
    wanted = found.passages[part.rank[found.rows] > 0].tolist()
    decisive = _decisive(found.fused)[found.rows]
    terms = _terms(found)
    matches: dict[int, list[tuple[int, Question]]] = {}
    for question in snapshot.store.questions.of(wanted) if wanted else ():
        group = languages.base_language(question.lang)
        shared = terms.get(group, frozenset()).intersection(languages.analyzer(group).terms(question.text))
        if shared:
            matches.setdefault(question.passage, []).append((len(shared), question))
    return [
        tuple(
            QuestionMatch(question.text, question.lang, question.generator, bool(is_decisive))
            for _, question in sorted(matches.get(passage, ()), key=lambda match: -match[0])
        )
        for passage, is_decisive in zip(found.passages.tolist(), decisive.tolist(), strict=True)
    ]


def _terms(found: Found) -> dict[str, frozenset[str]]:
    """The terms of the query in each language it may be in."""
    groups = {languages.base_language(code) for code, _ in found.query.langs}
    return {
        group: frozenset(
            term for clause in analyze_clauses(found.query.clauses, languages.analyzer(group)) for term in clause.terms
        )
        for group in groups
    }


def _decisive(fused: Fused) -> Mask:
    """Where weight · support · calibrated score of the retriever of questions is the highest of all, bool (n,)."""
    said = {
        name: np.nan_to_num(part.weight * part.support * part.calibrated, nan=0.0) for name, part in fused.parts.items()
    }
    own = said.pop(RETRIEVER)
    loudest: Mask = own > np.max([*said.values()], axis=0, initial=0.0)
    return loudest & (fused.parts[RETRIEVER].rank > 0)
