"""Translation tables: reading, normalising, composing; against dense matrices and broken files."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import IndexDamaged
from xsearch.lang.translation import Limits, TranslationTables
from xsearch.lang.translation_file import PairTable, code_weights, read_tables, write_tables

ALL = Limits(min_probability=0.0, cumulative=2.0, alternatives=10_000)
VOCABULARY = 103


def pair(rows, columns, matrix, **scores):
    """A table from a dense matrix of weights."""
    matrix = np.asarray(matrix, dtype=np.float32)
    at, places = np.nonzero(matrix)
    return PairTable(rows, columns, np.bincount(at, minlength=len(matrix)), places, matrix[at, places], **scores)


def rounded(matrix):
    """A matrix with its weights as the file keeps them."""
    matrix = np.asarray(matrix, dtype=np.float64)
    kept = np.zeros_like(matrix)
    kept[matrix > 0] = np.exp2(-code_weights(matrix[matrix > 0]).astype(float) / 12)
    return kept


def random_matrix(rng, rows, columns, share=0.3):
    matrix = rng.random((rows, columns)) * (rng.random((rows, columns)) < share)
    return np.where(matrix > 0, np.maximum(matrix, 1e-4), 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four languages of random vocabularies; el only rows of a pair with en as columns; de and ru direct too."""
    rng = np.random.default_rng(3)
    languages = {
        code: np.sort(rng.choice(VOCABULARY, size, replace=False))
        for code, size in (("en", 30), ("de", 25), ("ru", 20), ("el", 22), ("xx", 5))
    }
    size = {code: len(held) for code, held in languages.items()}
    dense = {
        ("en", "de"): random_matrix(rng, size["en"], size["de"]),
        ("en", "ru"): random_matrix(rng, size["en"], size["ru"]),
        ("el", "en"): random_matrix(rng, size["el"], size["en"]),
        ("de", "ru"): random_matrix(rng, size["de"], size["ru"]),
        ("en", "xx"): random_matrix(rng, size["en"], size["xx"], 0.9),
    }
    scores = {
        ("en", "de"): (0.8, 0.7),
        ("en", "ru"): (0.5, 0.4),
        ("el", "en"): (0.6, 0.9),
        ("de", "ru"): (0.3, 0.2),
        ("en", "xx"): (0.05, 0.05),
    }
    path = tmp_path_factory.mktemp("tables") / "small.tables"
    pairs = [pair(*key, matrix, there=scores[key][0], back=scores[key][1]) for key, matrix in dense.items()]
    write_tables(path, VOCABULARY, "abc", languages, pairs)
    return path, languages, {key: rounded(matrix) for key, matrix in dense.items()}


def conditional(matrix):
    sums = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)


def expected(languages, dense, source, target):
    """p(target | source) over all pieces of the encoder, by the definition."""

    def one(a, b):
        local = conditional(dense[a, b] if (a, b) in dense else dense[b, a].T)
        full = np.zeros((VOCABULARY, VOCABULARY))
        full[np.ix_(languages[a], languages[b])] = local
        return full

    if source == target:
        return np.eye(VOCABULARY)
    known = (source, target) in dense or (target, source) in dense
    full = one(source, target) if known else one(source, "en") @ one("en", target)
    if known and "en" not in (source, target):
        through = one(source, "en") @ one("en", target)
        both = (full.sum(axis=1) > 0) & (through.sum(axis=1) > 0)
        full = np.where(both[:, None], (full + through) / 2, full + through)
    silent = full.sum(axis=1) == 0
    full[silent] = np.eye(VOCABULARY)[silent]
    return full


def as_dense(translations):
    full = np.zeros((len(translations.starts) - 1, VOCABULARY))
    owners = np.repeat(np.arange(len(full)), np.diff(translations.starts))
    assert len(set(zip(owners.tolist(), translations.tokens.tolist(), strict=True))) == len(owners)
    full[owners, translations.tokens] = translations.probabilities
    return full


def test_a_language_without_a_table_has_that_of_its_macrolanguage(tmp_path):
    rng = np.random.default_rng(5)
    languages = {code: np.arange(VOCABULARY) for code in ("en", "ar", "arz")}
    dense = {("en", code): random_matrix(rng, VOCABULARY, VOCABULARY) for code in ("ar", "arz")}
    write_tables(tmp_path / "t", VOCABULARY, "abc", languages, [pair(*key, matrix) for key, matrix in dense.items()])
    tables = TranslationTables.open(tmp_path / "t")
    every = np.arange(VOCABULARY)
    found = tables.translate(every, "en", ["ar", "arz", "apc", "yue"], ALL)
    assert set(found) == {"ar", "arz", "apc"}
    assert as_dense(found["apc"]) == pytest.approx(as_dense(found["ar"]))
    assert as_dense(found["arz"]) != pytest.approx(as_dense(found["ar"]))
    back = [as_dense(tables.translate(every, source, ["en"], ALL)["en"]) for source in ("apc", "ar")]
    assert back[0] == pytest.approx(back[1])
    assert tables.supports("apc", "ar") == tables.supports("apc", "en") == 1.0
    assert tables.supports("yue", "en") == 0.0


@pytest.mark.parametrize("source", ["en", "de", "ru", "el"])
def test_all_pairs_equal_products_of_dense_matrices(made, source):
    path, languages, dense = made
    tables = TranslationTables.open(path)
    tokens = np.array([7, 99, 7, *range(VOCABULARY)], dtype=np.int32)
    found = tables.translate(tokens, source, ["en", "de", "ru", "el"], ALL)
    assert set(found) == {"en", "de", "ru", "el"}
    for target, translations in found.items():
        full = expected(languages, dense, source, target)[tokens]
        assert as_dense(translations) == pytest.approx(full, abs=1e-5), target
        assert translations.tokens.dtype == np.int32
        assert translations.probabilities.dtype == np.float32


def test_limits_by_hand(tmp_path):
    path = tmp_path / "t"
    weights = [[1.0, 0.5, 0.25, 0.25, 0.0]]
    write_tables(path, 10, "", {"en": np.array([4]), "de": np.arange(5)}, [pair("en", "de", weights)])
    tables = TranslationTables.open(path)

    def kept(**limits):
        found = tables.translate(np.array([4]), "en", ["de"], Limits(**limits))["de"]
        return dict(zip(found.tokens.tolist(), found.probabilities.tolist(), strict=True))

    assert kept(min_probability=0, cumulative=1, alternatives=9) == {0: 0.5, 1: 0.25, 2: 0.125, 3: 0.125}
    assert kept(min_probability=0.2, cumulative=1, alternatives=9) == {0: 0.5, 1: 0.25}
    assert kept(min_probability=0, cumulative=0.75, alternatives=9) == {0: 0.5, 1: 0.25}
    assert kept(min_probability=0, cumulative=0.76, alternatives=9) == {0: 0.5, 1: 0.25, 2: 0.125}
    assert kept(min_probability=0, cumulative=1, alternatives=1) == {0: 0.5}


def test_support_is_the_score_of_the_best_path(made):
    tables = TranslationTables.open(made[0])
    assert tables.supports("en", "de") == pytest.approx(0.8)
    assert tables.supports("de", "en") == pytest.approx(0.7)
    assert tables.supports("de", "ru") == pytest.approx(0.7 * 0.5)  # better than the direct .3
    assert tables.supports("el", "ru") == pytest.approx(0.6 * 0.5)
    assert tables.supports("de", "de") == 1
    assert tables.supports("en", "xx") == 0  # below the floor
    assert tables.supports("en", "tlh") == 0
    assert tables.supports("en-Latn", "de-Latn") == pytest.approx(0.8)


def test_languages_without_a_path_are_left_out(made):
    tables = TranslationTables.open(made[0])
    found = tables.translate(np.array([1, 2]), "de", ["ru", "xx", "tlh", "de-Latn"])
    assert set(found) == {"ru", "de-Latn"}
    assert found["de-Latn"].tokens.tolist() == [1, 2]
    assert tables.translate(np.array([1]), "tlh", ["en", "tlh"])["tlh"].tokens.tolist() == [1]
    assert tables.languages() == ("en", "de", "ru", "el", "xx")
    assert ("de", "ru") in tables.pairs()
    assert tables.vocabulary == "abc"


def test_no_tokens(made):
    found = TranslationTables.open(made[0]).translate(np.zeros(0, dtype=np.int32), "de", ["en", "el", "ru"])
    assert all(translations.starts.tolist() == [0] for translations in found.values())


@given(st.lists(st.floats(1e-6, 1.0), min_size=1))
def test_coded_weights_are_within_three_percent(weights):
    decoded = np.exp2(-code_weights(np.array(weights)).astype(float) / 12)
    assert decoded == pytest.approx(np.array(weights), rel=0.03)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_within_its_bounds(made, tmp_path_factory, data):
    raw = bytearray(made[0].read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, len(raw))) :]
    path = tmp_path_factory.mktemp("damaged") / "t.tables"
    path.write_bytes(raw)
    try:
        tables = TranslationTables.open(path)
        found = tables.translate(np.arange(VOCABULARY), "de", ["en", "ru", "el"])
    except IndexDamaged:
        return
    for translations in found.values():
        assert translations.tokens.min() >= 0
        assert translations.tokens.max() < max(VOCABULARY, tables._file.header.vocabulary)
        assert np.isfinite(translations.probabilities).all()


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(IndexDamaged, match="absent"):
        TranslationTables.open(tmp_path / "absent")
    (tmp_path / "other").write_bytes(b"PK\x03\x04 something else entirely")
    with pytest.raises(IndexDamaged, match="no file of translation tables"):
        TranslationTables.open(tmp_path / "other")


def test_a_file_of_another_format_is_refused_by_its_number(made, tmp_path):
    written = made[0].read_bytes().replace(b'"version":2', b'"version":1').replace(b'"bytes"', b'"bites"')
    (tmp_path / "old").write_bytes(written)
    with pytest.raises(IndexDamaged, match="its format is 1, this program reads 2"):
        TranslationTables.open(tmp_path / "old")


def test_frames_that_hold_something_else_are_noticed(made):
    path, languages, _ = made
    file = read_tables(path)
    de, ru = (list(languages).index(code) for code in ("de", "ru"))
    swapped = file.first_language.copy()
    swapped[[de, de + 1]] = file.first_language[[ru, ru + 1]]
    with pytest.raises(IndexDamaged, match="not as large as the header says"):
        replace(file, first_language=swapped).pieces(de)
    with pytest.raises(IndexDamaged, match="not as large as it should be"):
        replace(file, first_counts=file.first_language).starts(0)
    cut = file.first_counts.copy()
    cut[1] -= 1
    with pytest.raises(IndexDamaged, match="train them again"):
        replace(file, first_counts=cut).starts(0)


def test_equal_tables_have_one_fingerprint_however_they_are_packed(made, tmp_path, monkeypatch):
    path, languages, dense = made
    monkeypatch.setattr("xsearch.lang.translation_file.COMPRESSION", 1)
    again = write_tables(tmp_path / "t", VOCABULARY, "abc", languages, [pair(*key, dense[key]) for key in dense])
    assert again.body == read_tables(path).header.body


def test_rows_of_the_mapped_file(made):
    path, languages, dense = made
    file = read_tables(path)
    assert isinstance(file.places.base, np.memmap | np.ndarray)
    assert file.starts(0)[-1] == file.starts(1)[0] == np.count_nonzero(dense["en", "de"])
    for number, held in enumerate(languages.values()):
        assert file.pieces(number).tolist() == held.tolist()
    assert TranslationTables.open(path).pieces("ru").tolist() == languages["ru"].tolist()
