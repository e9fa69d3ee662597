"""The index of token vectors against MaxSim written out: scores, candidates, masks, odd queries, threads."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from colbert_oracles import DIM, LANGS, batches_of, build, maxsim, question, read_tokens, token_batch, topics
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieve_oracles import unit

from xsearch.core import EncoderMismatch, PassageBatch, Query
from xsearch.retrieve import Colbert, ColbertWriter
from xsearch.retrieve.colbert import reader, writer
from xsearch.storage import DiskFiles


def test_few_tokens_are_kept_almost_exactly(tmp_path):
    rng = np.random.default_rng(1)
    batches = batches_of(rng, 300, 12, topics(rng))
    state = build(tmp_path, batches)
    assert (state["trained"], state["dim"]) == (0, DIM)
    for asked in (unit(rng.standard_normal((5, DIM))), unit(rng.standard_normal((1, DIM)))):
        expected, langs = maxsim(batches, asked)
        found = Colbert(tmp_path, state).search(question(asked), 20)
        np.testing.assert_allclose(found.scores, expected[found.passages], atol=0.008 * len(asked))
        for lang in LANGS:
            own = found.passages[langs[found.passages] == lang]
            best = np.sort(expected[langs == lang])[::-1][:20]
            np.testing.assert_allclose(expected[own], best, atol=0.01 * len(asked))
            mean, deviation = found.background[lang]
            assert abs(mean - expected[langs == lang].mean()) < 0.5 * expected.std()
            assert deviation == pytest.approx(expected[langs == lang].std(), rel=0.4)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_scores_are_those_of_the_files(tmp_path, small, monkeypatch, bits):
    rng = np.random.default_rng(bits)
    batches = batches_of(rng, 400, 5, topics(rng))
    state = build(tmp_path, batches, {"bits": bits})
    assert state["trained"] >= 500
    assert {entry["bits"] for entries in state["languages"].values() for entry in entries} == {bits}
    held = read_tokens(tmp_path, state)
    assert sorted(held) == list(range(400))
    monkeypatch.setattr(reader, "RESCORED", 10_000)
    for size in (1, 7):
        asked = unit(rng.standard_normal((size, DIM)))
        found = Colbert(tmp_path, state).search(question(asked), 400)
        expected = [(asked @ held[number].T).max(axis=1).sum() for number in found.passages.tolist()]
        np.testing.assert_allclose(found.scores, expected, atol=3e-4 * size)
        assert len(found) == 400
    exact = np.array([batches[0].token_vectors[i][0] for i in range(50)])
    kept = np.array([held[i][0] for i in range(50)])
    assert np.einsum("nd,nd->n", exact, kept).mean() > {1: 0.9, 2: 0.95, 4: 0.99}[bits]


def test_compiled_loops_and_numpy_agree_to_the_bit(trained, monkeypatch):
    pytest.importorskip("numba")
    folder, state, _ = trained
    rng = np.random.default_rng(3)
    monkeypatch.setattr(reader, "RESCORED", 200)
    monkeypatch.setattr(reader, "EXHAUSTIVE", 50)
    for size in (1, 9, 33):
        asked = unit(rng.standard_normal((size, DIM)))
        found = []
        for least in (10**9, 0):
            monkeypatch.setattr(reader, "COMPILED", least)
            found.append(Colbert(folder, state).search(question(asked), 30))
        assert np.array_equal(found[0].passages, found[1].passages)
        assert np.array_equal(found[0].scores, found[1].scores)
        assert dict(found[0].background) == dict(found[1].background)


def recall(folder, state, asked, depth, allowed=None):
    """Of the best `depth` of each language by the codes themselves, the share that a search finds."""
    found = Colbert(folder, state).search(question(asked), depth, allowed)
    kept, reader.RESCORED = reader.RESCORED, 10**6
    try:
        whole = Colbert(folder, state).search(question(asked), depth, allowed)
    finally:
        reader.RESCORED = kept
    return len(np.intersect1d(found.passages, whole.passages)) / len(whole)


def test_candidates_hold_the_best(trained, monkeypatch):
    folder, state, _ = trained
    rng = np.random.default_rng(7)
    monkeypatch.setattr(reader, "RESCORED", 180)
    monkeypatch.setattr(reader, "EXHAUSTIVE", 60)
    queries = [unit(topics(np.random.default_rng(5))[rng.integers(0, 40, 6)]) for _ in range(10)]
    assert np.mean([recall(folder, state, asked, 20) for asked in queries]) > 0.95
    for share in (0.5, 0.2):
        allowed = rng.random(1560) < share
        assert np.mean([recall(folder, state, asked, 20, allowed) for asked in queries]) > 0.95
    monkeypatch.setattr(reader, "PROBES", 1)
    assert np.mean([recall(folder, state, asked, 20) for asked in queries]) < 0.95


def test_a_query_may_ask_for_every_passage(trained, monkeypatch):
    folder, state, _ = trained
    asked = unit(np.random.default_rng(8).standard_normal((4, DIM)))
    expected = Colbert(folder, state).search(question(asked), 30)
    monkeypatch.setattr(reader, "PROBES", 1)
    monkeypatch.setattr(reader, "RESCORED", 1)
    monkeypatch.setattr(reader, "EXHAUSTIVE", 10)
    monkeypatch.setattr(reader, "AT_ONCE", 64)
    few = Colbert(folder, state).search(question(asked), 30)
    whole = Colbert(folder, state).search(replace(question(asked), exact=True), 30)
    assert np.array_equal(whole.passages, expected.passages)
    assert np.array_equal(whole.scores, expected.scores)
    assert len(np.setdiff1d(expected.passages, few.passages))


@pytest.mark.parametrize("share", [0.9, 0.1, 0.01, 0.0])
def test_a_mask_costs_no_hit(trained, monkeypatch, share):
    folder, state, batches = trained
    monkeypatch.setattr(reader, "RESCORED", 1)
    monkeypatch.setattr(reader, "EXHAUSTIVE", 10)
    rng = np.random.default_rng(int(100 * share))
    allowed = rng.random(1560) < share
    langs = np.array([lang for batch in batches for lang in batch.langs])
    # Far from every theme: probing alone finds few.
    asked = unit(rng.standard_normal((2, DIM)))
    found = Colbert(folder, state).search(question(asked), 40, allowed)
    assert allowed[found.passages].all()
    for lang in LANGS:
        assert (langs[found.passages] == lang).sum() == min(40, (allowed & (langs == lang)).sum())
    some = Colbert(folder, state).search(question(asked), 40, allowed, langs=["fa", "xx"])
    assert set(langs[some.passages]) <= {"fa"}
    assert list(some.background) == ["fa"]


def test_later_passages_change_no_score(trained):
    folder, state, _ = trained
    rng = np.random.default_rng(9)
    asked = unit(rng.standard_normal((6, DIM)))
    before = Colbert(folder, state).search(question(asked), 2000)
    more = batches_of(rng, 200, 10, topics(rng))
    for batch in more:
        batch.numbers[:] += 1560
    later = build(folder, more, state, high_water=1560)
    after = Colbert(folder, later).search(question(asked), 2000)
    scores = dict(zip(after.passages.tolist(), after.scores.tolist(), strict=True))
    assert len(after) == 1760
    assert [scores[number] for number in before.passages.tolist()] == before.scores.tolist()
    again = Colbert(folder, state).search(question(asked), 2000)
    assert np.array_equal(again.scores, before.scores)


def test_empty_texts_single_tokens_and_empty_queries(tmp_path):
    rng = np.random.default_rng(1)
    vectors = [unit(rng.standard_normal((count, DIM))) for count in (1, 1, 3, 2)]
    vectors[3][1] = 0
    empty = np.empty((0, DIM), np.float32)
    state = build(tmp_path, [token_batch(range(6), ["en"] * 5 + ["de"], [vectors[0], empty, *vectors[1:], empty])])
    found = Colbert(tmp_path, state)
    assert found.languages() == ["en"]
    asked = unit(rng.standard_normal((2, DIM)))
    ranking = found.search(question(asked), 10)
    assert sorted(ranking.passages.tolist()) == [0, 2, 3, 4]
    for nothing in (Query("", ()), question(np.zeros((2, DIM))), question(empty), question(np.full((2, DIM), np.nan))):
        assert len(found.search(nothing, 10)) == 0
    # A vector that is not finite is left out, the others are asked.
    partly = np.vstack([asked, np.full((1, DIM), np.inf)])
    assert np.array_equal(found.search(question(partly), 10).scores, ranking.scores)


def test_an_index_without_vectors_finds_nothing(tmp_path):
    made = ColbertWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    made.add(token_batch([0, 1], ["en", "en"], [np.empty((0, 3))] * 2))
    state = made.flush()
    assert state["files"] == []
    for nothing in (state, {}):
        assert len(Colbert(tmp_path, nothing).search(question(np.ones((1, 3))), 5)) == 0
    build(tmp_path, [token_batch([2], ["en"], [np.ones((1, 3))])], made.flush(), high_water=2)


def test_vectors_of_another_encoder_are_refused(trained):
    folder, state, _ = trained
    with pytest.raises(EncoderMismatch, match=r"24 components.* 25"):
        Colbert(folder, state).search(question(np.ones((2, 25))), 5)
    made = ColbertWriter(folder, state, high_water=1560, files=DiskFiles())
    with pytest.raises(EncoderMismatch, match=r"24 components.* 25"):
        made.add(token_batch([1560], ["en"], [np.ones((1, 25))]))


def test_batches_must_fit(tmp_path):
    made = ColbertWriter(tmp_path, {}, high_water=10, files=DiskFiles())
    with pytest.raises(ValueError, match="ascend"):
        made.add(token_batch([5], ["en"], [np.ones((1, 4))]))
    with pytest.raises(ValueError, match="vectors of its tokens"):
        made.add(PassageBatch(np.array([10]), ["en"], (), ()))
    with pytest.raises(ValueError, match="not finite"):
        made.add(token_batch([11], ["en"], [np.array([[1.0, np.nan]])]))


def test_threads_get_the_same_answers(trained):
    folder, state, _ = trained
    rng = np.random.default_rng(1)
    queries = [question(part) for part in unit(rng.standard_normal((40, DIM))).reshape(10, 4, DIM)]
    alone = Colbert(folder, state)
    expected = [alone.search(query, 10) for query in queries]
    shared, wrong = Colbert(folder, state), []

    def work():
        for query, right in zip(queries, expected, strict=True):
            found = shared.search(query, 10)
            if not (np.array_equal(found.passages, right.passages) and np.array_equal(found.scores, right.scores)):
                wrong.append(query)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4), st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 20, 10**6]), st.integers(1, 12), st.one_of(st.none(), st.floats(0, 1)),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_any_shape(tmp_path_factory, seed, passages, commits, bits, trained_from, depth, share):
    rng = np.random.default_rng(seed)
    batches = batches_of(rng, passages, min(commits, passages), topics(rng, 5))
    folder = tmp_path_factory.mktemp("shape")
    before, writer.TRAINED_FROM = writer.TRAINED_FROM, trained_from
    try:
        state = build(folder, batches, {"bits": bits})
    finally:
        writer.TRAINED_FROM = before
    allowed = np.ones(passages, np.bool_) if share is None else rng.random(passages) < share
    asked = unit(rng.standard_normal((3, DIM)))
    found = Colbert(folder, state).search(question(asked), depth, None if share is None else allowed)
    langs = np.array([lang for batch in batches for lang in batch.langs])
    held = read_tokens(folder, state)
    expected = {number: (asked @ vectors.T).max(axis=1).sum() for number, vectors in held.items()}
    for lang in LANGS:
        own = [number for number in found.passages.tolist() if langs[number] == lang]
        best = sorted((value for number, value in expected.items() if langs[number] == lang and allowed[number]))
        np.testing.assert_allclose([expected[number] for number in own], best[::-1][:depth], atol=3e-3)
