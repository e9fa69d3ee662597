"""Coded rows: by hand, against the published optimum, and the error they cost."""

import numpy as np
import pytest

from xsearch.encode.codes import LEVELS, CodedRows, codes_per_byte, encode_rows, fit_levels


@pytest.mark.parametrize(("levels", "codes"), [(3, 5), (4, 4), (6, 3), (16, 2)])
def test_codes_per_byte(levels, codes):
    assert codes_per_byte(levels) == codes


def test_rows_by_hand():
    # levels 0, 1, 2 (base 3), five codes a byte, lowest digit first: [0, 1, 2, 1, 0] = 0 + 3 + 18 + 27 + 0 = 48
    levels = np.array([-1.0, 0.0, 2.0], dtype=np.float32)
    table = CodedRows(np.array([[48]], dtype=np.uint8), np.array([0.5], dtype=np.float16), levels, 5)
    assert table.rows(np.array([0])).tolist() == [[-0.5, 0.0, 1.0, 0.0, -0.5]]


def test_fitted_levels_are_the_known_optimum_for_a_gaussian():
    # Max 1960, "Quantizing for minimum distortion", table I: four levels at ±0.4528 and ±1.510, error 0.1175
    values = np.random.default_rng(0).standard_normal(400_000).astype(np.float32)
    levels = fit_levels(values, 4)
    assert levels == pytest.approx([-1.510, -0.4528, 0.4528, 1.510], abs=0.02)
    nearest = levels[np.abs(values[:20_000, None] - levels).argmin(axis=1)]
    assert np.mean((values[:20_000] - nearest) ** 2) == pytest.approx(0.1175, abs=0.005)


@pytest.mark.parametrize(("levels", "error"), [(3, 0.45), (4, 0.36), (6, 0.25), (16, 0.11)])
@pytest.mark.parametrize("dim", [16, 250])
def test_coded_rows_keep_length_and_nearly_direction(levels, error, dim):
    table = np.random.default_rng(1).standard_normal((300, dim)).astype(np.float32)
    table *= np.linspace(0.1, 5, 300, dtype=np.float32)[:, None]
    levels_found = fit_levels(table / np.linalg.norm(table, axis=1, keepdims=True) * np.sqrt(dim), levels)
    coded = encode_rows(table, levels_found)
    back = coded.rows(np.arange(300))
    assert coded.codes.shape == (300, -(-dim // codes_per_byte(levels)))
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), np.linalg.norm(table, axis=1), rtol=2e-3)
    apart = np.linalg.norm(back - table, axis=1) / np.linalg.norm(table, axis=1)
    assert np.sqrt(np.mean(apart**2)) < error


def test_each_number_gets_its_nearest_level():
    rng = np.random.default_rng(2)
    table = rng.standard_normal((20, 12)).astype(np.float32)
    table *= np.sqrt(12) / np.linalg.norm(table, axis=1, keepdims=True)
    for count in LEVELS:
        levels = np.sort(rng.standard_normal(count)).astype(np.float32)
        coded = encode_rows(table, levels)
        back = coded.rows(np.arange(20)) / coded.scales.astype(np.float32)[:, None]
        nearest = levels[np.abs(table[:, :, None] - levels).argmin(axis=2)]
        np.testing.assert_allclose(back, nearest, rtol=1e-5)


def test_zero_row_stays_finite():
    coded = encode_rows(np.zeros((1, 8), dtype=np.float32), np.array([-1.0, 0.0, 1.0], dtype=np.float32))
    assert coded.rows(np.array([0])).tolist() == [[0.0] * 8]
