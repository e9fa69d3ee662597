"""Is one run better than another: paired tests over topics, corrected for how many were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Qrels, Run, Topic, UsageError
from xsearch.core.extras import need
from xsearch.evaluate.evaluation import evaluate

TIE = 1e-9
"""Two values closer than this are the same value computed in another order."""


@dataclass(frozen=True, slots=True)
class Move:
    """A topic's value in the baseline and in the other run."""

    topic: str
    baseline: float
    other: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run against the baseline by one measure, over the topics that both are scored on.

    baseline, other: tags. means, and difference (other - baseline). wins, ties, losses: topics where the other run is
    better, the same, worse. t_test, randomisation: two-sided p values; 1 where nothing differs. t_test_holm,
    randomisation_holm: the same after Holm's correction over all comparisons made together. moved: the topics that
    differ most, by size.
    """

    measure: str
    baseline: str
    other: str
    topics: int
    baseline_mean: float
    other_mean: float
    difference: float
    wins: int
    ties: int
    losses: int
    t_test: float
    randomisation: float
    t_test_holm: float
    randomisation_holm: float
    moved: tuple[Move, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain dictionaries and lists."""
        return asdict(self)


def compare(
    runs: Sequence[Run],
    qrels: Qrels,
    measures: Iterable[str],
    *,
    topics: Sequence[Topic] | None = None,
    moved: int = 5,
    seed: int = 0,
) -> list[Comparison]:
    """Every run after the first against the first, by every measure.

    A topic that one run lacks scores 0 there. Wordings of one topic in several languages are averaged first: they are
    one observation, not several. `moved` is how many topics to name. Raises `UsageError` for fewer than two runs.
    """
    if len(runs) < 2:
        raise UsageError("a comparison needs at least two runs")
    names = list(dict.fromkeys(measures))
    scored = [_by_topic(run, qrels, names, topics) for run in runs]
    found = [
        compare_values(name, labels, {t: v[name] for t, v in scored[0].items()}, {t: v[name] for t, v in other.items()},
                       moved=moved, seed=seed)
        for labels, other in zip(_labels(runs), scored[1:], strict=True)
        for name in names
    ]  # fmt: skip
    by_t = holm([row.t_test for row in found])
    by_randomisation = holm([row.randomisation for row in found])
    return [
        replace(row, t_test_holm=t, randomisation_holm=r)
        for row, t, r in zip(found, by_t, by_randomisation, strict=True)
    ]


def _labels(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """(baseline's, other's) tags, numbered where several runs share one."""
    tags = [run.tag for run in runs]
    labels = [f"{tag}#{i}" if tags.count(tag) > 1 else tag for i, tag in enumerate(tags, start=1)]
    return [(labels[0], label) for label in labels[1:]]


def _by_topic(
    run: Run, qrels: Qrels, names: Sequence[str], topics: Sequence[Topic] | None
) -> dict[str, dict[str, float]]:
    judged = {row.topic for row in qrels}
    found: dict[str, list[dict[str, float]]] = {}
    for unit, values in evaluate(run, qrels, names, topics=topics).per_topic.items():
        topic = unit if unit in judged else unit.rpartition("@")[0]
        found.setdefault(topic, []).append(values)
    return {
        topic: {name: sum(values[name] for values in wordings) / len(wordings) for name in names}
        for topic, wordings in found.items()
    }


def compare_values(
    measure: str,
    labels: tuple[str, str],
    baseline: Mapping[str, float],
    other: Mapping[str, float],
    *,
    moved: int = 5,
    seed: int = 0,
) -> Comparison:
    """One comparison of values by topic; a topic only one side has counts 0 on the other. The Holm values are the
    uncorrected ones: this is a family of one."""
    topics = sorted(baseline.keys() | other.keys())
    a = np.array([baseline.get(topic, 0.0) for topic in topics])
    b = np.array([other.get(topic, 0.0) for topic in topics])
    difference = np.where(np.abs(b - a) < TIE, 0.0, b - a)
    t, randomisation = _t_test(difference), _randomisation(difference, seed)
    order = sorted(np.flatnonzero(difference), key=lambda i: (-abs(difference[i]), topics[i]))
    return Comparison(
        measure=measure,
        baseline=labels[0],
        other=labels[1],
        topics=len(topics),
        baseline_mean=float(a.mean()),
        other_mean=float(b.mean()),
        difference=float(b.mean() - a.mean()),
        wins=int((difference > 0).sum()),
        ties=int((difference == 0).sum()),
        losses=int((difference < 0).sum()),
        t_test=t,
        randomisation=randomisation,
        t_test_holm=t,
        randomisation_holm=randomisation,
        moved=tuple(Move(topics[i], float(a[i]), float(b[i])) for i in order[:moved]),
    )


def _t_test(difference: NDArray[np.float64]) -> float:
    """Two-sided paired t-test (Student 1908)."""
    if len(difference) < 2 or not difference.any():
        return 1.0
    if np.ptp(difference) == 0:
        return 0.0
    stats = need("scipy.stats", "eval", "significance tests")
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def _randomisation(difference: NDArray[np.float64], seed: int, samples: int = 9999) -> float:
    """Two-sided paired randomisation test (Fisher 1935; for retrieval Smucker, Allan and Carterette, CIKM 2007): how
    often the mean difference is at least as large when each topic's sign is drawn at random. Exact where there are no
    more than `samples` sign patterns."""
    if len(difference) < 2 or not difference.any():
        return 1.0
    stats = need("scipy.stats", "eval", "significance tests")
    result = stats.permutation_test(
        (difference,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=samples,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979), in the order given: with p sorted upwards and m of them, the i-th (from 0)
    becomes ``max over j <= i of min(1, (m - j) · p_j)``."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for step, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - step) * p_values[i]))
        corrected[i] = highest
    return corrected
