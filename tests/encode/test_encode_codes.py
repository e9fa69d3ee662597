"""Coded rows: by hand, against brute force and a published optimum, and the error they cost."""

import numpy as np
import pytest

from xsearch.encode.codes import CodedRows, code_rows, learn_codebook, nearest


def test_rows_by_hand():
    codebook = np.zeros((256, 2), dtype=np.float32)
    codebook[3], codebook[200] = (1, -2), (0.5, 4)
    table = CodedRows(np.array([[3, 200], [200, 200]], np.uint8), np.array([2, 0.5], np.float16), codebook, 3)
    assert table.rows(np.array([1, 0])).tolist() == [[0.25, 2.0, 0.25], [2.0, -4.0, 1.0]]


def test_nearest_is_the_nearest():
    rng = np.random.default_rng(1)
    tuples = rng.standard_normal((5000, 3)).astype(np.float32)
    codebook = rng.standard_normal((256, 3)).astype(np.float32)
    distances = np.linalg.norm(tuples[:, None].astype(float) - codebook, axis=2)
    chosen = np.take_along_axis(distances, nearest(tuples, codebook)[:, None].astype(int), axis=1)[:, 0]
    np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-4, atol=1e-6)


def test_few_different_tuples_are_all_represented_exactly():
    tuples = np.repeat(np.array([[1, 2], [3, 4], [-5, 6]], dtype=np.float32), 400, axis=0)
    codebook = learn_codebook(tuples, np.random.default_rng(2))
    assert np.array_equal(codebook[nearest(tuples, codebook)], tuples)


@pytest.mark.parametrize(("group", "scalar"), [(2, 0.01154), (4, 0.1175)])
def test_a_gaussian_costs_less_than_the_best_scalar_levels(group, scalar):
    # Max 1960, "Quantizing for minimum distortion", table I: 16 and 4 levels, as many bits as 256 pairs and quadruples
    values = np.random.default_rng(3).standard_normal((60_000, group)).astype(np.float32)
    codebook = learn_codebook(values[:30_000], np.random.default_rng(4))
    fresh = values[30_000:]
    error = np.mean((codebook[nearest(fresh, codebook)] - fresh) ** 2)
    assert scalar / 2 < error < scalar


@pytest.mark.parametrize(("group", "error"), [(1, 0.02), (2, 0.12), (3, 0.24), (4, 0.36)])
def test_coded_rows_keep_length_and_nearly_direction(group, error):
    table = np.random.default_rng(5).standard_normal((2000, 50)).astype(np.float32)
    table *= np.linspace(0.1, 5, 2000, dtype=np.float32)[:, None]
    coded = code_rows(table, group, np.random.default_rng(6))
    back = coded.rows(np.arange(2000))
    assert coded.codes.shape == (2000, -(-50 // group))
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), np.linalg.norm(table, axis=1), rtol=2e-3)
    apart = np.linalg.norm(back - table, axis=1) / np.linalg.norm(table, axis=1)
    assert np.sqrt(np.mean(apart**2)) < error


def test_zero_row_stays_finite():
    coded = code_rows(np.zeros((1, 8), dtype=np.float32), 2, np.random.default_rng(7))
    assert coded.rows(np.array([0])).tolist() == [[0.0] * 8]


@pytest.mark.parametrize(("dim", "group"), [(10, 3), (12, 3), (16, 4), (7, 2), (9, 1), (30, 9)])
def test_rows_in_eight_bits_have_the_products_of_rows(dim, group):
    rng = np.random.default_rng(dim)
    coded = code_rows(rng.standard_normal((300, dim)).astype(np.float32), group, rng)
    numbers = rng.integers(0, 300, 40)
    integers, scales = coded.integers(numbers)
    assert integers.dtype == np.int8
    near = integers.astype(np.float64) * scales[:, None]
    rows = coded.rows(numbers).astype(np.float64)
    assert np.allclose(near @ near.T, rows @ rows.T, atol=0.03 * (rows**2).sum(axis=1).max())
