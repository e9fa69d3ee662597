"""8-bit codes: sums that never round, bytes that FAISS takes for its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from retrieve_oracles import unit

from xsearch.core import IndexDamaged
from xsearch.retrieve.codes import Quantizer, decode, dot, header, map_codes, usual_clip
from xsearch.retrieve.dense import merge_from


def quantizer_for(dim):
    return Quantizer(dim, usual_clip(dim))


components = st.floats(-1e3, 1e3, width=32)


@given(st.integers(1, 90).flatmap(lambda dim: arrays(np.float32, (3, dim), elements=components)))
@settings(deadline=None)
def test_a_query_is_small_enough_for_every_partial_sum(vectors):
    quantizer = quantizer_for(vectors.shape[1])
    integers, factors = quantizer.encode_queries(vectors)
    assert np.array_equal(integers, np.rint(integers))
    assert np.abs(integers).max() <= 127
    assert 255 * np.abs(integers.astype(np.float64)).sum(axis=1).max() < 2**24
    assert np.array_equal(factors > 0, vectors.any(axis=1))


@pytest.mark.parametrize("dim", [1, 2, 256, 1024, 4096, 20_000])
@pytest.mark.parametrize("spread", ["equal", "one", "normal"])
def test_products_are_whole_numbers_whatever_the_dimension(dim, spread):
    rng = np.random.default_rng(dim)
    query = {"equal": np.ones(dim), "one": np.eye(1, dim)[0] + 1e-9, "normal": rng.standard_normal(dim)}[spread]
    integers, _ = quantizer_for(dim).encode_queries(query[None].astype(np.float32))
    # All codes at their largest with the query's signs: the largest sum there can be.
    signs = np.where(integers[0] < 0, -127, 127)
    codes = np.stack([signs, -signs, rng.integers(-127, 128, dim)]) + 128
    expected = (codes - 128).astype(np.int64) @ integers[0].astype(np.int64)
    assert np.array_equal(dot(codes.astype(np.uint8), integers)[:, 0].astype(np.int64), expected)


def test_blocks_and_chosen_rows_give_the_same_products():
    rng = np.random.default_rng(0)
    codes = rng.integers(1, 256, (5000, 130), dtype=np.uint8)
    queries = rng.integers(-127, 128, (3, 130)).astype(np.float32)
    expected = decode(codes).astype(np.int64) @ queries.T.astype(np.int64)
    rows = np.flatnonzero(rng.random(5000) < 0.3)
    assert np.array_equal(dot(codes, queries), expected)
    assert np.array_equal(dot(codes, queries, rows), expected[rows])


def test_codes_are_within_half_a_step_and_clipped():
    quantizer = Quantizer(4, 0.5)
    vectors = np.array([[0.5, -0.5, 0.9, -1.0], [0.25, 0.001, -0.0021, 0.0]], dtype=np.float32)
    assert quantizer.encode(vectors).tolist() == [[255, 1, 255, 1], [128 + 64, 128, 127, 128]]
    rng = np.random.default_rng(1)
    inside = (rng.random((50, 4)).astype(np.float32) - 0.5) * 0.999
    assert np.abs(decode(quantizer.encode(inside)) * 0.5 / 127 - inside).max() <= 0.5 * 0.5 / 127 + 1e-7


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused(bad):
    vectors = np.ones((2, 3), dtype=np.float32)
    vectors[1, 2] = bad
    with pytest.raises(ValueError, match="not finite"):
        quantizer_for(3).encode(vectors)


@pytest.mark.parametrize("dim", [64, 256, 768])
@pytest.mark.parametrize("axes", ["alike", "a few large"])
def test_little_is_lost(dim, axes):
    rng = np.random.default_rng(dim)
    spectrum = np.ones(dim) if axes == "alike" else np.arange(1, dim + 1) ** -0.2
    topics = rng.standard_normal((300, dim)) * spectrum
    passages = unit(np.repeat(topics, 10, axis=0) + rng.standard_normal((3000, dim)) * spectrum)
    queries = unit(topics[:100] + 0.5 * rng.standard_normal((100, dim)) * spectrum)
    quantizer = quantizer_for(dim)
    integers, factors = quantizer.encode_queries(queries)
    approximate = dot(quantizer.encode(passages), integers).T * factors[:, None]
    exact = queries @ passages.T
    assert np.abs(approximate - exact).max() < 0.03
    kept = [np.isin(*(np.argsort(-row)[:10] for row in pair)).mean() for pair in zip(exact, approximate, strict=True)]
    assert np.mean(kept) > 0.95


@pytest.mark.parametrize(("rows", "dim"), [(1, 1), (3, 7), (1000, 256), (17, 1024)])
def test_the_file_is_what_faiss_writes(tmp_path, rows, dim):
    faiss = pytest.importorskip("faiss")
    codes = np.random.default_rng(rows).integers(1, 256, (rows, dim), dtype=np.uint8)
    index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT)
    index.add(decode(codes))
    faiss.write_index(index, str(tmp_path / "theirs"))
    ours = header(rows, dim) + codes.tobytes()
    assert ours == (tmp_path / "theirs").read_bytes()
    (tmp_path / "ours").write_bytes(ours)
    whole, mapped = map_codes(tmp_path / "ours", rows, dim)
    assert whole.nbytes == len(ours)
    assert np.array_equal(mapped, codes)


@given(st.binary(max_size=200))
def test_other_bytes_are_damage(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("codes") / "0-1.faiss"
    path.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"check --repair"):
        map_codes(path, 2, 3)


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=200))
@settings(deadline=None)
def test_merging_keeps_few_segments_and_rewrites_little(commits):
    segments: list[int] = []
    written = 0
    for windows in commits:
        segments.append(windows)
        if len(segments) > 8:
            start = merge_from(segments)
            assert start <= len(segments) - 2
            assert start == 0 or segments[start - 1] >= 2 * sum(segments[start:])
            written += sum(segments[start:])
            segments[start:] = [sum(segments[start:])]
    assert len(segments) <= 8
    assert sum(segments) == sum(commits)
    assert written <= sum(commits) * np.log2(2 * max(2, sum(commits)))
