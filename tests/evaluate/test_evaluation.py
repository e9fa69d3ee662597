"""Evaluation by topic, language and pair."""

import json
import math
import random
import sys

import pytest

from xsearch.core import BadInput, Judgment, MissingExtra, Qrels, Run, ScoredDoc, Topic, UsageError
from xsearch.evaluate import (
    Confidence,
    bootstrap_interval,
    evaluate,
    language_of_id,
    read_baseline,
    regressions,
)

pytest.importorskip("ir_measures")
pytrec_eval = pytest.importorskip("pytrec_eval")


def run_of(**topics):
    """A run from rankings by topic; ``__`` stands for ``@``."""
    return Run.of(
        ScoredDoc(topic.replace("__", "@"), document, float(-rank))
        for topic, ranking in topics.items()
        for rank, document in enumerate(ranking.split())
    )


def qrels_of(**topics):
    return Qrels(tuple(Judgment(t, d, g) for t, docs in topics.items() for d, g in docs.items()))


QRELS = qrels_of(t1={"1.de": 1, "1.fa": 1}, t2={"2.de": 1, "2.fa": 1})


def test_missing_topics_score_zero_and_unjudged_ones_are_noted():
    found = evaluate(run_of(t1="1.de x", t9="1.de"), QRELS, ["RR"])
    assert found.measures == {"RR": 0.5}
    assert found.topics == 2
    assert found.per_topic == {"t1": {"RR": 1.0}, "t2": {"RR": 0.0}}
    assert found.notes == (
        "no results for 1 of 2 topics, scored 0: t2",
        "no judgments for 1 topic of the run, left out: t9",
    )


def test_wordings_of_one_topic_each_count():
    run = run_of(t1__de="1.de", t1__fa="x 1.fa", t2__de="x y 2.de", t2__fa="2.de")
    found = evaluate(run, QRELS, ["RR"], by="query_lang")
    assert found.measures["RR"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1) / 4)
    assert found.by == {"query_lang": {"de": {"RR": pytest.approx(2 / 3)}, "fa": {"RR": 0.75}}}


def test_pairs_are_scored_each_in_its_own_pool():
    run = run_of(t1__de="1.de 2.de 2.fa 1.fa", t2__de="1.fa 1.de 2.de 2.fa", t1__fa="2.de 1.fa", t2__fa="1.de 2.de")
    found = evaluate(run, QRELS, ["RR", "P@1"], by=["pair", "doc_lang"])
    # de-fa: t1 has fa ranking [2.fa, 1.fa]; t2 has [1.fa, 2.fa]. fa-fa: [1.fa]; [].
    assert found.by["pair"] == {
        "de-de": {"RR": 0.75, "P@1": 0.5},
        "de-fa": {"RR": 0.5, "P@1": 0.0},
        "fa-de": {"RR": 0.25, "P@1": 0.0},
        "fa-fa": {"RR": 0.5, "P@1": 0.5},
    }
    assert found.by["doc_lang"] == {"de": {"RR": 0.5, "P@1": 0.25}, "fa": {"RR": 0.5, "P@1": 0.25}}
    assert found.group_topics["pair"] == {"de-de": 2, "de-fa": 2, "fa-de": 2, "fa-fa": 2}


def test_topics_with_nothing_relevant_in_a_language_do_not_count_there():
    qrels = qrels_of(t1={"1.de": 1, "1.fa": 0}, t2={"2.de": 1, "2.fa": 1})
    found = evaluate(run_of(t1="1.de", t2="2.fa"), qrels, ["RR"], by="pair", query_lang="en")
    assert found.by["pair"] == {"en-de": {"RR": 0.5}, "en-fa": {"RR": 1.0}}
    assert found.group_topics["pair"] == {"en-de": 2, "en-fa": 1}


def test_random_pairs_agree_with_trec_eval_on_filtered_files():
    drawn = random.Random(3)
    langs = ["de", "fa", "zh-Hant"]
    documents = [f"d{i}.{lang}" for i in range(30) for lang in langs]
    topics = {f"t{i}": {d: drawn.choice([0, 1, 2]) for d in drawn.sample(documents, 25)} for i in range(8)}
    run = Run.of(
        ScoredDoc(f"{topic}@{lang}", document, float(drawn.randint(0, 6)))
        for topic in topics
        for lang in langs
        for document in drawn.sample(documents, 40)
    )
    qrels = qrels_of(**topics)
    found = evaluate(run, qrels, ["nDCG@10"], by="pair")
    assert len(found.by["pair"]) == 9
    for a in langs:
        for b in langs:
            judged = {t: {d: g for d, g in docs.items() if d.endswith(f".{b}")} for t, docs in topics.items()}
            judged = {t: docs for t, docs in judged.items() if any(docs.values())}
            scores = {
                t: {r.document: r.score for r in run.topics()[f"{t}@{a}"] if r.document.endswith(f".{b}")}
                for t in judged
            }
            values = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(scores)
            expected = sum(value["ndcg_cut_10"] for value in values.values()) / len(judged)
            assert found.by["pair"][f"{a}-{b}"]["nDCG@10"] == pytest.approx(expected)


def test_topics_say_which_wordings_were_asked():
    run = run_of(t1__de="1.de", t2__fa="2.de")
    assert evaluate(run, QRELS, ["RR"]).measures["RR"] == 1.0
    asked = [Topic("t1", "…", "de"), Topic("t1", "…", "fa"), Topic("t2", "…", "fa"), Topic("t8", "…", "fa")]
    found = evaluate(run, QRELS, ["RR"], by="query_lang", topics=asked)
    assert found.measures["RR"] == pytest.approx(2 / 3)
    assert found.by["query_lang"]["fa"]["RR"] == 0.5
    only_first = evaluate(run_of(t1="1.de"), QRELS, ["RR"], topics=[Topic("t1", "…", "de")])
    assert (only_first.measures["RR"], only_first.topics) == (1.0, 1)


def test_an_empty_run_scores_zero():
    assert evaluate(Run("r", ()), QRELS, ["RR"]).measures == {"RR": 0.0}


def test_wordings_without_a_language_and_an_empty_run_over_several():
    asked = [Topic("t1", "…"), Topic("t1", "…", "fa")]
    found = evaluate(run_of(t1__und="1.de", t1__fa="1.fa"), QRELS, ["RR"], topics=asked)
    assert (found.topics, found.notes) == (2, ())
    empty = evaluate(Run("r", ()), QRELS, ["RR"], topics=asked, by="query_lang")
    assert empty.by["query_lang"] == {"fa": {"RR": 0.0}, "und": {"RR": 0.0}}
    with pytest.raises(UsageError, match="nothing to score"):
        evaluate(Run("r", ()), QRELS, ["RR"], topics=[Topic("t9", "…")])


def test_without_ir_measures_the_way_to_get_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtra, match=r"pip install 'xsearch-clir\[eval\]'"):
        evaluate(run_of(t1="1.de"), QRELS, ["RR"])


def test_a_run_of_other_topics_is_an_error():
    with pytest.raises(UsageError, match="the run has 'other', the qrels have 't1'"):
        evaluate(run_of(other="1.de"), QRELS, ["RR"])


def test_topic_ids_may_hold_an_at_sign():
    found = evaluate(run_of(t1__de="1.de"), Qrels((Judgment("t1@de", "1.de", 1),)), ["RR"], by="query_lang")
    assert found.by["query_lang"] == {"und": {"RR": 1.0}}


def test_the_index_knows_languages_better_than_ids():
    found = evaluate(run_of(t1="a b"), qrels_of(t1={"a": 1, "b": 1, "c.de": 1}), ["P@1"], by="doc_lang",
                     doc_langs={"a": "ru", "b": "uk"})  # fmt: skip
    assert found.by["doc_lang"] == {"de": {"P@1": 0.0}, "ru": {"P@1": 1.0}, "uk": {"P@1": 1.0}}
    found = evaluate(run_of(t1="a b"), qrels_of(t1={"a": 1}), ["P@1"], by="doc_lang", doc_langs=lambda _: None)
    assert found.by["doc_lang"] == {"und": {"P@1": 1.0}}


@pytest.mark.parametrize(
    ("name", "lang"),
    [("d1.de", "de"), ("x.y.zh-Hant", "zh-Hant"), ("x.pt-BR", "pt-BR"), ("x.sr-Latn", "sr-Latn"), ("x.ceb", "ceb"),
     ("a.txt", "und"), ("notes.md", "und"), ("page.html", "und"), ("no-dot", "und"), ("de", "und"), ("x.xx", "und"),
     ("x.DE", "und"), ("x.", "und"), ("", "und")],
)  # fmt: skip
def test_language_of_an_id(name, lang):
    assert language_of_id(name) == lang


def test_share_of_the_querys_language():
    found = evaluate(run_of(t1__de="1.de 1.fa 2.fa 3.fa", t1__fa="1.fa 2.fa"), QRELS, ["share_same@10", "RR"],
                     by=["query_lang", "pair"], topics=[Topic("t1", "…", "de"), Topic("t1", "…", "fa")])  # fmt: skip
    assert found.measures["share_same@10"] == pytest.approx((0.25 + 1) / 2)
    assert found.by["query_lang"]["de"]["share_same@10"] == 0.25
    assert "share_same@10" not in found.by["pair"]["de-de"]


def test_fairness_is_a_measure_too():
    # Ranks de 1, 3 and fa 2, 4: see test_fairness. The other topic's documents share one rank: fair.
    qrels = qrels_of(t1={"1.de": 1, "2.de": 1, "1.fa": 1, "2.fa": 1}, t2={"3.de": 1, "3.fa": 1})
    pytest.importorskip("scipy.stats")
    found = evaluate(run_of(t1="1.de 1.fa 2.de 2.fa"), qrels, ["PEER@20", "PEER"])
    assert found.per_topic["t1"]["PEER@20"] == pytest.approx(math.erfc(math.sqrt(0.3)))
    assert found.per_topic["t2"]["PEER@20"] == 1.0
    assert found.measures["PEER"] == found.measures["PEER@20"]


def test_unknown_breakdown():
    with pytest.raises(UsageError, match="unknown breakdown 'lang'"):
        evaluate(run_of(t1="1.de"), QRELS, ["RR"], by="lang")


def test_json_form():
    found = evaluate(run_of(t1__de="1.fa", t2__de="2.fa"), QRELS, ["nDCG@10"], by="pair")
    form = json.loads(json.dumps(found.to_json()))
    assert form["measures"] == {"nDCG@10": pytest.approx(0.6131, abs=1e-4)}
    assert form["by"] == {"pair": {"de-de": {"nDCG@10": 0.0}, "de-fa": {"nDCG@10": 1.0}}}
    assert "per_topic" not in form
    assert found.to_json(per_topic=True)["per_topic"].keys() == {"t1@de", "t2@de"}


def test_intervals_are_reproducible_and_hold_the_mean():
    drawn = random.Random(5)
    topics = {f"t{i}": {f"d{i}.de": 1} for i in range(40)}
    run = run_of(**{t: " ".join(drawn.sample([*docs, "x.de", "y.de"], 3)) for t, docs in topics.items()})
    results = [
        evaluate(run, qrels_of(**topics), ["RR"], by="doc_lang", confidence=Confidence(seed=1, groups=True))
        for _ in "ab"
    ]
    assert results[0] == results[1]
    low, high = results[0].intervals["RR"]
    assert low < results[0].measures["RR"] < high
    assert results[0].by_intervals["doc_lang"]["de"]["RR"] == (low, high)
    assert "intervals" in results[0].to_json()


def test_the_bootstrap_agrees_with_the_normal_approximation():
    drawn = random.Random(1)
    values = [drawn.random() for _ in range(400)]
    low, high = bootstrap_interval(values, [str(i) for i in range(400)], samples=4000)
    mean = sum(values) / 400
    error = (sum((v - mean) ** 2 for v in values) / 400 / 400) ** 0.5
    assert low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_wordings_of_one_topic_are_drawn_together():
    values = [0.0, 1.0] * 50
    alone = bootstrap_interval(values, [str(i) for i in range(100)])
    in_fifties = bootstrap_interval(sorted(values), ["a"] * 50 + ["b"] * 50)
    assert alone[1] - alone[0] < 0.25
    assert in_fifties == (0.0, 1.0)


def test_regressions(tmp_path):
    base = evaluate(run_of(t1__de="1.fa", t2__de="2.fa"), QRELS, ["RR"], by="pair").to_json()
    path = tmp_path / "base.json"
    path.write_text(json.dumps(base))
    worse = evaluate(run_of(t1__de="1.fa", t2__de="x.fa 2.fa"), QRELS, ["RR"], by="pair").to_json()
    assert regressions(base, read_baseline(path)) == []
    found = regressions(worse, read_baseline(path))
    assert [(r.where, r.expected, r.found) for r in found] == [("RR", 1.0, 0.75), ("pair de-fa RR", 1.0, 0.75)]
    assert regressions(worse, base, tolerance=0.25) == []
    assert regressions(base, worse) == []
    assert regressions({"measures": {}}, {"measures": {"AP": 0.1}})[0].found is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"measures": 3}', '{"measures": {"AP": "x"}}', '{"measures":{"AP":{}}}']
)
def test_a_file_that_is_no_baseline(tmp_path, text):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="no baseline"):
        read_baseline(path)
