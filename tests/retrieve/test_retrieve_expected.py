"""Passages translated when they are indexed: counts and scores against dense matrices and queries translated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_retrieve_impact import VOCABULARY, build, matrix, piece_batch, random_bags
from test_retrieve_psq import ALPHA, K1, B, pieces

from xsearch.core import Bags, PassageBatch, Query, Translations
from xsearch.engine.expected import LEAST, ExpectedCounts
from xsearch.lang.translation import TranslationTables
from xsearch.lang.translation_file import PairTable, write_tables
from xsearch.retrieve import PSQ, ExpectedWriter
from xsearch.retrieve.expected import MOST, PLACE, SCALE, expected_of, unchanged
from xsearch.storage import DiskFiles

LANGS = ("de", "en", "fa")
ASKED = ("en", "de")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Random ones between English and the two others; each language has half of the vocabulary."""
    rng = np.random.default_rng(5)
    languages = {lang: np.sort(rng.choice(VOCABULARY, VOCABULARY // 2, replace=False)) for lang in ("en", "de", "fa")}
    pairs = []
    for lang in ("de", "fa"):
        held = rng.random((VOCABULARY // 2, VOCABULARY // 2)) < 0.15
        rows, places = np.nonzero(held)
        weights = rng.uniform(0.05, 1.0, len(rows)).astype(np.float32)
        counts = np.bincount(rows, minlength=VOCABULARY // 2)
        pairs.append(PairTable("en", lang, counts, places, weights, there=0.9, back=0.8))
    path = tmp_path_factory.mktemp("tables") / "random.tables"
    write_tables(path, VOCABULARY, "none", languages, pairs)
    return TranslationTables.open(path)


def translations(tables, asked, lang, tokens) -> tuple[Translations, np.ndarray]:
    """Of `tokens`, as a search has them, and as a matrix p(t | q)."""
    found = tables.translate(np.asarray(tokens), asked, [lang])[lang]
    dense = np.zeros((len(tokens), VOCABULARY))
    owners = np.repeat(np.arange(len(tokens)), np.diff(found.starts))
    dense[owners, found.tokens] = found.probabilities
    return found, dense


def expected_batch(tables, numbers, langs, bags) -> PassageBatch:
    plain = piece_batch(numbers, langs, bags)
    counts = ExpectedCounts(tables, ASKED).of(plain.pieces, langs)
    return PassageBatch(plain.numbers, langs, (), (), None, plain.pieces, expected=counts)


def write(folder, batches, state=None, high_water=0):
    state = state or {"langs": list(ASKED)}
    for batch in batches:
        writer = ExpectedWriter(folder, state, high_water=high_water, files=DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def test_expected_counts_are_the_matrix_product(tables):
    rng = np.random.default_rng(1)
    bags, langs = random_bags(rng, 80), rng.choice(LANGS, 80).tolist()
    batch = piece_batch(range(80), langs, bags)
    found = ExpectedCounts(tables, ASKED).of(batch.pieces, langs)
    counts = matrix(bags)[:, :VOCABULARY]
    for row, lang in enumerate(langs):
        own = dict(
            zip(
                found.terms[found.starts[row] : found.starts[row + 1]].tolist(),
                found.weights[found.starts[row] : found.starts[row + 1]].tolist(),
                strict=True,
            )
        )
        right = {token: times for token, times in enumerate(counts[row]) if times}
        for place, asked in enumerate(ASKED, start=1):
            if asked != lang:
                tokens = tables.pieces(asked)
                made, dense = translations(tables, asked, lang, tokens)
                sums = np.where(unchanged(made, tokens), 0.0, dense @ counts[row])
                right |= {place << PLACE | q: x for q, x in zip(tokens.tolist(), sums, strict=True) if x >= LEAST}
        assert own == pytest.approx(right, rel=1e-5)
        assert list(own) == sorted(own)


def reference(model, counts, tokens, p, as_is, translated) -> np.ndarray:
    """The formulas of `retrieve.psq` over tf as it is kept: of whole counts up to MOST, of translated ones in steps."""
    held = np.minimum(counts, MOST)
    tf = held @ p.T
    if translated:
        expected = (counts @ p.T).astype(np.float32).astype(np.float64)
        steps = np.minimum(np.rint(expected * SCALE), MOST * SCALE) / SCALE * (expected >= LEAST)
        tf = np.where(as_is, held[:, tokens], steps)
    lengths = np.maximum(counts.sum(axis=1), 1)
    if model == "hmm":
        background = (held.sum(axis=0) @ p.T) / counts.sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (1 - ALPHA) * tf / lengths[:, None] / (ALPHA * background)
        return np.nan_to_num(np.log1p(share)).sum(axis=1)
    df = (counts > 0).sum(axis=0) @ p.T
    idf = np.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
    norm = K1 * (1 - B + B * counts.sum(axis=1) / counts.sum(axis=1).mean())
    return (idf * tf * (K1 + 1) / (tf + norm[:, None])).sum(axis=1)


@pytest.mark.parametrize("model", ["bm25", "hmm"])
@pytest.mark.parametrize("asked", ["en", "de", "fa"])
@pytest.mark.parametrize("commits", [1, 6])
def test_scores_are_the_formulas_over_counts_in_steps(tmp_path, tables, model, asked, commits):
    """Questions in Persian, for which nothing was translated, are translated when they are asked."""
    rng = np.random.default_rng(7)
    bags, langs = [bag or [0] for bag in random_bags(rng, 300, 20)], rng.choice(LANGS, 300)
    parts = np.array_split(np.arange(300), commits)
    plain = [piece_batch(p, langs[p].tolist(), [bags[n] for n in p]) for p in parts]
    late = PSQ(tmp_path / "a", build(tmp_path / "a", plain), model=model)
    batches = [expected_batch(tables, p, langs[p].tolist(), [bags[n] for n in p]) for p in parts]
    early = PSQ(tmp_path / "b", write(tmp_path / "b", batches), model=model)
    for _ in range(5):
        tokens = rng.choice(VOCABULARY, 4, replace=False)
        found = tables.translate(tokens, asked, LANGS)
        query = Query("", ((asked, 1.0),), pieces=pieces(tokens), translations=found)
        right = np.zeros(300)
        for lang in LANGS:
            own = np.flatnonzero(langs == lang)
            made, p = translations(tables, asked, lang, tokens)
            counts = matrix([bags[n] for n in own])[:, :VOCABULARY]
            translated = asked in ASKED and asked != lang
            right[own] = reference(model, counts, tokens, p, unchanged(made, tokens), translated)
        one, two = late.search(query, 300), early.search(query, 300)
        assert set(two.passages.tolist()) == set(np.flatnonzero(right > 0).tolist())
        np.testing.assert_allclose(two.scores, right[two.passages], rtol=1e-5)
        # What fusion knows of the scores' scale hardly depends on the steps.
        assert one.background.keys() == two.background.keys()
        for lang, background in one.background.items():
            assert two.background[lang] == pytest.approx(background, rel=0.02)


def test_in_the_querys_own_language_whole_counts_are_exact(tmp_path, tables):
    bags = [[1, 1, 2], [1] * 7, [2, 3]]
    batch = expected_batch(tables, range(3), ["en"] * 3, bags)
    query = Query(
        "", (("en", 1.0),), pieces=pieces([1, 2]), translations=tables.translate(np.array([1, 2]), "en", ["en"])
    )
    plain = PSQ(tmp_path / "a", build(tmp_path / "a", [piece_batch(range(3), ["en"] * 3, bags)])).search(query, 5)
    found = PSQ(tmp_path / "b", write(tmp_path / "b", [batch])).search(query, 5)
    assert found.passages.tolist() == plain.passages.tolist()
    assert found.scores.tolist() == plain.scores.tolist()


def test_counts_are_kept_in_steps_and_lengths_as_they_are(tables):
    batch = expected_batch(tables, range(2), ["fa", "fa"], [[4] * 40, [4, 5]])
    terms = expected_of(batch)
    held = dict(zip(terms.terms[: terms.starts[1]].tolist(), terms.weights.tolist(), strict=False))
    assert held[4] == MOST * SCALE == 255
    assert terms.lengths.tolist() == [40, 2]
    assert expected_of(PassageBatch(np.arange(1), ["fa"], (), ())) is None


def test_a_query_of_two_languages_is_translated_when_it_is_asked(tmp_path, tables):
    rng = np.random.default_rng(3)
    bags = random_bags(rng, 60)
    early = PSQ(tmp_path, write(tmp_path, [expected_batch(tables, range(60), ["fa"] * 60, bags)]))
    tokens = tables.pieces("en")[:3]
    made, dense = translations(tables, "en", "fa", tokens)
    query = Query("", (("en", 0.6), ("de", 0.4)), pieces=pieces(tokens), translations={"fa": made})
    found = early.search(query, 60)
    matched = matrix(bags)[:, :VOCABULARY] @ dense.sum(axis=0) > 0
    assert set(found.passages.tolist()) == set(np.flatnonzero(matched).tolist())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=12), max_size=6),
    st.sampled_from(LANGS),
)
def test_any_batch_has_ascending_terms_and_counts_above_the_least(tables, bags, lang):
    starts = np.concatenate(([0], np.cumsum([len(bag) for bag in bags]))).astype(np.int64)
    tokens = np.array([token for bag in bags for token in bag], dtype=np.int32)
    found = ExpectedCounts(tables, ASKED).of(Bags(tokens, starts), [lang] * len(bags))
    assert len(found) == len(bags)
    assert (found.weights >= np.float32(LEAST)).all()
    for row in range(len(bags)):
        own = found.terms[found.starts[row] : found.starts[row + 1]]
        assert (np.diff(own) > 0).all()
