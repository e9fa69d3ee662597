"""PSQ against the papers' formulas over dense matrices, a case by hand, and BM25 where every piece is its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_retrieve_impact import LANGS, VOCABULARY, build, matrix, piece_batch, random_bags

from xsearch.core import FloatArray, Query, QueryPieces, Translations
from xsearch.retrieve import PSQ

K1, B, ALPHA = 1.2, 0.75, 0.1


def pieces(tokens, weights=None) -> QueryPieces:
    count = len(tokens)
    said = np.ones(count) if weights is None else np.asarray(weights)
    places = np.arange(count)
    return QueryPieces(np.asarray(tokens, np.int32), said.astype(np.float32), places, places + 1)


def random_translations(rng, count) -> tuple[Translations, np.ndarray]:
    """CSR, and the same as a matrix p(t | q), (count, vocabulary): a third of the pieces have none."""
    dense = np.zeros((count, VOCABULARY), dtype=np.float32)
    for row in range(count):
        chosen = rng.choice(VOCABULARY, rng.integers(0, 9) * (rng.random() < 0.7), replace=False)
        values = rng.random(len(chosen)).astype(np.float32)
        dense[row, chosen] = values / (values.sum() + 0.1)
    owners, tokens = np.nonzero(dense)
    starts = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=count)))).astype(np.int64)
    return Translations(starts, tokens.astype(np.int32), dense[owners, tokens]), dense


def bm25_reference(counts: np.ndarray, p: np.ndarray, weights: FloatArray) -> np.ndarray:
    """Σ_q w · idf(df) · tf (k1 + 1) / (tf + k1 (1 - b + b |d| / average)), tf = counts pᵀ, df = (counts > 0) pᵀ."""
    tf, df = counts @ p.T, (counts > 0).sum(axis=0) @ p.T
    lengths = counts.sum(axis=1)
    norm = K1 * (1 - B + B * lengths / lengths.mean())
    idf = np.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
    return (weights * idf * tf * (K1 + 1) / (tf + norm[:, None])).sum(axis=1)


def hmm_reference(counts: np.ndarray, p: np.ndarray, weights: FloatArray) -> np.ndarray:
    """Σ_q w · log(((1 - α) Σ_t p(t|q) tf(t) / |d| + α P(q)) / (α P(q))), P(q) = Σ_t p(t|q) cf(t) / C."""
    tf, background = counts @ p.T, (counts.sum(axis=0) @ p.T) / counts.sum()
    lengths = np.maximum(counts.sum(axis=1), 1)
    with np.errstate(invalid="ignore"):
        score = np.log(((1 - ALPHA) * tf / lengths[:, None] + ALPHA * background) / (ALPHA * background))
    return (weights * np.nan_to_num(score)).sum(axis=1)


@pytest.mark.parametrize(("model", "reference"), [("bm25", bm25_reference), ("hmm", hmm_reference)])
def test_scores_of_a_thousand_documents_are_the_papers(tmp_path, model, reference):
    rng = np.random.default_rng(17)
    bags = random_bags(rng, 1000, 40)
    langs = np.array(rng.choice(LANGS, 1000))
    batches = [
        piece_batch(part, langs[part].tolist(), [bags[n] for n in part]) for part in np.array_split(np.arange(1000), 4)
    ]
    psq = PSQ(tmp_path, build(tmp_path, batches), model=model)
    weights = rng.uniform(0.2, 2.0, 7).astype(np.float32)
    tables = {lang: random_translations(rng, 7) for lang in LANGS}
    query = Query(
        "", (("en", 1.0),), pieces=pieces(range(7), weights), translations={k: v[0] for k, v in tables.items()}
    )
    ranking = psq.search(query, 1000)
    right = np.zeros(1000)
    for lang in LANGS:
        own = np.flatnonzero(langs == lang)
        # Passages without a piece are not in the statistics of a language that has only such, but they are here.
        right[own] = reference(matrix([bags[n] for n in own])[:, :VOCABULARY], tables[lang][1], np.sqrt(weights))
    assert set(ranking.passages.tolist()) == set(np.flatnonzero(right > 0).tolist())
    assert np.allclose(ranking.scores, right[ranking.passages], rtol=1e-5)
    assert psq.search(query, 3, langs=["fa"]).passages.tolist() == _top(right, np.flatnonzero(langs == "fa"), 3)


def _top(scores, own, depth):
    return sorted(own.tolist(), key=lambda n: (-np.float32(scores[n]), n))[:depth]


def test_counts_are_summed_before_they_saturate(tmp_path):
    """By hand: "dog" is Hund (.6) or Köter (.2); four passages of three pieces, N = 4, average length 3.

    df = .6 · 2 + .2 · 1 = 1.4; idf = ln(1 + 3.1 / 1.9). tf in [Hund Hund Köter] is 1.4, in [Hund x x] .6.
    """
    hund, koeter, x = 1, 2, 3
    state = build(tmp_path, [piece_batch(range(4), ["de"] * 4, [[hund, hund, koeter], [hund, x, x], [x] * 3, [x] * 3])])
    query = Query(
        "dog",
        (("en", 1.0),),
        pieces=pieces([9]),
        translations={
            "de": Translations(np.array([0, 2]), np.array([1, 2], np.int32), np.array([0.6, 0.2], np.float32))
        },
    )
    ranking = PSQ(tmp_path, state).search(query, 10)
    idf = math.log(1 + 3.1 / 1.9)
    assert ranking.passages.tolist() == [0, 1]
    assert ranking.scores.tolist() == pytest.approx([idf * 1.4 * 2.2 / 2.6, idf * 0.6 * 2.2 / 1.8], rel=1e-6)
    # A passage of average length, norm 1.2, that has √(.6² + .2²) of the word.
    once = math.sqrt(0.4)
    # The average passage, two empty ones counted beside the four, has (.6 · 3 + .2 · 1) / 6 of it.
    mean = 2.0 / 6
    usual = idf * 2.2 * mean / (mean + 1.2)
    assert ranking.background["de"] == pytest.approx((usual, idf * 2.2 * once / (once + 1.2)))


def test_pieces_that_are_their_own_translation_give_bm25(tmp_path):
    rng = np.random.default_rng(3)
    bags = random_bags(rng, 200)
    state = build(tmp_path, [piece_batch(range(200), ["en"] * 200, bags)])
    asked = [4, 1, 4]
    identity = Translations(np.arange(4), np.array(asked, np.int32), np.ones(3, np.float32))
    query = Query("", (("en", 1.0),), pieces=pieces(asked), translations={"en": identity})
    ranking = PSQ(tmp_path, state).search(query, 200)
    counts = matrix(bags)
    df, lengths = (counts > 0).sum(axis=0), counts.sum(axis=1)
    right = np.zeros(200)
    for term in asked:
        tf = counts[:, term]
        right += (
            math.log(1 + (200 - df[term] + 0.5) / (df[term] + 0.5))
            * tf
            * (K1 + 1)
            / (tf + K1 * (1 - B + B * lengths / lengths.mean()))
        )
    assert ranking.passages.tolist() == _top(right, np.flatnonzero(right > 0), 200)
    assert np.allclose(ranking.scores, right[ranking.passages], rtol=1e-5)


def test_without_pieces_or_translations_nothing_is_found(tmp_path):
    state = build(tmp_path, [piece_batch([0], ["de"], [[1, 2]])])
    psq = PSQ(tmp_path, state)
    identity = Translations(np.array([0, 1]), np.array([1], np.int32), np.ones(1, np.float32))
    assert len(psq.search(Query("", ()), 5)) == 0
    assert len(psq.search(Query("", (), translations={"de": identity}), 5)) == 0
    assert len(psq.search(Query("", (), pieces=pieces([1]), translations={"en": identity}), 5)) == 0
    assert len(psq.search(Query("", (), pieces=pieces([1]), translations={"de": identity}), 5)) == 1
    assert psq.support("en", "de") == 1.0
    assert psq.languages() == ["de"]
    psq.close()


def test_a_mask_binds_and_what_is_allowed_comes(tmp_path):
    rng = np.random.default_rng(6)
    state = build(tmp_path, [piece_batch(range(90), ["de"] * 90, [[1, 2]] * 90)])
    query = Query(
        "",
        (),
        pieces=pieces([1]),
        translations={"de": Translations(np.array([0, 1]), np.array([2], np.int32), np.full(1, 0.5, np.float32))},
    )
    allowed = rng.random(90) < 0.3
    found = PSQ(tmp_path, state).search(query, 10, allowed)
    assert found.passages.tolist() == np.flatnonzero(allowed)[:10].tolist()
