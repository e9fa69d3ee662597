"""Passages by the questions generated from them (doc2query: Nogueira et al. 2019): a passage is found by words of a
language that it is not written in.

The questions of a language have a BM25 index of their own, in the form of `retrieve.bm25`, whose rows bear the numbers
of the passages: frequencies and lengths are those of the questions in that language, whatever the passages are in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import FloatArray, IntArray, Mask, PassageBatch, Query, QuestionTerms, Ranking
from xsearch.retrieve.bm25 import Among, BM25Writer, open_languages, search_language
from xsearch.retrieve.clauses import idf_sum, tantivy_query
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.views import schema
from xsearch.storage.files import Files


class GeneratedWriter:
    """Appends passages' questions to the language indexes of `folder`; arguments and errors are `BM25Writer`'s."""

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._next = high_water
        self._words = BM25Writer(folder, state, high_water=high_water, files=files)
        self._passages = Counter[str](state.get("passages", {}))
        self._asked = {lang: Counter[str](held) for lang, held in state.get("asked", {}).items()}
        self.through = int(state.get("through", 0))
        """Questions stored up to this commit are in, besides those that the generation was made with."""

    def add(self, batch: PassageBatch) -> None:
        """Append the questions of `batch`; passages without any are counted too."""
        self.count(batch.numbers, batch.langs)
        if batch.questions is not None:
            self.append(batch.numbers, batch.langs, batch.questions)

    def count(self, numbers: IntArray, langs: Sequence[str]) -> None:
        """Count passages, whether they will have questions or not. numbers: int64 (n,), ascending."""
        self._next = next_number(self._next, numbers)
        self._passages.update(langs)

    def append(self, numbers: IntArray, langs: Sequence[str], asked: QuestionTerms) -> None:
        """Append questions of passages that were counted, none of which has a row in the questions' languages.
        numbers, langs: of these passages, and perhaps others."""
        spoken = [langs[row] for row in np.searchsorted(numbers, asked.owners).tolist()]
        for lang, passage_lang in zip(asked.langs, spoken, strict=True):
            self._asked.setdefault(lang, Counter())[passage_lang] += 1
        self._words.append(
            (number, lang, terms, "")
            for number, lang, terms in zip(asked.owners.tolist(), asked.langs, asked.terms, strict=True)
        )

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it: that of BM25 with
        "passages", how many there are of each language, "asked", by the questions' language how many passages of
        each language have some, and "through". Raises `CannotWrite`."""
        asked = {lang: dict(sorted(counts.items())) for lang, counts in sorted(self._asked.items())}
        counted = {"passages": dict(sorted(self._passages.items())), "asked": asked, "through": self.through}
        return {**self._words.flush(), **counted}

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._words.close()


class Generated:
    """One snapshot of the questions of an index, safe to search from several threads; writes nothing.

    Raises `IndexDamaged` when a segment is missing or cannot be read.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        self._passages: Mapping[str, int] = state.get("passages", {})
        self._asked: Mapping[str, Mapping[str, int]] = state.get("asked", {})
        self._schema = schema()
        self._searchers = open_languages(folder, state)

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best passages by their questions in the languages that the query may be in: `depth` for each of the
        passages' languages, in one list, since scores of one index compare. Where the query may be in several, with
        weights w_l,  score = Σ_l w_l BM25_l.

        query: `analyzed` holds the clauses for each of its languages. allowed: passages that may be returned. langs
        is not asked: passages of other languages are not `allowed`. The ranking's background is, for every language
        that has passages with questions, (0, Σ_l w_l Σ idf of the query's terms).
        """
        among = Among.of(self._schema, allowed)
        totals: dict[int, float] = {}
        worth, asked = 0.0, set[str]()
        for lang, weight in self._spoken(query).items():
            searcher, clauses = self._searchers[lang], query.analyzed.get(lang, ())
            wanted = tantivy_query(self._schema, clauses)
            if wanted is None:
                continue
            sum_of_idf, is_known = idf_sum(searcher, clauses)
            worth += weight * sum_of_idf
            asked.update(self._asked[lang])
            if is_known:
                _add(totals, weight, *search_language(searcher, wanted, depth * len(self._asked[lang]), among))
        background = dict.fromkeys(sorted(asked), (0.0, worth))
        return Ranking.of(list(totals), list(totals.values()), background)

    def support(self, query_lang: str, passage_lang: str) -> float:
        """The share of the passages of a language that have questions in the query's."""
        asked = self._asked.get(query_lang.split("-")[0], {})
        return asked.get(passage_lang, 0) / max(1, self._passages.get(passage_lang, 0))

    def languages(self) -> list[str]:
        """The languages of the questions, sorted."""
        return sorted(self._searchers)

    def close(self) -> None:
        """Let go of the files. Searches under way end undisturbed."""
        self._searchers = {}

    def _spoken(self, query: Query) -> dict[str, float]:
        """The languages the query may be in, of those there are questions in, with their weights."""
        spoken: dict[str, float] = {}
        for code, weight in query.langs:
            lang = code.split("-")[0]
            if lang in self._searchers:
                spoken[lang] = spoken.get(lang, 0.0) + weight
        return spoken


def _add(totals: dict[int, float], weight: float, passages: IntArray, scores: FloatArray) -> None:
    for passage, score in zip(passages.tolist(), scores.tolist(), strict=True):
        totals[passage] = totals.get(passage, 0.0) + weight * score
