"""Residual codes of token vectors: bits by hand, the best weights, the centroids."""

from __future__ import annotations

import numpy as np
import pytest
from colbert_oracles import DIM
from hypothesis import given
from hypothesis import strategies as st
from retrieve_oracles import unit

from xsearch.retrieve.colbert import centroids, codebook


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


def test_centroids_take_a_byte_a_component(tmp_path):
    rng = np.random.default_rng(3)
    # A component of 1 is one step more than a byte holds.
    middles = np.vstack([unit(rng.standard_normal((50, DIM))), np.eye(1, DIM), -np.eye(1, DIM)]).astype(np.float32)
    cells = np.arange(52)
    book = codebook.learn_codebook(middles, middles, cells, 2)
    assert np.abs(book.centroids / 2048 - middles).max() <= 1 / 128
    path = tmp_path / "52.codebook"
    path.write_bytes(codebook.packed_codebook(book))
    assert path.stat().st_size == 32 + 2 * 4 + 52 * DIM
    again = codebook.read_codebook(path, DIM, 2)
    assert np.array_equal(again.centroids, book.centroids)
    assert np.array_equal(again.weights, book.weights)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_weights_beat_the_quantiles_they_start_from(bits):
    rng = np.random.default_rng(bits)
    middles = unit(rng.standard_normal((8, DIM)))
    cells = rng.integers(0, 8, 4000)
    vectors = unit(middles[cells] + 0.05 * rng.standard_normal((4000, DIM)))
    book = codebook.learn_codebook(middles, vectors, cells, bits)
    residuals = (np.rint(vectors * 2048) - 16 * np.rint(middles * 128)[cells]).ravel()
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
