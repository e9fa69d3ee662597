"""Documents in two languages on one thing: those that find each other, or that say so themselves.

What C3 (Yang et al. 2022, "C3: Continued Pretraining with Contrastive Weak Supervision for Cross Language Ad-Hoc
Retrieval") takes from Wikipedia's links between languages: pairs for a contrastive loss, before there are judgments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from xsearch import lang as languages
from xsearch.core import UsageError
from xsearch.engine import SearchOptions
from xsearch.engine.rerank import NONE
from xsearch.engine.search import search
from xsearch.engine.snapshot import Snapshot
from xsearch.storage import StoredDocument

NEIGHBOURS = 4
"""Documents of each other language that a document is compared with."""
ASKED_WORDS = 60
"""Words of a document, its title among them, that are asked for it."""

OPERATORS = str.maketrans(dict.fromkeys('"＂“”„‟«»「」『』+＋-－:：', " "))

Near = dict[str, list[tuple[int, float]]]
"""Of a document: by language, the numbers of the nearest documents with their scores, best first."""


@dataclass(frozen=True, slots=True)
class Comparable:
    """Two documents by number, the first of the language that comes first, with how well they match, 0 to 1."""

    left: int
    right: int
    score: float


def main_language(document: StoredDocument) -> str:
    """The language, without script, that most of a document's text is in; "und" for one without text."""
    shares: dict[str, int] = defaultdict(int)
    for span in document.spans:
        shares[languages.base_language(span.lang)] += span.end - span.start + 1
    return max(sorted(shares), key=lambda lang: shares[lang], default="und")


def nearest_abroad(snapshot: Snapshot, document: StoredDocument) -> Near:
    """What the index finds in each other language when it is asked for a document's title and first words."""
    lang = main_language(document)
    others = [group for group in snapshot.groups if group not in (lang, "und")]
    text = asked_text(document)
    if not others or not text:
        return {}
    # Each language gets an equal share of the answer, the document's own too.
    options = SearchOptions(
        k=NEIGHBOURS * len(others), lang=lang if lang != "und" else None, to=others, balance=True, rerank=NONE
    )
    found = search(snapshot, text, options)
    near: Near = {}
    groups = snapshot.group_of(found.passages)
    rows = zip(groups.tolist(), found.documents.tolist(), found.scores.tolist(), strict=True)
    for group, number, score in rows:
        if number != document.number:
            near.setdefault(snapshot.groups[group], []).append((number, round(score, 4)))
    return near


def asked_text(document: StoredDocument) -> str:
    """A document's title and first words, as a query."""
    whole = f"{document.title or ''}\n{document.text[: ASKED_WORDS * 12]}"
    spans = languages.split_passages(whole, main_language(document), max_words=ASKED_WORDS)
    return plain(whole[spans[0][0] : spans[0][1]]) if spans else ""


def plain(text: str) -> str:
    """A text without the signs that mean something in a query."""
    return " ".join(text.translate(OPERATORS).split())


def mutual(langs: Mapping[int, str], near: Mapping[int, Near], least: float) -> list[Comparable]:
    """Documents each of which the other finds first in its language, by number.

    score: how surely they were found, s(x, y), the mean of both searches' scores, times how far above their
    neighbours, by the ratio margin of Artetxe and Schwenk 2019 (equation 3, with s in the place of the cosine), which
    is squeezed to between 0 and 1 (1/2: no better than those):

        m(x, y) = s(x, y) / (Σ_{z ∈ NN(x)} s(x, z) / 2k + Σ_{z ∈ NN(y)} s(y, z) / 2k),   score = s · m / (1 + m)

    Pairs below `least` are left out. The sums leave the pair itself out where there are others.
    """
    found = []
    for number, by_language in near.items():
        for lang, candidates in by_language.items():
            other = candidates[0][0]
            back = near.get(other, {}).get(langs[number], [])
            if lang < langs[number] or langs.get(other) != lang or not back or back[0][0] != number:
                continue
            score = _score(candidates, back)
            if score >= least:
                found.append(Comparable(number, other, score))
    return sorted(found, key=lambda pair: (pair.left, pair.right))


def _score(there: Sequence[tuple[int, float]], back: Sequence[tuple[int, float]]) -> float:
    own = (there[0][1] + back[0][1]) / 2
    around = sum(np.mean([score for _, score in near[1:] or near]) / 2 for near in (there, back))
    return round(float(own * own / (own + around)), 4) if own > 0 else 0.0


def linked(documents: Mapping[str, Sequence[int]], langs: Mapping[int, str]) -> list[Comparable]:
    """Documents of the same link (a Wikidata number, say) in two languages, by number. documents: by link."""
    pairs = (
        (left, right) if langs[left] < langs[right] else (right, left)
        for same in documents.values()
        for left, right in combinations(same, 2)
        if langs[left] != langs[right]
    )
    return [Comparable(left, right, 1.0) for left, right in sorted(set(pairs))]


def merged(linked: Sequence[Comparable], searched: Sequence[Comparable]) -> Iterator[Comparable]:
    """Both, by number; a pair that is in both as the link has it."""
    known = {(pair.left, pair.right): pair for pair in [*searched, *linked]}
    yield from (known[key] for key in sorted(known))


def check_languages(groups: Collection[str], wanted: Collection[str]) -> None:
    """Raise `UsageError` when pairs in two languages alone are wanted of documents in one."""
    spoken = [group for group in groups if group != "und"]
    if len(spoken) < 2:
        raise UsageError(
            f"{' and '.join(sorted(wanted))} pairs need documents in two languages; these are in "
            f"{spoken[0] if spoken else 'none that is known'} alone: leave --origin away, or add documents"
        )
