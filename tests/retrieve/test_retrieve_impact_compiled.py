"""Searching postings by compiled loops gives the answers of NumPy, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impact_oracles import (
    LANGS,
    by_hand,
    flat,
    random_bags,
    random_groups,
    random_index,
    scorers,
    stored,
)

from xsearch.core import IndexDamaged
from xsearch.core.extras import have
from xsearch.retrieve import impact as module
from xsearch.retrieve.accumulate import NUMPY, SAME, accumulate, compiled
from xsearch.retrieve.best import Best
from xsearch.retrieve.impact import Impact
from xsearch.retrieve.postings import count_tokens
from xsearch.retrieve.scorers import BM25Scorer, Dot, Groups, HMMScorer, LanguageGroups

needs_numba = pytest.mark.skipif(not have("numba"), reason="numba is not installed")


@needs_numba
@pytest.mark.parametrize("seed", range(3))
def test_numba_and_numpy_agree(tmp_path, seed):
    rng = np.random.default_rng(seed)
    bags = random_bags(rng, 700, 60) + [[1] * 300] * (seed == 2)
    segment = stored(count_tokens(np.arange(len(bags)), *flat(bags)), tmp_path / "p")
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
    segment = stored(count_tokens(np.arange(3000), *flat(bags)), tmp_path / "p")
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
