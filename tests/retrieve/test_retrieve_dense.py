"""Dense search against whole-number brute force: FAISS and numpy, masks, MaxP, segments, crashes."""

from __future__ import annotations

import itertools
import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieve_oracles import RecordedFiles, fingerprint, unit, vector_batch, vector_query

from xsearch.core import EncoderMismatch, IndexDamaged, Query, Ranking, Windows
from xsearch.retrieve import Dense, DenseWriter
from xsearch.retrieve import dense as module
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

LANGS = ("de", "en", "fa")
DIM = 24


def build(folder, batches, state=None, high_water=0, files=None):
    """Commit each batch on its own; the last state."""
    folder.mkdir(exist_ok=True)
    state = state or {}
    for batch in batches:
        writer = DenseWriter(folder, state, high_water=high_water, files=files or DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def random_batches(rng, passages, commits, dim=DIM, langs=LANGS, most=5):
    """Passages with 1 to `most` windows; one in ten windows is a copy of another, so that scores tie."""
    owners = np.repeat(np.arange(passages), rng.integers(1, most + 1, passages))
    vectors = unit(rng.standard_normal((len(owners), dim)))
    copies = rng.random(len(owners)) < 0.1
    vectors[copies] = vectors[rng.integers(0, min(20, len(owners)), copies.sum())]
    spoken = rng.choice(langs, passages).tolist()
    batches = []
    for numbers in np.array_split(np.arange(passages), commits):
        inside = np.isin(owners, numbers)
        batches.append(vector_batch(numbers, [spoken[n] for n in numbers], vectors[inside], owners[inside]))
    return batches


def oracle(batches, query, depth, allowed=None, langs=LANGS):
    """The ranking by Python's whole numbers: codes and integer query by their definition, one window at a time."""
    dim = len(query)
    clip = min(1.0, 10 / dim**0.5)
    exact = query.astype(np.float64)
    scale = min(127 / np.abs(exact).max(), ((2**24 - 1) / 255 - dim / 2) / np.abs(exact).sum())
    integers = [round(x * scale) for x in exact.tolist()]
    best: dict[str, dict[int, int]] = {}
    for batch in batches:
        lang_of = dict(zip(batch.numbers.tolist(), batch.langs, strict=True))
        codes = np.rint(np.clip(batch.windows.vectors, -clip, clip) * np.float32(127 / clip)).astype(int)
        for owner, row in zip(batch.windows.owners.tolist(), codes.tolist(), strict=True):
            if allowed is None or allowed[owner]:
                score = sum(a * b for a, b in zip(integers, row, strict=True))
                found = best.setdefault(lang_of[owner], {})
                found[owner] = max(score, found.get(owner, score))
    rows = []
    for lang in langs:
        rows += sorted((-score, number) for number, score in best.get(lang, {}).items())[:depth]
    rows.sort()
    factor = clip / 127 / scale
    return [number for _, number in rows], np.array([-score * factor for score, _ in rows], dtype=np.float32)


def same(left: Ranking, right: Ranking) -> bool:
    return (
        np.array_equal(left.passages, right.passages)
        and np.array_equal(left.scores, right.scores)
        and dict(left.background) == dict(right.background)
    )


def readers(monkeypatch, folder, state):
    """The same snapshot searched by numpy, and by FAISS if it is there."""
    monkeypatch.setattr(module, "FAISS_WINDOWS", 10**9)
    found = [Dense(folder, state)]
    found[0].search(vector_query(np.ones(state["dim"])), 1)
    if module.have("faiss"):
        monkeypatch.setattr(module, "FAISS_WINDOWS", 0)
        found.append(Dense(folder, state))
        found[1].search(vector_query(np.ones(state["dim"])), 1)
        assert found[0]._faiss is None
        assert found[1]._faiss is not None
    return found


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    batches = random_batches(np.random.default_rng(11), 1200, 4)
    folder = tmp_path_factory.mktemp("dense")
    return folder, build(folder, batches), batches


@pytest.mark.parametrize("depth", [1, 10, 3000])
def test_rankings_are_those_of_brute_force(collection, monkeypatch, depth):
    folder, state, batches = collection
    rng = np.random.default_rng(depth)
    for reader in readers(monkeypatch, folder, state):
        for query in (*unit(rng.standard_normal((2, DIM))), batches[0].windows.vectors[0]):
            found = reader.search(vector_query(query), depth)
            passages, scores = oracle(batches, query, depth)
            assert found.passages.tolist() == passages
            assert np.array_equal(found.scores, scores)


@pytest.mark.parametrize("share", [0.999, 0.5, 0.06, 0.04, 0.002, 0.0])
def test_a_mask_costs_no_hit(collection, monkeypatch, share):
    folder, state, batches = collection
    rng = np.random.default_rng(int(1000 * share))
    allowed = rng.random(1200) < share
    query = unit(rng.standard_normal((1, DIM)))[0]
    for reader in readers(monkeypatch, folder, state):
        found = reader.search(vector_query(query), 15, allowed)
        passages, scores = oracle(batches, query, 15, allowed)
        assert found.passages.tolist() == passages
        assert np.array_equal(found.scores, scores)
        some = reader.search(vector_query(query), 15, allowed, langs=["fa", "xx"])
        assert some.passages.tolist() == oracle(batches, query, 15, allowed, langs=("fa",))[0]
        assert list(some.background) == ["fa"]


def test_faiss_and_numpy_agree_to_the_bit_in_a_large_segment(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(2)
    # 64 divides the dimension: FAISS takes the 8-bit products of the processor where it has them.
    batches = random_batches(rng, 9000, 1, dim=128, langs=("en",))
    # Exact: a scan of quantised vectors may miss a neighbour, and among random vectors it does.
    by_numpy, by_faiss = readers(monkeypatch, tmp_path, build(tmp_path, batches, {"search": "exact"}))
    queries = [vector_query(vector) for vector in unit(rng.standard_normal((12, 128)))]
    for allowed in (None, rng.random(9000) < 0.7, rng.random(9000) < 0.1):
        for depth in (1, 100, 1000):
            left = [by_numpy.search(query, depth, allowed) for query in queries]
            right = [by_faiss.search(query, depth, allowed) for query in queries]
            assert all(same(a, b) for a, b in zip(left, right, strict=True))


def test_one_passage_with_all_the_best_windows_takes_one_place(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    near = unit(np.ones((4000, DIM)) + 0.01 * rng.standard_normal((4000, DIM)))
    others = unit(rng.standard_normal((500, DIM)))
    batch = vector_batch(np.arange(501), ["en"] * 501, np.vstack([near, others]), [0] * 4000 + list(range(1, 501)))
    for reader in readers(monkeypatch, tmp_path, build(tmp_path, [batch])):
        found = reader.search(vector_query(unit(np.ones((1, DIM)))[0]), 50)
        assert found.passages.tolist() == oracle([batch], unit(np.ones((1, DIM)))[0], 50)[0]
        assert found.passages[0] == 0
        assert len(set(found.passages.tolist())) == 50


def test_equal_texts_come_in_passage_order(tmp_path, monkeypatch):
    vectors = np.repeat(unit(np.random.default_rng(4).standard_normal((1, DIM))), 2000, axis=0)
    state = build(tmp_path, [vector_batch(np.arange(2000), ["en"] * 2000, vectors, np.arange(2000))])
    for reader in readers(monkeypatch, tmp_path, state):
        assert reader.search(vector_query(vectors[0]), 30).passages.tolist() == list(range(30))


def test_the_background_is_of_the_language_at_large(collection):
    folder, state, batches = collection
    query = unit(np.random.default_rng(6).standard_normal((1, DIM)))[0]
    found = Dense(folder, state).search(vector_query(query), 1)
    for lang in LANGS:
        rows = [
            vector
            for batch in batches
            for owner, vector in zip(batch.windows.owners, batch.windows.vectors, strict=True)
            if batch.langs[owner - batch.numbers[0]] == lang
        ]
        scores = (np.array(rows) @ query).astype(np.float64)
        error = 4 * float(scores.std()) / 512**0.5
        assert found.background[lang] == pytest.approx((scores.mean(), scores.std()), abs=error)


def test_commits_do_not_show_in_the_answers(tmp_path, monkeypatch):
    rng = np.random.default_rng(8)
    batches = random_batches(rng, 600, 30)
    state = build(tmp_path / "many", batches)
    assert max(len(entries) for entries in state["languages"].values()) <= module.MAX_SEGMENTS
    writer = DenseWriter(tmp_path / "one", {}, high_water=0, files=DiskFiles())
    for batch in batches:
        writer.add(batch)
    one = writer.flush()
    assert [len(entries) for entries in one["languages"].values()] == [1, 1, 1]
    # Codes held beyond the limit become segments before the flush.
    monkeypatch.setattr(module, "BUFFER_BYTES", 5000)
    writer = DenseWriter(tmp_path / "early", {}, high_water=0, files=DiskFiles())
    for batch in batches:
        writer.add(batch)
    assert any((tmp_path / "early").rglob("*.faiss"))
    early = writer.flush()
    snapshots = [Dense(tmp_path / "many", state), Dense(tmp_path / "one", one), Dense(tmp_path / "early", early)]
    for query in unit(rng.standard_normal((5, DIM))):
        first, *rest = (snapshot.search(vector_query(query), 25) for snapshot in snapshots)
        assert all(same(first, other) for other in rest)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1000), commits=st.integers(1, 11), rounds=st.integers(1, 3))
def test_vectors_made_anew_are_those_of_an_index_that_always_had_them(tmp_path_factory, seed, commits, rounds):
    folder = tmp_path_factory.mktemp("rewound")
    rng = np.random.default_rng(seed)
    batches = random_batches(rng, 60, commits)
    state = build(folder / "rewound", batches)
    for commit in range(rounds):
        firsts = {lang: int(rng.integers(70)) for lang in rng.choice(LANGS, rng.integers(1, 4), replace=False)}
        writer = DenseWriter(folder / "rewound", state, high_water=60, files=DiskFiles())
        begins = writer.rewind(firsts, commit + 100)
        assert begins.keys() == firsts.keys()
        assert all(begins[lang] <= firsts[lang] for lang in firsts)
        for place, old in enumerate(batches):
            langs = dict(zip(old.numbers.tolist(), old.langs, strict=True))
            fresh = [langs[n] in firsts and n >= firsts[langs[n]] for n in old.windows.owners.tolist()]
            vectors = np.where(np.array(fresh)[:, None], unit(rng.standard_normal(old.windows.vectors.shape)), 0)
            vectors = np.where(np.array(fresh)[:, None], vectors, old.windows.vectors).astype(np.float32)
            batches[place] = vector_batch(old.numbers, old.langs, vectors, old.windows.owners)
            again = np.array([n for n, lang in langs.items() if lang in begins and n >= begins[lang]], dtype=np.int64)
            inside = np.isin(old.windows.owners, again)
            windows = Windows(vectors[inside], old.windows.owners[inside])
            writer.append(again, [langs[n] for n in again.tolist()], windows)
        state = writer.flush()
        writer.close()
    query = unit(rng.standard_normal((1, DIM)))[0]
    found = Dense(folder / "rewound", state).search(vector_query(query), 30)
    expected = Dense(folder / "built", build(folder / "built", batches)).search(vector_query(query), 30)
    assert same(found, expected)
    assert found.background == expected.background
    for entries in state["languages"].values():
        assert all(left["last"] < right["first"] for left, right in itertools.pairwise(entries))


def test_a_reader_keeps_its_snapshot_and_writes_nothing(tmp_path):
    batches = random_batches(np.random.default_rng(9), 400, 12)
    state = build(tmp_path, batches[:8])
    before = fingerprint(tmp_path)
    early, query = Dense(tmp_path, state), vector_query(batches[9].windows.vectors[0])
    expected = Dense(tmp_path, state).search(query, 20)
    assert fingerprint(tmp_path) == before
    later = build(tmp_path, batches[8:], state, high_water=int(batches[8].numbers[0]))
    assert same(Dense(tmp_path, state).search(query, 20), expected)
    assert not same(Dense(tmp_path, later).search(query, 20), expected)
    gone = set(state["files"]) - set(later["files"])
    assert gone
    for name in gone:
        os.unlink(tmp_path / name)
    assert same(early.search(query, 20), expected)


def test_every_flushed_file_survives_a_power_cut(tmp_path):
    files = RecordedFiles()
    state = build(tmp_path, random_batches(np.random.default_rng(1), 120, 10), files=files)
    assert {call[2].relative_to(tmp_path).as_posix() for call in files.calls if call[0] == "replace"} > set(
        state["files"]
    )
    assert files.unsafe(tmp_path, state["files"]) == []


POINTS = tuple(
    f"retrieve.dense.{step}"
    for step in ("flush.before", "write.before", "write.codes", "write.after", "flush.merged", "flush.after")
)


@pytest.mark.parametrize("point", POINTS)
def test_what_a_crash_left_is_dropped(tmp_path, monkeypatch, point):
    rng = np.random.default_rng(10)
    batches = random_batches(rng, 360, 12)
    lost = random_batches(rng, 360, 12)[8]
    folder = tmp_path / "crashed"
    state = build(folder, batches[:8])
    expected = Dense(folder, state).search(vector_query(np.ones(DIM)), 50)
    reached = []

    def crash(name):
        reached.append(name)
        if name == point:
            raise Crash

    writer = DenseWriter(folder, state, high_water=240, files=DiskFiles())
    writer.add(lost)
    monkeypatch.setattr(module, "reach", crash)
    with pytest.raises(Crash):
        writer.flush()
    monkeypatch.undo()
    assert reached[-1] == point
    assert same(Dense(folder, state).search(vector_query(np.ones(DIM)), 50), expected)
    state = build(folder, batches[8:], state, high_water=240)
    found = Dense(folder, state).search(vector_query(np.ones(DIM)), 50)
    assert found.passages.tolist() == oracle(batches, np.ones(DIM, dtype=np.float32), 50)[0]


@pytest.mark.parametrize("faiss", [True, False])
def test_without_faiss_numpy_answers(collection, monkeypatch, faiss):
    folder, state, batches = collection
    monkeypatch.setattr(module, "FAISS_WINDOWS", 0)
    monkeypatch.setattr(module, "have", lambda name: faiss and name == "nowhere")
    query = batches[0].windows.vectors[5]
    reader = Dense(folder, state)
    assert reader.search(vector_query(query), 9).passages.tolist() == oracle(batches, query, 9)[0]
    assert reader._faiss is None


def test_empty_texts_and_empty_queries_find_nothing(tmp_path):
    vectors = unit(np.random.default_rng(1).standard_normal((6, DIM)))
    vectors[[0, 3]] = 0
    state = build(tmp_path, [vector_batch(range(5), ["en"] * 4 + ["de"], vectors, [0, 1, 2, 3, 3, 4])])
    reader = Dense(tmp_path, state)
    assert sorted(reader.search(vector_query(np.ones(DIM)), 10).passages.tolist()) == [1, 2, 3, 4]
    for query in (Query("", ()), vector_query(np.zeros(DIM)), vector_query(np.full(DIM, np.nan))):
        assert len(reader.search(query, 10)) == 0
        assert not reader.search(query, 10).background


def test_a_state_may_name_where_components_are_cut(tmp_path):
    batch = vector_batch([0], ["en"], unit(np.array([[3.0, 1.0, 0.0, 0.0]])), [0])
    state = build(tmp_path, [batch], {"clip": 0.5})
    assert (state["dim"], state["clip"]) == (4, 0.5)
    found = Dense(tmp_path, state).search(vector_query(np.eye(1, 4)[0]), 1)
    assert found.scores.tolist() == [0.5]


def test_an_index_without_vectors_finds_nothing(tmp_path):
    writer = DenseWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    writer.add(vector_batch(range(2), ["en"] * 2, np.zeros((2, 3)), [0, 1]))
    reader = Dense(tmp_path, writer.flush())
    assert reader.languages() == []
    assert len(reader.search(vector_query(np.ones(3)), 5)) == 0
    assert len(Dense(tmp_path, {}).search(vector_query(np.ones(3)), 5)) == 0


def test_vectors_of_another_encoder_are_refused(collection, tmp_path):
    folder, state, _ = collection
    with pytest.raises(EncoderMismatch, match=r"24 components.* 25"):
        Dense(folder, state).search(vector_query(np.ones(25)), 5)
    writer = DenseWriter(folder, state, high_water=1200, files=DiskFiles())
    with pytest.raises(EncoderMismatch, match=r"24 components.* 25"):
        writer.add(vector_batch([1200], ["en"], np.ones((1, 25)), [1200]))


@pytest.mark.parametrize(("numbers", "owners"), [([5, 6], [5, 6]), ([10, 11], [10, 12]), ([10, 11], [11, 10])])
def test_numbers_and_owners_must_fit(tmp_path, numbers, owners):
    writer = DenseWriter(tmp_path, {}, high_water=10, files=DiskFiles())
    with pytest.raises(ValueError, match="ascend"):
        writer.add(vector_batch(numbers, ["en", "en"], np.ones((2, 4)), owners))


@pytest.mark.parametrize("ending", [".faiss", ".npy"])
@pytest.mark.parametrize("harm", ["remove", "truncate", "swap"])
def test_missing_or_altered_files_are_damage(tmp_path, ending, harm):
    state = build(tmp_path, random_batches(np.random.default_rng(1), 60, 2, langs=("en",)))
    victim, other = (tmp_path / name for name in state["files"] if name.endswith(ending))
    if harm == "remove":
        victim.unlink()
    elif harm == "truncate":
        os.truncate(victim, victim.stat().st_size - 1)
    else:
        victim.write_bytes(other.read_bytes())
    with pytest.raises(IndexDamaged, match=r"check --repair"):
        Dense(tmp_path, state)


def test_threads_get_the_same_answers(collection, monkeypatch):
    folder, state, _ = collection
    monkeypatch.setattr(module, "FAISS_WINDOWS", 0)
    queries = [vector_query(vector) for vector in unit(np.random.default_rng(1).standard_normal((20, DIM)))]
    alone = Dense(folder, state)
    expected = [alone.search(query, 10) for query in queries]
    reader, wrong = Dense(folder, state), []

    def work():
        wrong.extend(i for i, query in enumerate(queries) if not same(reader.search(query, 10), expected[i]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4), st.integers(1, 70), st.integers(1, 12),
    st.one_of(st.none(), st.floats(0, 1)),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_any_shape(tmp_path_factory, seed, passages, commits, dim, depth, share):
    rng = np.random.default_rng(seed)
    batches = random_batches(rng, passages, min(commits, passages), dim=dim)
    folder = tmp_path_factory.mktemp("shape")
    allowed = None if share is None else rng.random(passages) < share
    query = unit(rng.standard_normal((1, dim)))[0]
    found = Dense(folder, build(folder, batches)).search(vector_query(query), depth, allowed)
    passages, scores = oracle(batches, query, depth, allowed)
    assert found.passages.tolist() == passages
    assert np.array_equal(found.scores, scores)


def test_compiled_products_with_the_sample_are_the_same(collection, monkeypatch):
    pytest.importorskip("numba")
    folder, state, _ = collection
    queries = [vector_query(vector) for vector in unit(np.random.default_rng(2).standard_normal((8, DIM)))]
    monkeypatch.setattr(module, "COMPILED_SEARCHES", 1000)
    monkeypatch.setattr(module, "LOADED_SEARCHES", 1000)
    plain = [dict(reader.search(query, 5).background) for reader in [Dense(folder, state)] for query in queries]
    monkeypatch.setattr(module, "LOADED_SEARCHES", 0)
    reader = Dense(folder, state)
    assert [dict(reader.search(query, 5).background) for query in queries] == plain
    assert reader._narrow is not None
