"""Passages → documents, and room for every language."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import Ranking
from xsearch.rank import balance, max_passage


def test_maxp_by_hand():
    ranking = Ranking.of([10, 11, 12, 13, 14], [0.9, 0.8, 0.7, 0.7, 0.1])
    rows, documents, scores = max_passage(ranking, np.array([5, 2, 5, 7, 2]))
    assert rows.tolist() == [0, 1, 3]
    assert documents.tolist() == [5, 2, 7]
    assert scores.tolist() == np.array([0.9, 0.8, 0.7], dtype=np.float32).tolist()
    assert max_passage(ranking, np.array([5, 2, 5, 7, 2]), depth=2)[1].tolist() == [5, 2]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1, width=32)), max_size=30))
def test_maxp_is_the_maximum_over_passages(rows):
    owners = np.array([owner for owner, _ in rows], dtype=np.int64)
    ranking = Ranking.of(np.arange(len(rows)), [score for _, score in rows])
    places, documents, scores = max_passage(ranking, owners[ranking.passages])
    best = {owner: max(score for other, score in rows if other == owner) for owner, _ in rows}
    assert dict(zip(documents.tolist(), scores.tolist(), strict=True)) == best
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert ranking.scores[places].tolist() == scores.tolist()


def test_balance_by_hand():
    langs = np.array([0, 0, 0, 0, 1, 0, 2, 1], dtype=np.int32)
    assert balance(langs, 3).tolist() == [0, 4, 6]
    assert balance(langs, 6).tolist() == [0, 1, 2, 4, 6, 7]
    assert balance(langs, 4, cap=1).tolist() == [0, 1, 4, 6]
    assert balance(langs, 0).tolist() == []
    assert balance(langs[:0], 5).tolist() == []


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 12), st.none() | st.integers(1, 5))
def test_balance_is_the_greedy_choice(langs, k, cap):
    limit = cap or -(-k // max(1, len(set(langs))))
    within = [i for i, lang in enumerate(langs) if langs[:i].count(lang) < limit]
    rest = [i for i in range(len(langs)) if i not in within]
    assert balance(np.array(langs, dtype=np.int32), k, cap).tolist() == sorted((within + rest)[:k])
