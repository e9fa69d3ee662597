"""Tables for training, pairs translated by pieces, and vectors that start aligned."""

from itertools import product

import numpy as np
import pytest

from xsearch.train.model import StaticModel
from xsearch.train.piecetables import SMOOTHING, _model1, piece_tables
from xsearch.train.recipe import Sampling, Source, Translated
from xsearch.train.sampling import PairSampler
from xsearch.train.start import OWN, aligned_start
from xsearch.train.tokenrows import TokenRows
from xsearch.train.translated import PieceTable, TranslatingSampler, Translator

EN, DE, FR = 0, 1, 2


def token_rows(rows):
    """Rows of {language number: pieces}."""
    texts = [(lang, pieces, row) for row, langs in enumerate(rows) for lang, pieces in sorted(langs.items())]
    sizes = [len(pieces) for _, pieces, _ in texts]
    return TokenRows(
        tokens=np.concatenate([np.array(pieces, dtype=np.int32) for _, pieces, _ in texts]),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        langs=np.array([lang for lang, _, _ in texts], dtype=np.int32),
        starts=np.concatenate([[0], np.cumsum([len(langs) for langs in rows])]).astype(np.int64),
        sources=np.zeros(len(rows), dtype=np.int32),
        row_of=np.array([row for _, _, row in texts], dtype=np.int64),
    )


def model1_by_loops(sentences, rounds):
    """(left, right) → probability after EM from uniform, and the last expected counts."""
    empty = -1
    types = {(e, f) for left, right in sentences for e, f in product([*left, empty], right)}
    t = dict.fromkeys(types, 1.0)
    for _ in range(rounds):
        counts = dict.fromkeys(types, 0.0)
        for left, right in sentences:
            for f in right:
                total = sum(t[e, f] for e in [*left, empty])
                for e in [*left, empty]:
                    counts[e, f] += t[e, f] / total
        t = {(e, f): c / (sum(counts[k] for k in types if k[0] == e) + SMOOTHING) for (e, f), c in counts.items()}
    return t, counts


def test_model1_equals_loops():
    rng = np.random.default_rng(3)
    sentences = [(rng.integers(0, 6, rng.integers(1, 5)), rng.integers(6, 12, rng.integers(1, 5))) for _ in range(40)]
    tokens = np.concatenate([side for pair in sentences for side in pair]).astype(np.int32)
    sizes = np.array([len(side) for pair in sentences for side in pair])
    begins = np.cumsum(sizes) - sizes
    table = _model1(tokens, begins[::2], sizes[::2], begins[1::2], sizes[1::2])
    t, counts = model1_by_loops([(a.tolist(), b.tolist()) for a, b in sentences], 5)
    by_right = {f: sum(c for (_, g), c in counts.items() if g == f) for f in range(6, 12)}
    expected = {
        (e, f): p * np.sqrt(counts[e, f] / (by_right[f] + SMOOTHING))
        for (e, f), p in t.items()
        if e >= 0 and p > 0.02 and counts[e, f] / (by_right[f] + SMOOTHING) > 0.01
    }
    found = {(e, f): w for e, f, w in zip(table.left.tolist(), table.right.tolist(), table.weights, strict=True)}
    assert found == pytest.approx(expected, rel=1e-4)
    assert np.all(np.diff(table.left) >= 0)


def corpus(count=500):
    """English piece p is German 10 + p and French 20 + p."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(count):
        concepts = rng.choice(10, 4, replace=False)
        rows.append({EN: concepts.tolist(), DE: (10 + rng.permutation(concepts)).tolist()})
        rows.append({EN: concepts.tolist(), FR: (20 + concepts[:3]).tolist()})
    return token_rows(rows)


def test_large_piece_numbers_keep_their_pairs_apart():
    tokens = np.array([240_000, 249_999, 240_001, 249_998], dtype=np.int32)
    ones, places = np.ones(2, dtype=np.int64), np.arange(4)
    table = _model1(tokens, places[::2], ones, places[1::2], ones)
    assert table.left.tolist() == [240_000, 240_001]
    assert table.right.tolist() == [249_999, 249_998]


def test_tables_find_the_translations_and_leave_held_rows_out():
    rows = corpus()
    tables = piece_tables(rows, np.zeros(len(rows), dtype=bool), EN, Translated(), seed=1)
    assert set(tables) == {DE, FR}
    for lang, shift in ((DE, 10), (FR, 20)):
        best = {}
        for left, right in zip(tables[lang].left.tolist(), tables[lang].right.tolist(), strict=True):
            best.setdefault(left, right)
        assert best == {piece: piece + shift for piece in range(10)}
    german = np.array([row % 2 == 0 for row in range(len(rows))])
    assert set(piece_tables(rows, german, EN, Translated(), seed=1)) == {FR}


def test_translations_are_drawn_by_weight():
    table = PieceTable(np.array([3, 3, 5]), np.array([10, 11, 12]), np.array([0.3, 0.1, 0.2], dtype=np.float32))
    other = PieceTable(np.array([3]), np.array([20]), np.array([1.0], dtype=np.float32))
    translator = Translator({7: table, 4: other}, vocabulary=30)
    assert translator.languages == [4, 7]
    rng = np.random.default_rng(0)
    drawn = translator.draw(np.ones(4000, dtype=np.int64), np.full(4000, 3), rng)
    assert set(drawn.tolist()) == {10, 11}
    assert np.mean(drawn == 10) == pytest.approx(0.75, abs=0.03)
    assert translator.draw(np.array([0, 0, 1, 1]), np.array([3, 5, 5, 4]), rng).tolist() == [20, -1, 12, -1]


def test_translated_sentences_stand_beside_their_source():
    rows = corpus()
    counts = np.bincount(rows.langs, minlength=3)
    empty = token_rows([{EN: [0]}])
    pairs = PairSampler(
        rows, _none(empty), _none(empty), (Source("*"),), Sampling(section_share=0, context_share=0, dropout=0), counts
    )
    table = PieceTable(np.arange(9), 10 + np.arange(9), np.ones(9, dtype=np.float32))
    settings = Translated(share=1.0, switch=0.0, least=0.6)
    batch = TranslatingSampler(pairs, Translator({DE: table}, 40), EN, settings).draw(200, np.random.default_rng(2))
    assert len(batch) > 100
    for left, right in zip(_bags(batch.left), _bags(batch.right), strict=True):
        assert right == [piece + 10 for piece in left if piece < 9]  # piece 9 has no translation
    switched = Translated(share=1.0, switch=1.0, least=0.0)
    batch = TranslatingSampler(pairs, Translator({DE: table}, 40), EN, switched).draw(400, np.random.default_rng(2))
    same = [left == right for left, right in zip(_bags(batch.left), _bags(batch.right), strict=True)]
    assert 0.4 < np.mean(same) < 0.6


def test_vectors_start_where_their_translations_are():
    table = PieceTable(np.array([0, 1]), np.array([2, 3]), np.array([0.5, 0.8], dtype=np.float32))
    counts = np.full(5, 10)
    model = aligned_start(counts, 64, [table], np.random.default_rng(4))
    own = StaticModel.initial(counts, 64, np.random.default_rng(4)).vectors

    def n(x):
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    own = n(own)
    links = np.zeros((5, 5))
    links[2, 0], links[3, 1] = 0.5 / np.sqrt(0.5), 0.8 / np.sqrt(0.8)
    right = n(n(links @ own + 1e-30) + OWN * own)
    first = own.copy()
    first[2:4] = right[2:4]
    left = links.T @ first
    left[:2] = n(left[:2])
    second = n(left + own)
    expected = own.copy()
    expected[2:4] = n(n((links @ second)[2:4]) + OWN * own[2:4])
    assert np.allclose(model.vectors, expected, atol=1e-5)
    cosines = model.vectors @ model.vectors.T
    assert cosines[2, 0] > 0.4 > cosines[2, 1]


def _none(rows):
    """No rows at all."""
    return TokenRows(
        rows.tokens[:0], rows.offsets[:1], rows.langs[:0], rows.starts[:1], rows.sources[:0], rows.row_of[:0]
    )


def _bags(bags):
    return [bags.tokens[a:b].tolist() for a, b in zip(bags.starts[:-1], bags.starts[1:], strict=True)]
