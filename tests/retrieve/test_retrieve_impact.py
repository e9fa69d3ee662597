"""Postings against dense matrices: counts, scores, segments, masks, merging, crashes, damage; NumPy against numba."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impact_oracles import (
    LANGS,
    VOCABULARY,
    build,
    by_hand,
    coefficients,
    flat,
    matrix,
    piece_batch,
    random_bags,
    random_groups,
    random_index,
    scorers,
    stored,
)
from retrieve_oracles import RecordedFiles, fingerprint

from xsearch.core import IndexDamaged, PassageBatch
from xsearch.retrieve import impact as module
from xsearch.retrieve.accumulate import NUMPY, accumulate, compiled
from xsearch.retrieve.impact import Impact, ImpactWriter
from xsearch.retrieve.postings import BLOCK, count_tokens, merge_postings
from xsearch.retrieve.scorers import BM25Scorer, Dot, Groups, LanguageGroups, idf
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_dense_matrices(tmp_path, seed):
    rng = np.random.default_rng(seed)
    bags, langs, state = random_index(rng, tmp_path / "p")
    index = Impact(tmp_path / "p", state)
    counts, lengths = matrix(bags), np.array([len(bag) for bag in bags])
    groups = random_groups(rng)
    for scorer, formula in scorers(rng, len(groups)):
        right = formula(counts @ coefficients(groups).T, lengths).sum(axis=1)
        for lang in LANGS:
            own = np.flatnonzero(langs == lang)
            best = index.best(lang, groups, scorer, len(own))
            assert set(best.passages.tolist()) == set(own[right[own] > 0].tolist())
            assert np.allclose(best.scores, right[best.passages], rtol=1e-6)
            assert np.all(np.diff(best.scores) <= 0)


def test_statistics_and_counts_are_those_of_the_language(tmp_path):
    bags, langs, state = random_index(np.random.default_rng(5), tmp_path / "p")
    index = Impact(tmp_path / "p", state)
    terms = np.arange(VOCABULARY + 5)
    each = LanguageGroups.joined([Groups(np.arange(len(terms) + 1), terms, np.ones(len(terms)))])
    for lang in LANGS:
        counts = matrix([bag for bag, own in zip(bags, langs, strict=True) if own == lang])
        held, times = index.counts([lang], each)
        assert held.tolist() == (counts > 0).sum(axis=0).tolist()
        assert times.tolist() == counts.sum(axis=0).tolist()
        assert index.statistics(lang).tokens == counts.sum()
    assert index.statistics("xx").passages == 0
    assert index.counts(["xx"], each).sum() == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), commits=st.integers(1, 25), depth=st.integers(1, 40), share=st.floats(0, 1))
def test_masks_and_segments_leave_no_trace(tmp_path_factory, seed, commits, depth, share):
    """Any division into commits, any mask: the best of those allowed, all of them when there are fewer than asked."""
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("p")
    bags, langs, state = random_index(rng, folder, passages=80, commits=commits)
    allowed = rng.random(80) < share
    groups = random_groups(rng)
    index = Impact(folder, state)
    for scorer, _ in scorers(rng, len(groups)):
        for lang in LANGS:
            own = np.flatnonzero(langs == lang)
            if not len(own):
                continue
            segment = count_tokens(own, *flat([bags[n] for n in own]))
            right = accumulate(segment, groups, scorer)
            expected = by_hand(own, np.where(allowed[own], right, 0.0), depth)
            best = index.best(lang, groups, scorer, depth, allowed)
            assert (best.passages.tolist(), best.scores.tolist()) == expected


def test_a_segment_merged_is_the_segment_built_at_once(tmp_path):
    rng = np.random.default_rng(9)
    bags = [bag for bag in random_bags(rng, 900, 40)]
    numbers = np.arange(900) * 3 + 7
    whole = count_tokens(numbers, *flat(bags))
    parts = [count_tokens(numbers[r], *flat([bags[i] for i in r])) for r in np.array_split(np.arange(900), 7)]
    merged = merge_postings(parts)
    mapped = stored(merged, tmp_path / "p.postings")
    for name in ("numbers", "lengths", "terms", "starts", "totals", "rows", "weights", "maxima", "block_starts"):
        assert np.array_equal(getattr(whole, name), getattr(merged, name)), name
        assert np.array_equal(getattr(whole, name), getattr(mapped, name)), name
    assert whole.weights.dtype == merged.weights.dtype == mapped.weights.dtype


def test_a_block_keeps_its_largest_weight():
    rng = np.random.default_rng(2)
    bags = [[1] * int(n) for n in rng.integers(1, 300, 3 * BLOCK + 5)]
    postings = count_tokens(np.arange(len(bags)), *flat(bags))
    sizes = [len(bag) for bag in bags]
    assert postings.weights.dtype == np.uint16
    assert postings.maxima.tolist() == [max(sizes[i : i + BLOCK]) for i in range(0, len(sizes), BLOCK)]
    assert postings.totals.tolist() == [sum(sizes)]


def test_small_segments_are_merged_and_large_ones_left(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGE", 64)
    monkeypatch.setattr(module, "ROWS", 128)
    rng = np.random.default_rng(4)
    state, bags = {}, random_bags(rng, 600)
    sizes = set()
    for start in range(0, 600, 6):
        batch = piece_batch(range(start, start + 6), ["de"] * 6, bags[start : start + 6])
        state = build(tmp_path / "p", [batch], state, start)
        sizes.add(len(state["languages"]["de"]))
        entries = state["languages"]["de"]
        assert all(a["last"] < b["first"] for a, b in pairwise(entries))
        assert all(entry["passages"] <= 128 for entry in entries)
    assert max(sizes) <= 600 // 64 + module.MAX_SEGMENTS
    whole = count_tokens(np.arange(600), *flat(bags))
    groups = random_groups(rng)
    scorer = Dot(rng.uniform(0, 1, len(groups)))
    best = Impact(tmp_path / "p", state).best("de", groups, scorer, 600)
    assert (best.passages.tolist(), best.scores.tolist()) == by_hand(
        np.arange(600), accumulate(whole, groups, scorer), 600
    )


def test_a_full_buffer_is_written_ahead_of_the_flush(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUFFERED_TOKENS", 50)
    rng = np.random.default_rng(4)
    bags = random_bags(rng, 60)
    writer = ImpactWriter(tmp_path, {}, high_water=0, files=DiskFiles())
    for start in range(0, 60, 6):
        writer.add(piece_batch(range(start, start + 6), ["de"] * 6, bags[start : start + 6]))
    assert list(tmp_path.rglob("*.postings"))
    state = writer.flush()
    counts = matrix(bags)
    terms = np.arange(VOCABULARY + 5)
    each = LanguageGroups.joined([Groups(np.arange(len(terms) + 1), terms, np.ones(len(terms)))])
    held, _ = Impact(tmp_path, state).counts(["de"], each)
    assert held.tolist() == (counts > 0).sum(axis=0).tolist()


def test_what_a_state_names_is_durable_and_reading_writes_nothing(tmp_path):
    files = RecordedFiles()
    _, _, state = random_index(np.random.default_rng(1), tmp_path / "p", commits=12, files=files)
    assert files.unsafe(tmp_path / "p", state["files"]) == []
    before = fingerprint(tmp_path / "p")
    index = Impact(tmp_path / "p", state)
    index.best("de", random_groups(np.random.default_rng(1)), Dot(np.ones(6)), 5)
    index.close()
    assert fingerprint(tmp_path / "p") == before


@pytest.mark.parametrize("point", ["flush.before", "write.before", "write.after", "flush.merged", "flush.after"])
def test_a_crash_leaves_the_last_state(tmp_path, point, monkeypatch):
    rng = np.random.default_rng(3)
    _, _, state = random_index(rng, tmp_path / "p", passages=160, commits=8)
    groups = random_groups(rng)
    scorer = Dot(np.ones(len(groups)))
    before = [Impact(tmp_path / "p", state).best(lang, groups, scorer, 99) for lang in LANGS]
    writer = ImpactWriter(tmp_path / "p", state, high_water=160, files=DiskFiles())
    more = random_bags(rng, 30)
    writer.add(piece_batch(range(160, 190), ["de"] * 30, more))

    def crash(name):
        if name == f"retrieve.impact.{point}":
            raise Crash

    monkeypatch.setattr(module, "reach", crash)
    with pytest.raises(Crash):
        writer.flush()
    monkeypatch.undo()
    for lang, right in zip(LANGS, before, strict=True):
        found = Impact(tmp_path / "p", state).best(lang, groups, scorer, 99)
        assert found.passages.tolist() == right.passages.tolist()
    again = ImpactWriter(tmp_path / "p", state, high_water=160, files=DiskFiles())
    again.add(piece_batch(range(160, 190), ["de"] * 30, more))
    assert Impact(tmp_path / "p", again.flush()).statistics("de").tokens >= sum(map(len, more))


def test_numbers_ascend_and_pieces_are_there(tmp_path):
    writer = ImpactWriter(tmp_path, {}, high_water=5, files=DiskFiles())
    with pytest.raises(ValueError, match="ascend"):
        writer.add(piece_batch([4], ["de"], [[1]]))
    with pytest.raises(ValueError, match="pieces"):
        writer.add(PassageBatch(np.array([5]), ["de"], [""], [""]))


def test_passages_without_a_piece_leave_no_segment(tmp_path):
    state = build(tmp_path, [piece_batch([0, 1], ["de", "en"], [[], [3]])])
    assert list(state["languages"]) == ["en"]


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), noise=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=4))
def test_a_damaged_file_is_named(tmp_path_factory, cut, noise):
    """Cut short or altered: either `IndexDamaged`, or scores of some kind, never another error."""
    folder = tmp_path_factory.mktemp("p")
    bags = random_bags(np.random.default_rng(0), 12, 9)
    state = build(folder, [piece_batch(range(12), ["de"] * 12, bags)])
    (name,) = state["files"]
    content = bytearray((folder / name).read_bytes())
    for place, byte in noise:
        if place < len(content):
            content[place] = byte
    (folder / name).write_bytes(bytes(content[: len(content) - cut] if cut else content))
    groups = random_groups(np.random.default_rng(1))
    for kernel in (NUMPY, compiled() or NUMPY):
        with contextlib.suppress(IndexDamaged):
            index = Impact(folder, state)
            index._kernel = kernel
            index.best("de", groups, BM25Scorer(np.ones(len(groups)), 5.0), 5)


def test_a_missing_file_is_named(tmp_path):
    state = build(tmp_path, [piece_batch([0], ["de"], [[1, 2]])])
    (tmp_path / state["files"][0]).unlink()
    with pytest.raises(IndexDamaged, match=r"0-0\.postings"):
        Impact(tmp_path, state)


def test_idf_by_hand():
    expected = [np.log(22), np.log(1 + 0.5 / 10.5), np.log(1 + 0.5 / 10.5)]
    assert idf(10, np.array([0, 10, 99])).tolist() == pytest.approx(expected)
