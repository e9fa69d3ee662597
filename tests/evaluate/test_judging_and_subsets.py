"""Pools, the judge's loop, parts of runs, and runs fused."""

import itertools

import pytest

from xsearch.core import BadInput, Judgment, Qrels, Run, ScoredDoc, Topic, UsageError
from xsearch.corpora.formats.qrels import read_qrels
from xsearch.corpora.formats.topics import read_topics, write_topics
from xsearch.evaluate import fuse_runs, judge, pool, shuffled, subset_qrels, subset_run, subset_topics, unjudged


def run_of(tag="r", **topics):
    return Run.of(
        (
            ScoredDoc(t.replace("__", "@"), d, float(10 - i))
            for t, docs in topics.items()
            for i, d in enumerate(docs.split())
        ),
        tag,
    )


def test_a_pool_is_what_any_run_brings_up():
    pairs = pool([run_of(t1="a b c", t2__de="x"), run_of(t1="d a", t2__fa="y z")], depth=2)
    assert pairs == [("t1", "a"), ("t1", "b"), ("t1", "d"), ("t2", "x"), ("t2", "y"), ("t2", "z")]
    assert unjudged(pairs, Qrels((Judgment("t1", "a", 0), Judgment("t2", "z", 1)))) == [
        ("t1", "b"), ("t1", "d"), ("t2", "x"), ("t2", "y"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="at least 1"):
        pool([], 0)


def test_an_assessor_sees_no_ranks():
    pairs = [("t1", str(i)) for i in range(20)] + [("t2", str(i)) for i in range(20)]
    mixed = shuffled(pairs, seed=1)
    assert mixed != pairs
    assert sorted(mixed) == sorted(pairs)
    assert [topic for topic, _ in mixed] == ["t1"] * 20 + ["t2"] * 20
    assert mixed == shuffled(pairs, seed=1)


def test_answers_are_kept_as_they_are_given(tmp_path):
    path = tmp_path / "qrels"
    path.write_text("t1 0 a 1")
    pairs = [("t1", "a"), ("t1", "b c"), ("t1", "d"), ("t2", "e"), ("t2", "f")]
    asked = []

    def ask(topic, document):
        asked.append((topic, document))
        if document == "e":
            raise KeyboardInterrupt
        return None if document == "d" else 2

    with pytest.raises(KeyboardInterrupt):
        list(judge(pairs, path, ask))
    assert read_qrels(path).topics() == {"t1": {"a": 1, "b c": 2}}
    made = list(judge(pairs, path, lambda topic, document: 0, limit=2))
    assert [(row.topic, row.document) for row in made] == [("t1", "d"), ("t2", "e")]
    assert [row.document for row in judge(pairs, path, lambda topic, document: 0)] == ["f"]
    assert asked == [("t1", "b c"), ("t1", "d"), ("t2", "e")]


def test_judging_begins_without_a_file(tmp_path):
    answers = judge([("t", "a"), ("t", "b")], tmp_path / "new", lambda topic, document: 3)
    assert next(answers) == Judgment("t", "a", 3)
    assert read_qrels(tmp_path / "new").topics() == {"t": {"a": 3}}


def test_subsets():
    topics = [Topic("t1", "a", "de"), Topic("t1", "b", "fa"), Topic("t2", "c", "de")]
    assert subset_topics(topics, ids={"t1"}, langs={"de"}) == topics[:1]
    qrels = Qrels((Judgment("t1", "1.de", 1), Judgment("t1", "1.fa", 0), Judgment("t2", "2.de", 2)))
    assert subset_qrels(qrels, topics={"t1"}, doc_langs={"de"}).topics() == {"t1": {"1.de": 1}}
    assert subset_qrels(qrels, least_grade=1).topics() == {"t1": {"1.de": 1}, "t2": {"2.de": 2}}
    assert len(subset_qrels(qrels, doc_langs={"ru"}, language={"1.fa": "ru"})) == 1
    run = run_of(t1__de="1.de 1.fa 2.de", t2="2.de")
    assert [row.document for row in subset_run(run, topics={"t1"}, doc_langs={"de"}, depth=1)] == ["1.de"]
    assert subset_run(run) == run


def test_reciprocal_rank_fusion_worked_by_hand():
    fused = fuse_runs([run_of(t="a b c"), run_of(t="b d", u="x")], "rrf")
    expected = {"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 63, "d": 1 / 62}
    found = {row.document: row.score for row in fused if row.topic == "t"}
    assert found == pytest.approx(expected, rel=1e-6)
    assert [row.document for row in fused.topics()["t"]] == ["b", "a", "d", "c"]
    assert [row.document for row in fused.topics()["u"]] == ["x"]


def test_min_max_fusion_worked_by_hand():
    first = Run.of([ScoredDoc("t", "a", 4.0), ScoredDoc("t", "b", 2.0), ScoredDoc("t", "c", 0.0)])
    second = Run.of([ScoredDoc("t", "c", 9.0), ScoredDoc("t", "a", 1.0)])
    found = {row.document: row.score for row in fuse_runs([first, second], "minmax", weights=[1, 2])}
    ratio = {name: score / found["b"] for name, score in found.items()}
    assert ratio == pytest.approx({"a": 2.0, "b": 1.0, "c": 4.0})


@pytest.mark.parametrize("method", ["rrf", "zscore", "minmax"])
def test_the_order_of_the_runs_leaves_no_trace(method):
    runs = [run_of(t="a b c d"), run_of(t="d c e"), run_of(t="b e f")]
    tops = {fuse_runs(order, method).rows for order in itertools.permutations(runs)}
    assert len(tops) == 1


@pytest.mark.parametrize("method", ["rrf", "zscore", "minmax", "roundrobin"])
def test_a_run_alone_keeps_its_order(method):
    run = run_of(t="a b c d")
    assert [row.document for row in fuse_runs([run], method)] == ["a", "b", "c", "d"]
    assert len(fuse_runs([run, run_of(t="x y")], method, depth=2)) == 2


def test_round_robin_takes_turns():
    fused = fuse_runs([run_of(t="a b c"), run_of(t="b d")], "roundrobin")
    assert [row.document for row in fused] == ["a", "b", "d", "c"]


def test_wrong_fusions():
    with pytest.raises(UsageError, match="known are rrf"):
        fuse_runs([run_of(t="a")], "fair")
    with pytest.raises(UsageError, match="1 runs and 2 weights"):
        fuse_runs([run_of(t="a")], weights=[1, 2])
    with pytest.raises(UsageError, match="at least one run"):
        fuse_runs([])


def test_topics_are_written_in_both_forms(tmp_path):
    topics = [Topic("1", 'Zeile "x"', "de"), Topic("1", "سطر", "fa"), Topic("2", "y", "fa")]
    write_topics(tmp_path / "t.jsonl", topics)
    assert read_topics(tmp_path / "t.jsonl") == topics
    write_topics(tmp_path / "t.tsv", topics[1:])
    assert read_topics(tmp_path / "t.tsv", "fa") == topics[1:]
    with pytest.raises(BadInput, match="several languages"):
        write_topics(tmp_path / "t.tsv", topics)
    with pytest.raises(BadInput, match="holds a tab"):
        write_topics(tmp_path / "t.tsv", [Topic("1", "a\tb")])
