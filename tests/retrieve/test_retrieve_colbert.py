"""The index of token vectors against MaxSim written out: codes by hand, scores, candidates, masks, commits, crashes."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieve_oracles import RecordedFiles, fingerprint, unit

from xsearch.core import EncoderMismatch, IndexDamaged, PassageBatch, Query, TokenVectors
from xsearch.core.extras import have
from xsearch.retrieve import Colbert, ColbertWriter
from xsearch.retrieve.colbert import centroids, codebook, reader, writer
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

LANGS = ("de", "en", "fa")
DIM = 24


def topics(rng, count=40, dim=DIM):
    return rng.standard_normal((count, dim))


def batches_of(rng, passages, commits, themes, langs=LANGS, most=9):
    """Passages of 1 to `most` tokens that lie around themes, which passages of all languages share."""
    counts = rng.integers(1, most + 1, passages)
    starts = np.concatenate(([0], np.cumsum(counts)))
    vectors = unit(themes[rng.integers(0, len(themes), starts[-1])] + 0.4 * rng.standard_normal((starts[-1], DIM)))
    spoken = rng.choice(langs, passages).tolist()
    return [
        token_batch(part, [spoken[n] for n in part], [vectors[starts[n] : starts[n + 1]] for n in part])
        for part in np.array_split(np.arange(passages), commits)
    ]


def token_batch(numbers, langs, vectors):
    starts = np.concatenate(([0], np.cumsum([len(part) for part in vectors])))
    held = TokenVectors(np.concatenate([np.empty((0, vectors[0].shape[1])), *vectors]).astype(np.float32), starts)
    return PassageBatch(np.asarray(numbers, dtype=np.int64), langs, (), (), token_vectors=held)


def build(folder, batches, state=None, high_water=0, files=None):
    """Commit each batch on its own; the last state."""
    state = state or {}
    for batch in batches:
        made = ColbertWriter(folder, state, high_water=high_water, files=files or DiskFiles())
        made.add(batch)
        state = made.flush()
        made.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def question(vectors):
    return Query("", (), vectors={"colbert": np.asarray(vectors, dtype=np.float32)})


def maxsim(batches, asked):
    """(scores, languages) of all passages by the definition, in float64."""
    scores, langs = [], []
    for batch in batches:
        for i, lang in enumerate(batch.langs):
            scores.append((asked.astype(np.float64) @ batch.token_vectors[i].T.astype(np.float64)).max(axis=1).sum())
            langs.append(lang)
    return np.array(scores), np.array(langs)


def read_tokens(folder, state):
    """Number → vectors of its tokens, float64, read from the files byte by byte as FORMAT.md has them."""
    found = {}
    if state["trained"]:
        content = (folder / f"{state['trained']}.codebook").read_bytes()
        k, dim, buckets = np.frombuffer(content[8:32], "<i8").tolist()
        middles = np.frombuffer(content[32 : 32 + 2 * k * dim], "<i2").reshape(k, dim)
        weights = np.frombuffer(content[32 + 2 * k * dim :], "<i2")
        assert len(weights) == buckets
    for lang, entries in state["languages"].items():
        for entry in entries:
            ending = "whole" if entry["bits"] == 8 else "tokens"
            content = (folder / lang / f"{entry['first']}-{entry['last']}.{ending}").read_bytes()
            n, t, w, _, _, c, _ = np.frombuffer(content[8:64], "<i8").tolist()
            at = 64
            numbers = np.frombuffer(content, "<i8", n, at)
            starts = np.frombuffer(content, "<i8", n + 1, at + 8 * n)
            at += 8 * (2 * n + 1)
            codes = np.frombuffer(content, "u1", t * w, at).reshape(t, w)
            at += -(-t * w // 8) * 8
            cells = np.frombuffer(content, f"<u{c}", t, at) if c else None
            for row, number in enumerate(numbers.tolist()):
                vectors = []
                for token in range(starts[row], starts[row + 1]):
                    if cells is None:
                        vector = codes[token].astype(float) - 128
                    else:
                        bits = "".join(f"{byte:08b}" for byte in codes[token])
                        each = entry["bits"]
                        chosen = [int(bits[d * each : (d + 1) * each], 2) for d in range(state["dim"])]
                        vector = middles[cells[token]].astype(float) + weights[chosen]
                    vectors.append(vector / np.linalg.norm(vector))
                found[number] = np.array(vectors)
    return found


@pytest.fixture
def small(monkeypatch):
    """A codebook from few tokens on."""
    monkeypatch.setattr(writer, "TRAINED_FROM", 500)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An index with a codebook: 1,500 passages, one commit and three small ones behind it."""
    rng = np.random.default_rng(5)
    batches = batches_of(rng, 1500, 1, topics(rng))
    later = batches_of(rng, 60, 3, topics(np.random.default_rng(5)))
    for batch in later:
        batch.numbers[:] += 1500
    folder = tmp_path_factory.mktemp("colbert")
    before, writer.TRAINED_FROM = writer.TRAINED_FROM, 500
    try:
        state = build(folder, [*batches, *later])
    finally:
        writer.TRAINED_FROM = before
    return folder, state, [*batches, *later]


def test_bits_are_packed_from_the_highest():
    assert codebook.pack(np.array([[1, 0, 1, 1, 0, 0, 0, 1, 1]], np.uint8), 1).tolist() == [[0b10110001, 0b10000000]]
    assert codebook.pack(np.array([[3, 0, 1, 2, 2]], np.uint8), 2).tolist() == [[0b11000110, 0b10000000]]
    assert codebook.pack(np.array([[15, 1, 8]], np.uint8), 4).tolist() == [[0xF1, 0x80]]
    assert codebook.pack(np.array([[7, 255]], np.uint8), 8).tolist() == [[7, 255]]


@given(st.sampled_from([1, 2, 4, 8]), st.lists(st.integers(0, 255), min_size=1, max_size=40))
def test_packing_loses_nothing(bits, numbers):
    buckets = (np.array([numbers]) % (1 << bits)).astype(np.uint8)
    packed = codebook.pack(buckets, bits)
    assert packed.shape[1] == -(-len(numbers) * bits // 8)
    unpacked = codebook.unpack(packed, bits)
    assert np.array_equal(unpacked[:, : len(numbers)], buckets)
    assert not unpacked[:, len(numbers) :].any()


def test_a_vector_by_hand():
    middles = np.array([[0, 0, 0, 0, 0], [1000, -500, 0, 0, 1200]], np.int16)
    book = codebook.Codebook(middles, np.array([-200, -50, 50, 200], np.int16))
    vector = np.array([[1100, -530, 20, -300, 1350]]) / 2048
    length = np.linalg.norm(vector * 2048)
    codes = book.encode(vector.astype(np.float32), np.array([1]))
    # Scaled to length 2048 the residuals are about 182, -69, 21, -322 and 250 in five components.
    residuals = vector[0] * 2048 * 2048 / length - middles[1]
    nearest = [int(np.abs(np.array([-200, -50, 50, 200]) - r).argmin()) for r in residuals]
    assert nearest == [3, 1, 2, 0, 3]
    assert codes.tolist() == [[0b11011000, 0b11000000]]
    assert book.decode(np.array([1]), codes).tolist() == [[1200, -550, 50, -200, 1400]]
    assert book.width == 2


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_weights_beat_the_quantiles_they_start_from(bits):
    rng = np.random.default_rng(bits)
    middles = unit(rng.standard_normal((8, DIM)))
    cells = rng.integers(0, 8, 4000)
    vectors = unit(middles[cells] + 0.05 * rng.standard_normal((4000, DIM)))
    book = codebook.learn_codebook(middles, vectors, cells, bits)
    residuals = (np.rint(vectors * 2048) - np.rint(middles * 2048)[cells]).ravel()
    quantiles = np.quantile(residuals, (np.arange(1 << bits) + 0.5) / (1 << bits))

    def error(weights):
        return np.square(residuals[:, None] - weights).min(axis=1).mean()

    assert error(book.weights) <= error(quantiles) + 0.5
    # Best for a normal distribution (Max 1960): 0.3634, 0.1175 and 0.009497 of its variance.
    best = {1: 0.3634, 2: 0.1175, 4: 0.009497}[bits]
    assert error(book.weights) / residuals.var() == pytest.approx(best, rel=0.12)
    decoded = book.decode(cells, book.encode(vectors, cells)) / 2048
    assert np.square(decoded - vectors).mean() * 2048**2 == pytest.approx(error(book.weights), rel=0.05)


def test_the_number_of_centroids_is_colberts():
    assert [centroids.centroid_count(n) for n in (0, 1, 4, 1 << 16, 1 << 20, 600_000_000)] == [
        1, 16, 32, 4096, 16384, 262144,
    ]  # fmt: skip


@pytest.mark.parametrize("faiss", [True, False])
def test_centroids_are_the_means_of_what_is_near(monkeypatch, faiss):
    if faiss:
        pytest.importorskip("faiss")
    monkeypatch.setattr(centroids, "have", lambda name: faiss)
    rng = np.random.default_rng(2)
    middles = unit(rng.standard_normal((50, DIM)))
    vectors = (middles[np.arange(5000) % 50] + 0.02 * rng.standard_normal((5000, DIM))).astype(np.float32)
    errors = {}
    for flat in (1024, 16):
        monkeypatch.setattr(centroids, "FLAT", flat)
        found = centroids.kmeans(vectors, 64)
        assert found.shape == (64, DIM)
        errors[flat] = np.square(vectors[:, None] - found[None]).sum(axis=2).min(axis=1).mean()
        nearest = centroids.Nearest(found).find(vectors)
        exact = np.square(vectors[:, None] - found[None]).sum(axis=2).argmin(axis=1)
        assert (nearest == exact).mean() > (0.999 if flat == 1024 else 0.95)
        assert np.array_equal(centroids.kmeans(vectors, 64), found)
    variance = np.square(vectors - vectors.mean(axis=0)).sum(axis=1).mean()
    assert errors[1024] < 0.2 * variance
    assert errors[16] < 1.5 * errors[1024] + 0.02 * variance
    assert len(centroids.kmeans(vectors[:7], 64)) == 7


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


def test_commits_do_not_show_before_there_is_a_codebook(tmp_path):
    rng = np.random.default_rng(8)
    batches = batches_of(rng, 300, 30, topics(rng))
    many = build(tmp_path / "many", batches)
    assert max(len(entries) for entries in many["languages"].values()) <= writer.MAX_SEGMENTS
    made = ColbertWriter(tmp_path / "one", {}, high_water=0, files=DiskFiles())
    for batch in batches:
        made.add(batch)
    one = made.flush()
    for asked in unit(rng.standard_normal((12, DIM))).reshape(3, 4, DIM):
        left, right = (
            Colbert(tmp_path / name, state).search(question(asked), 25)
            for name, state in (("many", many), ("one", one))
        )
        assert np.array_equal(left.passages, right.passages)
        assert np.array_equal(left.scores, right.scores)
        assert dict(left.background) == dict(right.background)


def test_segments_written_ahead_of_the_flush_are_encoded_too(tmp_path, small, monkeypatch):
    rng = np.random.default_rng(4)
    batches = batches_of(rng, 400, 8, topics(rng))
    states = {}
    for name, size in (("early", 3000), ("late", 1 << 28)):
        monkeypatch.setattr(writer, "BUFFER_BYTES", size)
        made = ColbertWriter(tmp_path / name, {}, high_water=0, files=DiskFiles())
        for batch in batches:
            made.add(batch)
        assert any((tmp_path / name).rglob("*.whole")) == (name == "early")
        states[name] = made.flush()
        assert states[name]["trained"]
        assert not any(file.endswith(".whole") for file in states[name]["files"])
    asked = unit(rng.standard_normal((5, DIM)))
    left, right = (Colbert(tmp_path / name, state).search(question(asked), 400) for name, state in states.items())
    assert np.array_equal(left.passages, right.passages)
    assert np.array_equal(left.scores, right.scores)


def test_a_reader_keeps_its_snapshot_and_writes_nothing(tmp_path, small):
    rng = np.random.default_rng(9)
    batches = batches_of(rng, 400, 12, topics(rng))
    state = build(tmp_path, batches[:2])
    before, asked = fingerprint(tmp_path), question(unit(rng.standard_normal((4, DIM))))
    early = Colbert(tmp_path, state)
    expected = early.search(asked, 20)
    assert fingerprint(tmp_path) == before
    later = build(tmp_path, batches[2:], state, high_water=int(batches[2].numbers[0]))
    for name in set(state["files"]) - set(later["files"]):
        os.unlink(tmp_path / name)
    again = early.search(asked, 20)
    assert np.array_equal(again.passages, expected.passages)
    assert np.array_equal(again.scores, expected.scores)


def test_every_flushed_file_survives_a_power_cut(tmp_path, small):
    files = RecordedFiles()
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 200, 10, topics(rng)), files=files)
    assert state["trained"]
    assert files.unsafe(tmp_path, state["files"]) == []


POINTS = tuple(
    f"retrieve.colbert.{step}"
    for step in ("flush.before", "flush.trained", "write.before", "write.after", "flush.merged", "flush.after")
)


@pytest.mark.parametrize("point", POINTS)
def test_what_a_crash_left_is_dropped(tmp_path, small, monkeypatch, point):
    rng = np.random.default_rng(10)
    batches = batches_of(rng, 240, 12, topics(rng))
    at = 8 if point.endswith("merged") else 1
    state = build(tmp_path, batches[:at])
    asked = question(unit(rng.standard_normal((4, DIM))))
    expected = Colbert(tmp_path, state).search(asked, 50)
    reached = []

    def crash(name):
        reached.append(name)
        if name == point:
            raise Crash

    made = ColbertWriter(tmp_path, state, high_water=20 * at, files=DiskFiles())
    if point.endswith("trained"):
        monkeypatch.setattr(writer, "TRAINED_FROM", 50)
    made.add(batches[at])
    monkeypatch.setattr(writer, "reach", crash)
    with pytest.raises(Crash):
        made.flush()
    assert reached[-1] == point
    monkeypatch.setattr(writer, "reach", lambda name: None)
    found = Colbert(tmp_path, state).search(asked, 50)
    assert np.array_equal(found.scores, expected.scores)
    whole = build(tmp_path, batches[at:], state, high_water=20 * at)
    assert len(Colbert(tmp_path, whole).search(asked, 1000)) == 240


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
    assert [len(part) for part in found.search_many([question(asked), Query("", ())], 2)] == [2, 0]


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


@pytest.mark.parametrize("ending", ["codebook", "tokens", "whole"])
@pytest.mark.parametrize("harm", ["remove", "truncate", "lengthen", "swap"])
def test_missing_or_altered_files_are_damage(tmp_path, monkeypatch, ending, harm):
    monkeypatch.setattr(writer, "TRAINED_FROM", 10**9 if ending == "whole" else 100)
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 90, 2, topics(rng), langs=("en",)))
    victims = [tmp_path / name for name in state["files"] if name.endswith(ending)]
    if harm == "remove":
        victims[0].unlink()
    elif harm == "truncate":
        os.truncate(victims[0], victims[0].stat().st_size - 8)
    elif harm == "lengthen":
        victims[0].write_bytes(victims[0].read_bytes() + bytes(8))
    else:
        other = victims[1] if len(victims) > 1 else next(tmp_path.rglob("*.tokens"))
        victims[0].write_bytes(other.read_bytes())
    with pytest.raises(IndexDamaged, match=r"check --repair"):
        Colbert(tmp_path, state)


@pytest.mark.parametrize("compiled", [True, False])
def test_codes_that_point_nowhere_are_damage(tmp_path, small, monkeypatch, compiled):
    if compiled and not have("numba"):
        pytest.skip("numba is not installed")
    monkeypatch.setattr(reader, "COMPILED", 0 if compiled else 10**9)
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 300, 1, topics(rng), langs=("en",)))
    path = next(tmp_path.rglob("*.tokens"))
    content = bytearray(path.read_bytes())
    n, t, w = np.frombuffer(content[8:32], "<i8").tolist()
    cells = 64 + 8 * (2 * n + 1) + -(-t * w // 8) * 8
    content[cells : cells + 2 * t] = b"\xff" * (2 * t)
    path.write_bytes(content)
    with pytest.raises(IndexDamaged, match="check --repair"):
        Colbert(tmp_path, state).search(question(unit(rng.standard_normal((2, DIM)))), 5)


def test_threads_get_the_same_answers(trained):
    folder, state, _ = trained
    rng = np.random.default_rng(1)
    queries = [question(part) for part in unit(rng.standard_normal((40, DIM))).reshape(10, 4, DIM)]
    expected = Colbert(folder, state).search_many(queries, 10)
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
