"""Large segments scanned in quantised form: what is found against scoring every window, masks, damage, crashes."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retrieve_oracles import RecordedFiles, fingerprint, unit, vector_batch, vector_query

from xsearch.core import IndexDamaged
from xsearch.retrieve import Dense, DenseWriter, fastscan, windows
from xsearch.retrieve import dense as module
from xsearch.retrieve.fastscan import parts_of
from xsearch.retrieve.stored import KINDS
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

pytest.importorskip("faiss")
DIM = 32
LANGS = ("de", "fa")


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(module, "FROM_WINDOWS", 500)
    monkeypatch.setattr(module, "FAISS_WINDOWS", 0)
    monkeypatch.setattr(windows, "SCAN_COST", 4)


def write(folder, vectors, owners, langs, state=None, commits=1, files=None):
    """Passages in order of number, in so many commits; the last state."""
    folder.mkdir(exist_ok=True)
    state = state or {}
    for numbers in np.array_split(np.arange(len(langs)), commits):
        inside = np.isin(owners, numbers)
        writer = DenseWriter(folder, state, high_water=int(numbers[0]), files=files or DiskFiles())
        writer.add(vector_batch(numbers, [langs[n] for n in numbers], vectors[inside], owners[inside]))
        state = writer.flush()
        writer.close()
    return state


def vectors_of(rng, passages):
    """Windows, one to three a passage, about topics, as text is: a third of the variance is the topic's."""
    owners = np.repeat(np.arange(passages), rng.integers(1, 4, passages))
    topics = rng.standard_normal((40, DIM))
    vectors = unit(rng.standard_normal((len(owners), DIM)) + 0.7 * topics[rng.integers(0, 40, len(owners))])
    return vectors, owners, rng.choice(LANGS, passages).tolist()


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    rng = np.random.default_rng(5)
    vectors, owners, langs = vectors_of(rng, 3000)
    folder = tmp_path_factory.mktemp("scan")
    before, module.FROM_WINDOWS = module.FROM_WINDOWS, 500
    state = write(folder, vectors, owners, langs)
    module.FROM_WINDOWS = before
    exact = write(folder / "exact", vectors, owners, langs, {"search": "exact"})
    return folder, state, Dense(folder / "exact", exact), vectors


def scans(reader):
    """How many segments are scanned first; the reader has been searched once."""
    return sum(segment._scan is not None for segments in reader._segments.values() for segment in segments)


def test_what_exact_search_finds_is_found_with_the_same_scores(collection):
    folder, state, exact, _ = collection
    reader = Dense(folder, state)
    queries = [vector_query(vector) for vector in unit(np.random.default_rng(1).standard_normal((30, DIM)))]
    found = total = 0
    for query in queries:
        ours, theirs = reader.search(query, 10), exact.search(query, 10)
        scores = dict(zip(exact.search(query, 3000).passages, exact.search(query, 3000).scores, strict=True))
        assert all(scores[p] == s for p, s in zip(ours.passages, ours.scores, strict=True))
        assert len(ours) == len(theirs) == 20
        assert dict(ours.background) == dict(theirs.background)
        found += len(np.intersect1d(ours.passages, theirs.passages))
        total += len(theirs)
    assert scans(reader) == 2
    assert scans(exact) == 0
    assert found / total > 0.98


def test_a_query_may_ask_for_every_window(collection, monkeypatch):
    folder, state, exact, _ = collection
    # A scan that keeps few candidates misses many.
    monkeypatch.setattr(fastscan, "CANDIDATES", 1)
    reader = Dense(folder, state)
    queries = [vector_query(vector) for vector in unit(np.random.default_rng(3).standard_normal((12, DIM)))]
    asked = [replace(query, exact=row % 3 == 0) for row, query in enumerate(queries)]
    missed = 0
    for query in asked:
        ours, theirs = reader.search(query, 20), exact.search(query, 20)
        if query.exact:
            assert np.array_equal(ours.passages, theirs.passages)
            assert np.array_equal(ours.scores, theirs.scores)
        missed += len(np.setdiff1d(theirs.passages, ours.passages))
    assert scans(reader) == 2
    assert missed


@pytest.mark.parametrize("share", [0.999, 0.6, 0.3, 0.06, 0.01, 0.0])
def test_a_mask_costs_no_hit(collection, share):
    folder, state, exact, _ = collection
    reader, rng = Dense(folder, state), np.random.default_rng(int(share * 1000))
    allowed = rng.random(3000) < share
    for query in unit(rng.standard_normal((8, DIM))):
        ours, theirs = (each.search(vector_query(query), 12, allowed) for each in (reader, exact))
        assert len(ours) == len(theirs)
        assert allowed[ours.passages].all()
        assert len(np.intersect1d(ours.passages, theirs.passages)) >= 0.8 * len(theirs)


def test_deep_lists_and_passages_with_all_the_best_windows_are_scored_exactly(collection, tmp_path):
    folder, state, exact, _ = collection
    query = vector_query(unit(np.random.default_rng(2).standard_normal((1, DIM)))[0])
    ours, theirs = Dense(folder, state).search(query, 1500), exact.search(query, 1500)
    assert np.array_equal(ours.passages, theirs.passages)
    # One passage has all that a scan puts first: the others come from scoring all windows.
    near = unit(np.ones((600, DIM)) + 0.01 * np.random.default_rng(3).standard_normal((600, DIM)))
    far = unit(np.random.default_rng(4).standard_normal((400, DIM)))
    owners = np.concatenate([np.zeros(600, np.int64), np.arange(1, 401)])
    state = write(tmp_path, np.vstack([near, far]), owners, ["de"] * 401)
    assert len(Dense(tmp_path, state).search(vector_query(np.ones(DIM)), 20)) == 20


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_of_keeping_vectors(tmp_path, kind):
    rng = np.random.default_rng(6)
    vectors, owners, langs = vectors_of(rng, 900)
    reader = Dense(tmp_path / "a", write(tmp_path / "a", vectors, owners, langs, {"codes": kind}))
    exact = Dense(tmp_path / "b", write(tmp_path / "b", vectors, owners, langs, {"codes": kind, "search": "exact"}))
    shared = []
    for query in unit(rng.standard_normal((20, DIM))):
        ours, theirs = (each.search(vector_query(query), 10) for each in (reader, exact))
        shared.append(len(np.intersect1d(ours.passages, theirs.passages)) / 20)
        common, a, b = np.intersect1d(ours.passages, theirs.passages, return_indices=True)
        np.testing.assert_allclose(ours.scores[a], theirs.scores[b], rtol=1e-5)
        assert len(common)
    assert scans(reader) == 2
    assert np.mean(shared) > 0.95


def test_merged_and_later_segments(tmp_path):
    rng = np.random.default_rng(7)
    vectors, owners, langs = vectors_of(rng, 2400)
    state = write(tmp_path / "many", vectors, owners, langs, commits=28)
    sizes = {
        lang: [(e["windows"] >= 500, "parts" in e) for e in entries] for lang, entries in state["languages"].items()
    }
    assert all(large == quantised for flags in sizes.values() for large, quantised in flags)
    assert {True, False} == {large for flags in sizes.values() for large, _ in flags}
    assert {name for name in state["files"] if name.endswith(".pq4")} == {
        f"{lang}/{e['first']}-{e['last']}.pq4" for lang, es in state["languages"].items() for e in es if "parts" in e
    }
    assert all((tmp_path / "many" / name).is_file() for name in state["files"])
    reader = Dense(tmp_path / "many", state)
    exact = Dense(tmp_path / "one", write(tmp_path / "one", vectors, owners, langs, {"search": "exact"}))
    shared = [
        len(np.intersect1d(*(each.search(vector_query(query), 10).passages for each in (reader, exact)))) / 20
        for query in unit(rng.standard_normal((20, DIM)))
    ]
    assert np.mean(shared) > 0.97


def test_the_same_vectors_give_the_same_bytes(tmp_path):
    vectors, owners, langs = vectors_of(np.random.default_rng(8), 700)
    for name in "ab":
        write(tmp_path / name, vectors, owners, langs)
    left, right = ({n: c for n, (_, _, c) in fingerprint(tmp_path / name).items()} for name in "ab")
    assert left == right
    assert any(name.endswith(".pq4") for name in left)


def test_a_reader_keeps_what_was_removed_and_threads_agree(tmp_path):
    vectors, owners, langs = vectors_of(np.random.default_rng(9), 900)
    state = write(tmp_path, vectors, owners, langs)
    reader = Dense(tmp_path, state)
    for name in state["files"]:
        os.unlink(tmp_path / name)
    queries = [vector_query(vector) for vector in vectors[:12]]
    expected = [reader.search(query, 10).passages.tolist() for query in queries]
    wrong = []

    def work():
        wrong.extend(i for i, q in enumerate(queries) if reader.search(q, 10).passages.tolist() != expected[i])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_crash_after_quantising_loses_nothing(tmp_path, monkeypatch):
    vectors, owners, langs = vectors_of(np.random.default_rng(10), 900)
    files = RecordedFiles()

    def crash(name):
        if name == "retrieve.dense.flush.quantised":
            raise Crash

    monkeypatch.setattr(module, "reach", crash)
    with pytest.raises(Crash):
        write(tmp_path, vectors, owners, langs)
    monkeypatch.setattr(module, "reach", lambda name: None)
    state = write(tmp_path, vectors, owners, langs, files=files)
    assert files.unsafe(tmp_path, state["files"]) == []
    assert len(Dense(tmp_path, state).search(vector_query(vectors[0]), 5)) == 10


@pytest.mark.parametrize("harm", ["remove", "truncate", "swap", "noise"])
def test_missing_or_altered_files_are_damage(tmp_path, harm):
    vectors, owners, langs = vectors_of(np.random.default_rng(11), 1500)
    state = write(tmp_path, vectors, owners, langs)
    victim, other = (tmp_path / name for name in state["files"] if name.endswith(".pq4"))
    if harm == "remove":
        victim.unlink()
    elif harm == "truncate":
        os.truncate(victim, victim.stat().st_size // 2)
    elif harm == "swap":
        victim.write_bytes(other.read_bytes())
    else:
        victim.write_bytes(b"IxFI" + b"\x00" * 40)
    with pytest.raises(IndexDamaged, match=r"pq4.*check --repair"):
        Dense(tmp_path, state).search(vector_query(vectors[0]), 5)


def test_an_older_state_and_one_written_without_faiss_get_scans_when_they_grow(tmp_path, monkeypatch):
    vectors, owners, langs = vectors_of(np.random.default_rng(12), 1000)
    first = owners < 800
    monkeypatch.setattr(module, "have", lambda name: False)
    state = write(tmp_path, vectors[first], owners[first], langs[:800])
    assert not any("parts" in e for entries in state["languages"].values() for e in entries)
    monkeypatch.undo()
    monkeypatch.setattr(module, "FROM_WINDOWS", 500)
    writer = DenseWriter(tmp_path, state, high_water=800, files=DiskFiles())
    writer.add(vector_batch(np.arange(800, 1000), langs[800:], vectors[~first], owners[~first]))
    state = writer.flush()
    assert [["parts" in e for e in entries] for entries in state["languages"].values()] == [[True, False]] * 2


@given(st.integers(1, 5000))
def test_parts_divide_a_vector_evenly(dim):
    parts = parts_of(dim)
    assert parts == 0 or (dim % parts == 0 and dim // parts >= 2 and parts <= 512)
    assert parts > 0 or dim == 1
    assert {256: 128, 768: 384, 1024: 512, 4096: 512, 7: 1}.get(dim, parts) == parts
