"""Postings against dense matrices: counts, scores, segments, masks, merging, crashes, damage; NumPy against numba."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieve_oracles import RecordedFiles, fingerprint

from xsearch.core import Bags, IndexDamaged, PassageBatch
from xsearch.core.extras import have
from xsearch.retrieve import impact as module
from xsearch.retrieve.accumulate import NUMPY, SAME, accumulate, compiled
from xsearch.retrieve.best import Best
from xsearch.retrieve.impact import Impact, ImpactWriter
from xsearch.retrieve.postings import BLOCK, count_tokens, map_postings, merge_postings, serialised
from xsearch.retrieve.scorers import BM25Scorer, Dot, Groups, HMMScorer, LanguageGroups, idf
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

VOCABULARY = 60
LANGS = ("de", "en", "fa")
needs_numba = pytest.mark.skipif(not have("numba"), reason="numba is not installed")


def piece_batch(numbers, langs, bags) -> PassageBatch:
    starts = np.concatenate(([0], np.cumsum([len(bag) for bag in bags]))).astype(np.int64)
    tokens = np.array([token for bag in bags for token in bag], dtype=np.int32)
    return PassageBatch(
        np.asarray(numbers, dtype=np.int64), langs, [""] * len(bags), [""] * len(bags), None, Bags(tokens, starts)
    )


def random_bags(rng, count, longest=30):
    return [
        np.minimum(rng.zipf(1.4, rng.integers(0, longest)), VOCABULARY - 1).astype(np.int32).tolist()
        for _ in range(count)
    ]


def random_groups(rng, count=6, most=5):
    sizes = rng.integers(0, most + 1, count)
    terms = [np.sort(rng.choice(VOCABULARY + 5, size, replace=False)) for size in sizes]
    return Groups(
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        np.concatenate(terms).astype(np.int64),
        rng.uniform(0.05, 1.0, sizes.sum()),
    )


def matrix(bags) -> np.ndarray:
    """How often each term stands in each passage, (passages, vocabulary)."""
    counts = np.zeros((len(bags), VOCABULARY + 5))
    for row, bag in enumerate(bags):
        np.add.at(counts[row], bag, 1)
    return counts


def coefficients(groups) -> np.ndarray:
    """The groups as a matrix, (groups, vocabulary)."""
    dense = np.zeros((len(groups), VOCABULARY + 5))
    for group in range(len(groups)):
        own = slice(groups.starts[group], groups.starts[group + 1])
        dense[group, groups.terms[own]] = groups.coefficients[own]
    return dense


def scorers(rng, count):
    weights = rng.uniform(0, 2, count)
    weights[rng.random(count) < 0.2] = 0.0
    return [
        (Dot(weights), lambda x, n: weights * x),
        (
            BM25Scorer(weights, 14.0, k1=0.9, b=0.4),
            lambda x, n: weights * x * 1.9 / (x + 0.9 * (0.6 + 0.4 * n[:, None] / 14.0)),
        ),
        (
            HMMScorer(weights, np.full(count, 0.01), alpha=0.3),
            lambda x, n: weights * np.log((0.7 * x / np.maximum(n[:, None], 1) + 0.003) / 0.003),
        ),
    ]


def build(folder, batches, state=None, high_water=0, files=None):
    """Commit each batch on its own; the last state."""
    folder.mkdir(exist_ok=True)
    state = state or {}
    for batch in batches:
        writer = ImpactWriter(folder, state, high_water=high_water, files=files or DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def random_index(rng, folder, passages=300, commits=5, files=None, bags=None):
    bags = random_bags(rng, passages) if bags is None else bags
    passages = len(bags)
    langs = rng.choice(LANGS, passages).tolist()
    batches = [
        piece_batch(part, [langs[n] for n in part], [bags[n] for n in part])
        for part in np.array_split(np.arange(passages), commits)
    ]
    return bags, np.array(langs), build(folder, batches, files=files)


def stored(postings, path):
    """The same from a file."""
    path.write_bytes(b"".join(serialised(postings)))
    return map_postings(path, int(postings.numbers[0]), len(postings.numbers))


def by_hand(numbers, scores, depth):
    """The best `depth` of those above 0, by score as it is returned, then by number."""
    scores = scores.astype(np.float32)
    order = sorted(np.flatnonzero(scores > 0).tolist(), key=lambda i: (-scores[i], numbers[i]))[:depth]
    return [int(numbers[i]) for i in order], [float(scores[i]) for i in order]


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
            segment = count_tokens(own, *_flat([bags[n] for n in own]))
            right = accumulate(segment, groups, scorer)
            expected = by_hand(own, np.where(allowed[own], right, 0.0), depth)
            best = index.best(lang, groups, scorer, depth, allowed)
            assert (best.passages.tolist(), best.scores.tolist()) == expected


def _flat(bags):
    return np.array([t for bag in bags for t in bag], dtype=np.int64), np.array([len(bag) for bag in bags])


def test_a_segment_merged_is_the_segment_built_at_once(tmp_path):
    rng = np.random.default_rng(9)
    bags = [bag for bag in random_bags(rng, 900, 40)]
    numbers = np.arange(900) * 3 + 7
    whole = count_tokens(numbers, *_flat(bags))
    parts = [count_tokens(numbers[r], *_flat([bags[i] for i in r])) for r in np.array_split(np.arange(900), 7)]
    merged = merge_postings(parts)
    mapped = stored(merged, tmp_path / "p.postings")
    for name in ("numbers", "lengths", "terms", "starts", "totals", "rows", "weights", "maxima", "block_starts"):
        assert np.array_equal(getattr(whole, name), getattr(merged, name)), name
        assert np.array_equal(getattr(whole, name), getattr(mapped, name)), name
    assert whole.weights.dtype == merged.weights.dtype == mapped.weights.dtype


def test_a_block_keeps_its_largest_weight():
    rng = np.random.default_rng(2)
    bags = [[1] * int(n) for n in rng.integers(1, 300, 3 * BLOCK + 5)]
    postings = count_tokens(np.arange(len(bags)), *_flat(bags))
    sizes = [len(bag) for bag in bags]
    assert postings.weights.dtype == np.uint16
    assert postings.maxima.tolist() == [max(sizes[i : i + BLOCK]) for i in range(0, len(sizes), BLOCK)]
    assert postings.totals.tolist() == [sum(sizes)]


@needs_numba
@pytest.mark.parametrize("seed", range(3))
def test_numba_and_numpy_agree(tmp_path, seed):
    rng = np.random.default_rng(seed)
    bags = random_bags(rng, 700, 60) + [[1] * 300] * (seed == 2)
    segment = stored(count_tokens(np.arange(len(bags)), *_flat(bags)), tmp_path / "p")
    fast = compiled().accumulate
    for groups in (random_groups(rng), random_groups(rng, 40, 12)):
        for scorer, _ in scorers(rng, len(groups)):
            slow, quick = accumulate(segment, groups, scorer), fast(segment, groups, scorer, len(bags), 0.0, None)
            if scorer.curve == "logarithm":
                # The two libraries' logarithms may differ in the last bit.
                assert np.allclose(slow, quick, rtol=1e-12, atol=0)
            else:
                assert np.array_equal(slow, quick)


@needs_numba
@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_out_is_not_among_the_best(tmp_path, seed):
    """Frequent terms of little weight, rare ones of much: the best are those of all scores, with a mask, a limit or
    neither, and where equal scores stand at the end of the list."""
    rng = np.random.default_rng(seed)
    bags = random_bags(rng, 3000, 30)
    segment = stored(count_tokens(np.arange(3000), *_flat(bags)), tmp_path / "p")
    # Leaving out pays where many postings are left: groups of frequent terms, several times the same.
    starts = np.array([0, 1, 2, *range(8, 8 + 6 * 12, 6)])
    terms = np.array([45, 33, *[*range(1, 7), *range(3, 9)] * 6])
    groups = Groups(starts, terms, np.concatenate(([1.0, 1.0], rng.uniform(0.05, 1, 72))))
    light, lighter = np.array([9.0, 7] + [0.01, 0.003] * 6), np.array([9.0, 7] + [0.05, 0.02] * 6)
    for scorer in (Dot(light), BM25Scorer(lighter, 14.0)):
        exact = accumulate(segment, groups, scorer)
        spared = 0
        for depth in (1, 5, 20, 100):
            for allowed in (None, rng.random(3000) < 0.3):
                open_to = np.where(allowed, exact, 0.0) if allowed is not None else exact
                right = by_hand(np.arange(3000), open_to, depth)
                limits = [0.0, right[1][-1], right[1][len(right[1]) // 2]]
                for limit in limits:
                    found = compiled().accumulate(segment, groups, scorer, depth, limit, allowed)
                    assert set(found[found > 0].tolist()) <= set(exact.tolist())
                    if allowed is not None:
                        found = np.where(allowed, found, 0.0)
                    numbers, scores = by_hand(np.arange(3000), found, depth)
                    sure = [score for score in right[1] if score >= limit]
                    assert (numbers[: len(sure)], scores[: len(sure)]) == (right[0][: len(sure)], sure)
                    spared += int((found > 0).sum() < (open_to > 0).sum())
        assert spared


@pytest.mark.parametrize("way", ["numpy", pytest.param("numba", marks=needs_numba)])
@given(
    st.lists(st.sampled_from([0.0, 0.5, 0.7, 0.7 + 1e-9, 1.0, 3.0]), max_size=40),
    st.integers(0, 12),
    st.floats(0, 2),
    st.one_of(st.none(), st.integers(0, 2**40 - 1)),
)
def test_the_best_lie_above_the_limit(way, scores, depth, limit, mask):
    """All of the best `depth`, equal ones in float32 among them, unless they lie below the limit; nothing forbidden."""
    values = np.array(scores, dtype=np.float64)
    allowed = None if mask is None else np.array([bool(mask >> row & 1) for row in range(len(scores))], dtype=np.bool_)
    kernel = NUMPY if way == "numpy" else compiled()
    rows, found, new = kernel.above(values, depth, limit, allowed)
    open_to = [row for row in range(len(scores)) if scores[row] > 0 and (allowed is None or allowed[row])]
    best = sorted((scores[row] for row in open_to), reverse=True)
    least = best[depth - 1] if 0 < depth <= len(best) else 0.0
    wanted = {row for row in open_to if np.float32(scores[row]) >= np.float32(least) and scores[row] >= limit}
    assert wanted <= set(rows.tolist()) <= set(open_to)
    assert rows.tolist() == sorted(rows.tolist())
    assert found.tolist() == values[rows].astype(np.float32).tolist()
    assert limit <= new <= max(limit, least)
    assert all(scores[row] >= limit * SAME for row in rows)


@needs_numba
def test_a_large_index_is_searched_by_compiled_loops(tmp_path, monkeypatch):
    rng = np.random.default_rng(8)
    _, _, state = random_index(rng, tmp_path / "p")
    groups = random_groups(rng)
    scorer = Dot(np.ones(len(groups)))
    slow = [Impact(tmp_path / "p", state).best(lang, groups, scorer, 50) for lang in LANGS]
    monkeypatch.setattr(module, "COMPILED_TOKENS", 0)
    index = Impact(tmp_path / "p", state)
    quick = [index.best(lang, groups, scorer, 50) for lang in LANGS]
    assert index._kernel is not NUMPY
    for one, other in zip(slow, quick, strict=True):
        assert np.array_equal(one.passages, other.passages)
        assert np.array_equal(one.scores, other.scores)


@needs_numba
def test_a_small_index_is_searched_by_compiled_loops_after_many_searches(tmp_path, monkeypatch):
    rng = np.random.default_rng(9)
    _, _, state = random_index(rng, tmp_path / "p")
    monkeypatch.setattr(module, "COMPILED_SEARCHES", 3)
    index = Impact(tmp_path / "p", state)
    groups = random_groups(rng)
    scorer = Dot(np.ones(len(groups)))
    kernels, answers = [], []
    for _ in range(5):
        answers.append(index.best("de", groups, scorer, 50))
        kernels.append(index._kernel is NUMPY)
    assert kernels == [True, True, True, False, False]
    assert all(np.array_equal(answer.scores, answers[0].scores) for answer in answers)


@needs_numba
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), commits=st.integers(1, 12), depth=st.integers(1, 40), masked=st.booleans())
def test_languages_together_are_languages_apart(tmp_path_factory, seed, commits, depth, masked):
    """One compiled call over all languages' segments, whose weights take one byte or two, gives what NumPy gives
    of each, those asked for alone, in any order, one that is not there among them."""
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("p")
    bags = random_bags(rng, 80)
    bags[7] = [1] * 300 + [2]
    _, _, state = random_index(rng, folder, commits=commits, bags=bags)
    langs = [*rng.permutation(LANGS).tolist(), "xx"][: rng.integers(1, 5)]
    groups = LanguageGroups.joined([random_groups(rng) for _ in langs])
    allowed = rng.random(80) < 0.7 if masked else None
    together, apart = Impact(folder, state), Impact(folder, state)
    together._kernel = compiled()
    assert together.counts(langs, groups).tolist() == apart.counts(langs, groups).tolist()
    weights, average = rng.uniform(0, 2, (len(langs), 6)), rng.uniform(5, 20, len(langs))
    for scorer in (
        Dot(weights),
        BM25Scorer(weights, average),
        HMMScorer(weights, rng.uniform(0.001, 0.1, weights.shape)),
    ):
        quick, slow = (index.likely(langs, groups, scorer, depth, allowed) for index in (together, apart))
        for one, other in zip(quick, slow, strict=True):
            ones, others = Best.of_each([one], depth), Best.of_each([other], depth)
            assert ones.passages.tolist() == others.passages.tolist()
            assert ones.scores.tolist() == others.scores.tolist()


@needs_numba
def test_compiled_loops_name_the_language_that_is_damaged(tmp_path):
    _, _, state = random_index(np.random.default_rng(3), tmp_path / "p")
    groups = random_groups(np.random.default_rng(1))
    index = Impact(tmp_path / "p", state)
    index._kernel = compiled()
    (segment, *_) = index._segments["en"]
    index._segments["en"][0] = replace(segment, rows=np.full_like(segment.rows, len(segment.numbers)))
    with pytest.raises(IndexDamaged, match="'en'"):
        index.likely(["de", "en"], LanguageGroups.joined([groups] * 2), Dot(np.ones((2, len(groups)))), 5)


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
    whole = count_tokens(np.arange(600), *_flat(bags))
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
