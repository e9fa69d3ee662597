"""Does it matter which language a document or a question is in: measures of fairness and consistency.

`peer` and `query_copy_first` look at one ranking of one mixed pool; `mean_rank_variance`, `overlap`,
`rank_correlation` and `top_languages` at the rankings that the same question got when put in several languages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from xsearch.core import UsageError
from xsearch.core.extras import need

RankingByLanguage = Mapping[str, Sequence[str]]
"""Document ids, best first, by the language the question was put in."""


def peer(
    ranking: Sequence[str],
    grades: Mapping[str, int],
    languages: Mapping[str, str],
    *,
    cutoff: int = 20,
    weights: Mapping[int, float] | None = None,
) -> float:
    """PEER@k, the probability of equal expected rank (Yang, Jänich, Mayfield and Lawrie, SIGIR 2024), 0..1, high is
    fair.

    For every grade g, documents of that grade are grouped by language and the Kruskal-Wallis test asks whether their
    ranks differ: ``H = (N - 1) · Σ_l n_l (r̄_l - r̄)² / Σ (r - r̄)²``, ``p_g`` the upper tail of χ² with one degree of
    freedom fewer than there are languages. ``PEER = Σ_g w_g · p_g``. Documents judged relevant but not among the first
    `cutoff` share the rank ``(2N + u + 1) / 2``, with N documents of that grade and u of them missing, as the authors'
    code has it (a mean of ranks beyond every possible one in the level). One language alone, or a grade whose
    documents all have the same rank, is fair: 1.

    languages: of every document retrieved and judged. weights: by grade, summing to 1; without them all positive
    grades of `grades` weigh alike. Unjudged documents count as grade 0. Raises `UsageError` for weights with another
    sum.
    """
    weights = _peer_weights(grades, weights)
    ranks: dict[int, dict[str, list[float]]] = {}
    for rank, document in enumerate(ranking[:cutoff], start=1):
        level = ranks.setdefault(grades.get(document, 0), {})
        level.setdefault(languages[document], []).append(rank)
    retrieved = set(ranking[:cutoff])
    for document, grade in grades.items():
        if grade > 0 and document not in retrieved:
            ranks.setdefault(grade, {}).setdefault(languages[document], []).append(np.nan)
    return float(sum(weight * _equal_rank_probability(ranks.get(grade, {})) for grade, weight in weights.items()))


def _peer_weights(grades: Mapping[str, int], weights: Mapping[int, float] | None) -> Mapping[int, float]:
    if weights is None:
        levels = {grade for grade in grades.values() if grade > 0}
        return dict.fromkeys(levels, 1 / len(levels)) if levels else {0: 1.0}
    if abs(sum(weights.values()) - 1) > 1e-6:
        raise UsageError(f"PEER's weights must sum to 1, not {sum(weights.values()):g}")
    return weights


def _equal_rank_probability(groups: Mapping[str, list[float]]) -> float:
    """p of the Kruskal-Wallis test over ranks in groups; NaN is a document that was not retrieved."""
    if len(groups) < 2:
        return 1.0
    ranks = np.concatenate([np.asarray(group, dtype=np.float64) for group in groups.values()])
    missing = np.isnan(ranks)
    if missing.all():
        return 1.0
    ranks[missing] = (2 * len(ranks) + missing.sum() + 1) / 2
    sizes = np.array([len(group) for group in groups.values()])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    spread = np.square(ranks - ranks.mean()).sum()
    if spread == 0:
        return 1.0
    means = np.bincount(owner, weights=ranks) / sizes
    h = (len(ranks) - 1) * (sizes @ np.square(means - ranks.mean())) / spread
    return float(need("scipy.stats", "eval", "PEER").chi2.sf(h, len(sizes) - 1))


def mean_rank_variance(ranks: Iterable[Sequence[float]]) -> float:
    """MRV, mean rank variance (Nie et al., KDD 2024, "1-to-K contrastive learning"): for each item, the variance of
    its rank over the K languages it was asked for in, averaged over items: ``1/(N·K) Σ_j Σ_i (r_ij - r̄_j)²``.

    ranks: for each item, its rank (from 1) in each language. 0 means every language finds an item at the same place;
    lower is more consistent. Raises `UsageError` without items.
    """
    variances = [float(np.var(np.asarray(item, dtype=np.float64))) for item in ranks]
    if not variances:
        raise UsageError("mean rank variance needs at least one item")
    return float(np.mean(variances))


def query_copy_first(ranking: Sequence[str], relevant: Iterable[str], languages: Mapping[str, str], lang: str) -> bool:
    """Whether, of the parallel copies `relevant` of one document, the one in the query's language `lang` comes first;
    averaged over queries this is the language preference rate (LPR; arXiv 2605.07249). Compare it with the share of
    copies in that language: a system without preference is near that share."""
    copies = set(relevant)
    first = next((document for document in ranking if document in copies), None)
    return first is not None and languages[first] == lang


def top_languages(
    rankings: Iterable[Sequence[str]], languages: Mapping[str, str], cutoff: int = 10
) -> dict[str, float]:
    """The share of each document language among the first `cutoff` results of all rankings, most frequent first."""
    counts = Counter(languages[document] for ranking in rankings for document in ranking[:cutoff])
    return {lang: count / counts.total() for lang, count in counts.most_common()}


def pair_matrix(pairs: Mapping[str, float]) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """(query languages, document languages, float64 (queries, documents)) of values by pair, as ``evaluate(by="pair")``
    names them; NaN where a pair is missing. In a name such as "zh-Hant-de" scripts and regions stay with their
    language: a language starts with a small letter.
    """
    split = {name: _split_pair(name) for name in pairs}
    rows = sorted({a for a, _ in split.values()})
    columns = sorted({b for _, b in split.values()})
    matrix = np.full((len(rows), len(columns)), np.nan)
    for name, value in pairs.items():
        a, b = split[name]
        matrix[rows.index(a), columns.index(b)] = value
    return rows, columns, matrix


def pair_means(pairs: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Means over pairs, each in its own pool and all weighing alike: "same" language and "cross" language, by measure,
    with how many "pairs" they are over. Two scripts or regions of one language (zh-zh-Hant) are in neither.

    pairs: measures by pair, as ``evaluate(by="pair")`` gives them.
    """
    kinds: dict[str, list[Mapping[str, float]]] = {}
    for name, values in pairs.items():
        asked, written = _split_pair(name)
        if asked == written:
            kinds.setdefault("same", []).append(values)
        elif asked.partition("-")[0] != written.partition("-")[0]:
            kinds.setdefault("cross", []).append(values)
    return {
        kind: {"pairs": len(found), **{name: fmean(values[name] for values in found) for name in found[0]}}
        for kind, found in sorted(kinds.items())
    }


def _split_pair(name: str) -> tuple[str, str]:
    parts = name.split("-")
    starts = [i for i, part in enumerate(parts) if part[:1].islower()]
    if len(starts) != 2 or starts[0] != 0:
        raise UsageError(f"'{name}' is no language pair such as de-fa")
    return "-".join(parts[: starts[1]]), "-".join(parts[starts[1] :])


def overlap(rankings: RankingByLanguage, cutoff: int = 10) -> dict[tuple[str, str], float]:
    """For each two languages, how much of their first `cutoff` results is shared: ``|A ∩ B| / |A ∪ B|`` (Jaccard
    1912), 0..1. 1 means that the answer does not depend on the language of the question. Two empty results agree."""
    tops = {lang: set(ranking[:cutoff]) for lang, ranking in rankings.items()}
    return {
        (a, b): len(tops[a] & tops[b]) / len(tops[a] | tops[b]) if tops[a] | tops[b] else 1.0
        for a, b in combinations(sorted(tops), 2)
    }


def rank_correlation(rankings: RankingByLanguage, cutoff: int = 100) -> dict[tuple[str, str], float]:
    """For each two languages, Spearman's correlation of the ranks of the documents that either finds among its first
    `cutoff`, -1..1; their mean is the mean rank correlation (MRC; arXiv 2509.06195).

    A document one side lacks has there the mean of the ranks that are left: ``(n + m + 1) / 2`` after n results, with
    m documents lacking. NaN where a side has no order to speak of (nothing found).
    """
    tops = {lang: list(ranking[:cutoff]) for lang, ranking in rankings.items()}
    return {(a, b): _spearman(tops[a], tops[b]) for a, b in combinations(sorted(tops), 2)}


def _spearman(a: Sequence[str], b: Sequence[str]) -> float:
    documents = sorted({*a, *b})
    x, y = _ranks(a, documents), _ranks(b, documents)
    dx, dy = x - x.mean() if len(x) else x, y - y.mean() if len(y) else y
    scale = float(np.sqrt((dx @ dx) * (dy @ dy)))
    return float(dx @ dy) / scale if scale else float("nan")


def _ranks(ranking: Sequence[str], documents: Sequence[str]) -> NDArray[np.float64]:
    place = {document: rank for rank, document in enumerate(ranking, start=1)}
    lacking = len(documents) - len(place)
    beyond = len(place) + (lacking + 1) / 2
    return np.array([place.get(document, beyond) for document in documents], dtype=np.float64)
