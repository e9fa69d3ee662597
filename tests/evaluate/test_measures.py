"""Measures agree with trec_eval, ties and all."""

import math
import random
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import Run, ScoredDoc, UsageError
from xsearch.evaluate.measures import parse_measures, score, share_of_language

pytest.importorskip("ir_measures")
pytrec_eval = pytest.importorskip("pytrec_eval")

TREC_EVAL = {
    "nDCG@10": "ndcg_cut_10",
    "nDCG": "ndcg",
    "AP": "map",
    "R@5": "recall_5",
    "RR": "recip_rank",
    "P@3": "P_3",
    "Success@1": "success_1",
    "Bpref": "bpref",
    "Rprec": "Rprec",
    "AP@4": "map_cut_4",
}
ASKED = {"ndcg_cut.10", "ndcg", "map", "recall.5", "recip_rank", "P.3", "success.1", "bpref", "Rprec", "map_cut.4"}
DOCUMENTS = [f"d{i}" for i in range(12)] + ["é", "文", "D1"]


def rankings(run):
    return {topic: [row.document for row in rows] for topic, rows in run.topics().items()}


def trec_eval(run, judgments):
    """pytrec_eval's values, with 0 for judged topics that the run lacks (trec_eval -c) and for those with negative
    grades only, on which pytrec_eval crashes."""
    safe = {topic: grades for topic, grades in judgments.items() if max(grades.values()) >= 0}
    evaluator = pytrec_eval.RelevanceEvaluator(safe, ASKED)
    scores = {topic: {row.document: row.score for row in rows} for topic, rows in run.topics().items()}
    found = evaluator.evaluate(scores)
    return {t: {n: found.get(t, {}).get(key, 0.0) for n, key in TREC_EVAL.items()} for t in judgments}


@settings(max_examples=150, deadline=None)
@given(
    judgments=st.dictionaries(
        st.sampled_from("abc"), st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(-2, 3), min_size=1), min_size=1
    ),
    scores=st.dictionaries(
        # Halves are the same number in trec_eval's single precision and in Python's double.
        st.tuples(st.sampled_from("abcd"), st.sampled_from(DOCUMENTS)),
        st.integers(-3, 3).map(lambda n: n / 2),
    ),
)
def test_values_are_trec_evals_with_ties_and_missing_topics(judgments, scores):
    run = Run.of([ScoredDoc(topic, document, value) for (topic, document), value in scores.items()])
    found = score(rankings(run), judgments, parse_measures(TREC_EVAL))
    expected = trec_eval(run, judgments)
    assert found.keys() == judgments.keys()
    for topic in judgments:
        assert found[topic] == pytest.approx(expected[topic], abs=1e-9)


def test_deep_random_runs_with_many_ties():
    drawn = random.Random(7)
    names = [f"doc-{i}" for i in range(400)]
    judgments = {str(t): {name: drawn.choice([0, 0, 1, 2]) for name in drawn.sample(names, 60)} for t in range(20)}
    run = Run.of(ScoredDoc(str(t), n, float(drawn.randint(0, 9))) for t in range(20) for n in drawn.sample(names, 300))
    found, expected = score(rankings(run), judgments, parse_measures(TREC_EVAL)), trec_eval(run, judgments)
    for topic in judgments:
        assert found[topic] == pytest.approx(expected[topic], abs=1e-9)


def test_a_case_worked_by_hand():
    # Ranking: 3, unjudged, 1; ideal: 3, 1. nDCG = (3 + 1/2) / (3 + 1/log2(3)) with trec_eval's linear gain.
    values = score(
        {"t": ["a", "x", "b"]}, {"t": {"a": 3, "b": 1}}, parse_measures(["nDCG@10", "AP", "Judged@2", "RR@2"])
    )
    assert values["t"]["nDCG@10"] == pytest.approx(3.5 / (3 + 1 / math.log2(3)))
    assert values["t"]["AP"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["t"]["Judged@2"] == 0.5
    assert values["t"]["RR@2"] == 1.0


def test_measures_outside_trec_eval_follow_the_runs_order_too():
    run = Run.of([ScoredDoc("t", "a", 1.0), ScoredDoc("t", "b", 1.0)])
    values = score(rankings(run), {"t": {"b": 1}}, parse_measures(["Judged@1", "RR@1"]))
    assert values["t"] == {"Judged@1": 1.0, "RR@1": 1.0}


@pytest.mark.skipif(shutil.which("perl") is None, reason="gdeval is a Perl program")
def test_exponential_gain_with_any_ids_and_negative_grades():
    # Gains 2^g - 1: ranking x (-1, none), a (2): 3 / log2(3); ideal 3.
    values = score({"t é": ["x y", "a"]}, {"t é": {"x y": -1, "a": 2}}, parse_measures(["nDCG(dcg='exp-log2')@10"]))
    assert values["t é"] == {"nDCG(dcg='exp-log2')@10": pytest.approx(1 / math.log2(3), abs=1e-4)}


def test_a_measure_that_nothing_installed_computes_is_named():
    with pytest.raises(UsageError, match=r"RBP\(rel=1\): cannot be computed here"):
        score({"t": ["a"]}, {"t": {"a": 1}}, parse_measures(["RBP(rel=1)"]))


def test_names_are_kept_as_they_were_asked_for():
    measures = parse_measures(["MAP", " nDCG@10", "AP(rel=2)@100", "nDCG@10", "share_same@5"])
    assert [measure.name for measure in measures] == ["MAP", "nDCG@10", "AP(rel=2)@100", "share_same@5"]
    values = score({"t": ["a"]}, {"t": {"a": 1}}, measures)
    assert values["t"] == {"MAP": 1.0, "nDCG@10": 1.0, "AP(rel=2)@100": 0.0}


@pytest.mark.parametrize(
    "bad", ["ndcg@10", "nDCG@x", "P", "nDCG(", "P@0", "AP(__import__('os'))", "AP(x=1)@5", "", "@10"]
)
def test_bad_names(bad):
    with pytest.raises(UsageError, match="unknown measures"):
        parse_measures([bad])


def test_all_bad_names_are_reported_together_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        parse_measures(["ndcg@10", "AP", "recal@5"])
    assert "'ndcg@10' (did you mean nDCG?)" in str(caught.value)
    assert "'recal@5' (did you mean Recall?)" in str(caught.value)


def test_no_names():
    with pytest.raises(UsageError, match="no measure"):
        parse_measures([])


def test_share_of_language():
    assert share_of_language(["de", "en", "de", "de"], "de", 2) == 0.5
    assert share_of_language(["de", "en", "de"], "de", 10) == pytest.approx(2 / 3)
    assert share_of_language([], "de", 10) == 0.0
