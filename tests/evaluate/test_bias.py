"""The report on how far answers depend on the question's language, worked by hand."""

import pytest

from xsearch.core import Judgment, Qrels, Run, ScoredDoc, UsageError
from xsearch.evaluate import bias


def run_of(**topics):
    return Run.of(
        ScoredDoc(topic.replace("__", "@"), document, float(-rank))
        for topic, ranking in topics.items()
        for rank, document in enumerate(ranking.split())
    )


def test_a_report_worked_by_hand():
    run = run_of(t1__de="1.de 1.fa", t1__fa="1.fa 1.de", t2__de="2.de 3.de", t2__fa="2.fa 3.fa", t3__de="4.de")
    found = bias(run, cutoff=2, qrels=Qrels((Judgment("t1", "1.de", 1), Judgment("t2", "3.de", 2))))
    assert found.topics == 2
    assert found.overlap == {"de-fa": 0.5}
    # t1: ranks (1, 2) against (2, 1), -1; t2: (1, 2, 3.5, 3.5) against (3.5, 3.5, 1, 2), -4 / 4.5.
    assert found.correlation["de-fa"] == pytest.approx((-1 - 4 / 4.5) / 2)
    assert found.mean_overlap == 0.5
    assert found.shares == {"de": {"de": 0.75, "fa": 0.25}, "fa": {"fa": 0.75, "de": 0.25}}
    assert found.same_language == {"de": 0.75, "fa": 0.75}
    # t1: ranks 1 and 2, variance .25; t2: 2 and not found, 3, variance .25.
    assert found.rank_variance == 0.25
    assert found.to_json()["overlap"] == {"de-fa": 0.5}


def test_equal_answers_show_no_bias():
    found = bias(run_of(t1__de="a b", t1__fa="a b", t1__ru="a b"), doc_langs={"a": "de", "b": "fa"})
    assert found.mean_overlap == 1.0
    assert found.mean_correlation == pytest.approx(1.0)
    assert found.same_language == {"de": 0.5, "fa": 0.5, "ru": 0.0}
    assert found.rank_variance is None


def test_one_language_cannot_be_compared():
    with pytest.raises(UsageError, match="two languages"):
        bias(run_of(t1__de="a", t2="b"))
