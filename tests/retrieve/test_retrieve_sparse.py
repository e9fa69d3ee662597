"""Learned sparse retrieval against dense matrix products: scores, languages, masks, backgrounds, merged segments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import PassageBatch, Query, SparseVectors
from xsearch.retrieve import Sparse, SparseWriter
from xsearch.storage import DiskFiles

VOCABULARY = 50
LANGS = ("de", "en", "fa")


def rows_of(matrix):
    """A matrix as sparse rows."""
    text, terms = np.nonzero(matrix)
    starts = np.concatenate(([0], np.cumsum(np.bincount(text, minlength=len(matrix)))))
    return SparseVectors(starts, terms.astype(np.int32), matrix[text, terms].astype(np.float32))


def random_weights(rng, count, share=0.2):
    held = rng.random((count, VOCABULARY)) < share
    return np.where(held, rng.integers(1, 4000, held.shape) / 1000, 0.0)


def build(folder, weights, langs, commits):
    state, before = {}, 0
    for rows in np.array_split(np.arange(len(weights)), commits):
        writer = SparseWriter(folder, state, high_water=before, files=DiskFiles())
        writer.add(PassageBatch(rows, [langs[r] for r in rows], (), (), weights=rows_of(weights[rows])))
        state, before = writer.flush(), before + len(rows)
        writer.close()
    return state


def query(weights):
    return Query("", (("en", 1.0),), weights=rows_of(weights[None, :]))


@pytest.mark.parametrize("commits", [1, 12])
def test_scores_are_dot_products(tmp_path, commits):
    rng = np.random.default_rng(commits)
    weights, langs = random_weights(rng, 300), rng.choice(LANGS, 300).tolist()
    reader = Sparse(tmp_path, build(tmp_path, weights, langs, commits))
    spoken = np.array(langs)
    allowed = rng.random(300) < 0.5
    for _ in range(20):
        asked = random_weights(rng, 1)[0]
        scores = weights @ asked
        for mask in (None, allowed):
            ranking = reader.search(query(asked), 5, mask)
            for lang in LANGS:
                inside = (spoken == lang) & (scores > 0) & (mask if mask is not None else True)
                expected = sorted(np.flatnonzero(inside), key=lambda p: (-np.float32(scores[p]), p))[:5]
                found = [p for p in ranking.passages.tolist() if spoken[p] == lang]
                np.testing.assert_allclose(scores[found], scores[expected], rtol=1e-6)
                mean, deviation = ranking.background[lang]
                assert mean == pytest.approx(scores[spoken == lang].mean())
                assert deviation == pytest.approx(scores[spoken == lang].std())
            np.testing.assert_allclose(ranking.scores, scores[ranking.passages], rtol=1e-6)
    assert reader.search(query(asked), 3, langs=["fa"]).background.keys() == {"fa"}
    assert len(reader.search(Query("", (("en", 1.0),)), 5)) == 0


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.integers(0, 2**31 - 1), st.floats(0, 100, width=32), max_size=6), min_size=1))
def test_any_weights(tmp_path_factory, passages):
    rows = [sorted(row.items()) for row in passages]
    starts = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    terms = np.array([term for row in rows for term, _ in row], dtype=np.int32)
    values = np.array([weight for row in rows for _, weight in row], dtype=np.float32)
    folder = tmp_path_factory.mktemp("sparse")
    writer = SparseWriter(folder, {}, high_water=0, files=DiskFiles())
    batch = PassageBatch(np.arange(len(rows)), ["en"] * len(rows), (), (), weights=SparseVectors(starts, terms, values))
    writer.add(batch)
    reader = Sparse(folder, writer.flush())
    asked = SparseVectors(np.array([0, len(rows[0])]), terms[: len(rows[0])], np.ones(len(rows[0]), np.float32))
    ranking = reader.search(Query("", (("en", 1.0),), weights=asked), len(rows))
    wanted = {term for term, _ in rows[0]}
    for passage, score in zip(ranking.passages.tolist(), ranking.scores.tolist(), strict=True):
        expected = sum(weight for term, weight in rows[passage] if term in wanted)
        assert score == pytest.approx(expected, abs=0.0006 * len(wanted), rel=1e-5)
