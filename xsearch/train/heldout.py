"""Rows kept from training, and how well each language is understood on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xsearch.encode.pooling import sum_bags, unit_rows
from xsearch.train.bags import Ints, from_spans
from xsearch.train.model import StaticModel
from xsearch.train.tokenrows import TokenRows

SHARE = 0.01
MOST_SHARE = 0.05
WANTED = 300
"""Rows to be held out, where that is not more than `MOST_SHARE` of all."""
OF_A_LANGUAGE = 60
"""Longer texts of each language to be held out, where that is not more than `MOST_OF_A_LANGUAGE` of them."""
MOST_OF_A_LANGUAGE = 0.2
LEAST_TOKENS = 4
LEAST_PAIRS = 20
OTHER = -1
POOL = 300
LEAST_TEXTS = 500
"""Texts of a language that are enough to call it known, though it could not be measured."""
ALIKE = 20
"""Measured languages, those with about as much text, that one is judged by that could not be measured."""
UNMEASURED = 0.25
"""Quantile of their scores that stands for its own."""


def hold_out(rows: TokenRows, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are kept from training, at random: one in a hundred, of few rows up to one in twenty, and of those
    with a text of four tokens or more in a language of few such up to one in five: its score is asked of them."""
    share = np.full(len(rows), max(SHARE, min(MOST_SHARE, WANTED / max(len(rows), 1))))
    long = np.flatnonzero(np.diff(rows.offsets) >= LEAST_TOKENS)
    counts = np.bincount(rows.langs[long])
    of_language = np.minimum(MOST_OF_A_LANGUAGE, OF_A_LANGUAGE / np.maximum(counts, 1))
    np.maximum.at(share, rows.row_of[long], of_language[rows.langs[long]])
    held: NDArray[np.bool_] = rng.random(len(rows)) < share
    return held


def assumed(size: int, sizes: Sequence[int], scores: Sequence[float]) -> float:
    """What counts as the score of a language with `size` texts that could not be measured: what three in four of the
    measured with about as much text reach, 0 where none was. Silent, a retriever would leave such a language to the
    others. sizes, scores: of the measured."""
    if not len(scores):
        return 0.0
    apart = np.abs(np.log(np.maximum(sizes, 1)) - np.log(max(size, 1)))
    alike = np.argsort(apart, kind="stable")[:ALIKE]
    return round(float(np.quantile(np.asarray(scores)[alike], UNMEASURED)), 3)


def language_accuracy(
    model: StaticModel, rows: TokenRows, held: NDArray[np.bool_], languages: Sequence[str]
) -> dict[str, float]:
    """`heldout_accuracy` with English as pivot, by code, in the order of codes: what a card says of languages."""
    english = languages.index("en") if "en" in languages else -1
    found = heldout_accuracy(model, rows, held, english)
    return {code: round(score, 3) for code, score in sorted((languages[lang], score) for lang, score in found.items())}


def unmeasured(measured: Mapping[str, float], rows: TokenRows, languages: Sequence[str]) -> dict[str, float]:
    """The languages that are not `measured` although there are `LEAST_TEXTS` texts in them, with what is `assumed`; a
    code with a script or a region counts as its language where that is measured."""
    counts = dict(zip(languages, np.bincount(rows.langs, minlength=len(languages)).tolist(), strict=True))
    sizes = [counts[code] for code in measured]
    return {
        code: assumed(count, sizes, [*measured.values()])
        for code, count in sorted(counts.items())
        if count >= LEAST_TEXTS and code not in measured and code.partition("-")[0] not in measured
    }


def heldout_accuracy(model: StaticModel, rows: TokenRows, held: NDArray[np.bool_], pivot: int) -> dict[int, float]:
    """By language number, the share of held-out texts whose translation is the nearest in a pool of 300: the mean
    over the recipe's kinds of sources, since a language that has nothing but manuals beside a dictionary is not known
    as well as its manuals. Where a language has fewer texts than that, translations of others' fill the pool, or
    languages of which little is known would be asked the easier question.

    The translation is the row's text in the language numbered `pivot` (English), or its first text in another
    language. Texts of fewer than four tokens are left out. Kinds with fewer than twenty pairs in a language count
    together as one; a language with fewer than twenty in all has no score.
    """
    long = np.diff(rows.offsets) >= LEAST_TOKENS
    texts = np.flatnonzero(held[rows.row_of] & long)
    partners = _partners(rows, texts, pivot)
    texts, partners = texts[partners >= 0], partners[partners >= 0]
    kinds = np.stack((rows.langs[texts], rows.sources[rows.row_of[texts]]), axis=1)
    _, kind, sizes = np.unique(kinds, axis=0, return_inverse=True, return_counts=True)
    kinds[sizes[kind] < LEAST_PAIRS, 1] = OTHER
    found: dict[int, list[float]] = {}
    rng = np.random.default_rng(0)
    for lang, source in np.unique(kinds, axis=0).tolist():
        chosen = rng.permutation(np.flatnonzero((kinds == (lang, source)).all(axis=1)))[:POOL]
        if len(chosen) >= LEAST_PAIRS:
            pool = np.concatenate([partners[chosen], _others(rows, partners, partners[chosen], rng)])
            near = _vectors(model, rows, texts[chosen]) @ _vectors(model, rows, pool).T
            # The same sentence may stand in several rows: its copy is as right as itself.
            found.setdefault(lang, []).append(float((near.max(axis=1) <= near.diagonal() + 1e-5).mean()))
    return {lang: float(np.mean(each)) for lang, each in found.items()}


def _partners(rows: TokenRows, texts: Ints, pivot: int) -> Ints:
    """For each text, the one of its row to find; -1 where there is none of another language."""
    found = np.full(len(texts), -1, dtype=np.int64)
    for place, text in enumerate(texts.tolist()):
        first, last = rows.starts[rows.row_of[text]], rows.starts[rows.row_of[text] + 1]
        others = np.flatnonzero(rows.langs[first:last] != rows.langs[text])
        if len(others):
            english = others[rows.langs[first:last][others] == pivot]
            found[place] = first + (english[0] if len(english) else others[0])
    return found


def _others(rows: TokenRows, partners: Ints, chosen: Ints, rng: np.random.Generator) -> Ints:
    """Of `partners` what a pool needs beside `chosen`: each text once, from rows of their own."""
    unique = np.unique(partners)
    strange = unique[~np.isin(rows.row_of[unique], rows.row_of[chosen])]
    return rng.permutation(strange)[: POOL - len(chosen)]


def _vectors(model: StaticModel, rows: TokenRows, texts: Ints) -> NDArray[np.float32]:
    bags = from_spans(rows.tokens, rows.offsets[texts], rows.offsets[texts + 1])
    return unit_rows(sum_bags(model.vectors * model.weights()[:, None], bags.tokens, bags.starts))
