"""Significance tests against their formulas and a brute-force count."""

import itertools
import math

import numpy as np
import pytest

from xsearch.core import Judgment, Qrels, Run, ScoredDoc, UsageError
from xsearch.evaluate import compare, compare_values, holm

pytest.importorskip("ir_measures")
pytest.importorskip("scipy.stats")

A = {"q1": 0.2, "q2": 0.5, "q3": 0.1, "q4": 0.9, "q5": 0.4, "q6": 0.6}
B = {"q1": 0.6, "q2": 0.5, "q3": 0.4, "q4": 0.8, "q5": 0.7, "q6": 0.9}


def run_of(tag, **topics):
    return Run.of(
        (
            ScoredDoc(t.replace("__", "@"), d, float(-i))
            for t, docs in topics.items()
            for i, d in enumerate(docs.split())
        ),
        tag,
    )


def test_randomisation_counts_every_sign_pattern():
    differences = [B[q] - A[q] for q in A]
    observed = abs(sum(differences))
    patterns = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
                for signs in itertools.product([1, -1], repeat=6)]  # fmt: skip
    expected = sum(value >= observed - 1e-12 for value in patterns) / len(patterns)
    assert compare_values("AP", ("a", "b"), A, B).randomisation == pytest.approx(expected)


def test_t_statistic_of_the_textbook():
    differences = np.array([B[q] - A[q] for q in A])
    t = differences.mean() / (differences.std(ddof=1) / math.sqrt(len(differences)))
    # Two-sided p of Student's t with 5 degrees of freedom, in closed form.
    angle = math.atan(abs(t) / math.sqrt(5))
    inside = (2 / math.pi) * (angle + math.sin(angle) * (math.cos(angle) + (2 / 3) * math.cos(angle) ** 3))
    assert compare_values("AP", ("a", "b"), A, B).t_test == pytest.approx(1 - inside)


def test_wins_losses_and_the_topics_that_moved_most():
    found = compare_values("AP", ("a", "b"), A, B, moved=2)
    assert (found.wins, found.ties, found.losses) == (4, 1, 1)
    assert [move.topic for move in found.moved] == ["q1", "q3"]
    assert found.difference == pytest.approx(found.other_mean - found.baseline_mean)


def test_one_topic_tells_nothing():
    found = compare_values("nDCG", ("a", "b"), {"1": 0.2}, {"1": 0.7})
    assert (found.difference, found.t_test, found.randomisation) == (pytest.approx(0.5), 1.0, 1.0)


def test_equal_runs_do_not_differ():
    found = compare_values("AP", ("a", "b"), A, A)
    assert (found.t_test, found.randomisation, found.ties, found.moved) == (1.0, 1.0, 6, ())


def test_many_topics_use_seeded_samples():
    drawn = np.random.default_rng(0)
    a = {str(i): float(v) for i, v in enumerate(drawn.random(60))}
    b = {topic: value + float(drawn.normal(0.03, 0.1)) for topic, value in a.items()}
    first, second = (compare_values("AP", ("a", "b"), a, b, seed=4) for _ in "ab")
    assert first == second
    assert first.randomisation == pytest.approx(first.t_test, abs=0.02)


def test_holm_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_runs_are_compared_over_all_judged_topics():
    qrels = Qrels(tuple(Judgment(f"t{i}", "r", 1) for i in range(4)))
    base = run_of("base", t0="r", t1="x r", t2="x r")
    better = run_of("better", t0="r", t1="r", t2="r", t3="r")
    found = compare([base, better, base], qrels, ["RR", "P@1"])
    assert [(c.measure, c.other) for c in found] == [
        ("RR", "better"),
        ("P@1", "better"),
        ("RR", "base#3"),
        ("P@1", "base#3"),
    ]
    assert {c.baseline for c in found} == {"base#1"}
    assert found[0].topics == 4
    assert (found[0].wins, found[0].ties, found[0].losses) == (3, 1, 0)
    assert found[0].randomisation == 0.25
    assert found[0].randomisation_holm == 1.0
    assert found[0].to_json()["moved"][0] == {"topic": "t3", "baseline": 0.0, "other": 1.0}


def test_wordings_are_one_observation():
    qrels = Qrels((Judgment("t1", "r", 1), Judgment("t2", "r", 1)))
    base = run_of("a", t1__de="r", t1__fr="x r", t2__de="r")
    other = run_of("b", t1__de="r", t1__fr="r", t2__de="r")
    found = compare([base, other], qrels, ["RR"])[0]
    assert (found.topics, found.wins, found.ties) == (2, 1, 1)
    assert found.moved[0].baseline == 0.75


def test_one_run_cannot_be_compared():
    with pytest.raises(UsageError, match="at least two"):
        compare([run_of("a", t="r")], Qrels((Judgment("t", "r", 1),)), ["RR"])
