"""Fairness measures worked by hand, and the Kruskal-Wallis test against scipy's."""

import math
import random

import numpy as np
import pytest

from xsearch.core import UsageError
from xsearch.evaluate import fairness

stats = pytest.importorskip("scipy.stats")


def test_peer_worked_by_hand():
    # Ranks de 1, 3; fa 2, 4: r̄ = 2.5, r̄_de = 2, r̄_fa = 3, H = 3 · (2·.25 + 2·.25) / 5 = .6, χ² with one degree:
    # p = erfc(sqrt(.6 / 2)).
    languages = {"a": "de", "b": "fa", "c": "de", "d": "fa"}
    found = fairness.peer(["a", "b", "c", "d"], dict.fromkeys("abcd", 1), languages)
    assert found == pytest.approx(math.erfc(math.sqrt(0.3)))


def test_peer_agrees_with_kruskal_wallis():
    drawn = random.Random(2)
    documents = [f"d{i}" for i in range(60)]
    languages = {d: drawn.choice(["de", "fa", "zh"]) for d in documents}
    grades = dict.fromkeys(documents, 1)
    ranking = drawn.sample(documents, 60)
    groups = [[r for r, d in enumerate(ranking, 1) if languages[d] == lang] for lang in ("de", "fa", "zh")]
    assert fairness.peer(ranking, grades, languages, cutoff=60) == pytest.approx(stats.kruskal(*groups).pvalue)


def test_peer_gives_documents_that_were_not_found_one_shared_rank():
    # Grade 1: de at rank 1, fa missing twice. N = 3, u = 2: the shared rank is (2·3 + 2 + 1) / 2 = 4.5. Ranks 1 | 4.5,
    # 4.5: r̄ = 10/3, H = 2 · (1·(7/3)² + 2·(7/6)²) / ((7/3)² + 2·(7/6)²) = 2, one degree of freedom.
    languages = {"a": "de", "b": "fa", "c": "fa", "x": "en"}
    found = fairness.peer(["a", "x"], {"a": 1, "b": 1, "c": 1}, languages)
    assert found == pytest.approx(math.erfc(1.0))


def test_peer_weighs_grades():
    languages = {"a": "de", "b": "fa", "c": "de", "d": "fa", "e": "de"}
    ranking, grades = ["a", "b", "c", "d", "e"], {"a": 1, "b": 1, "c": 1, "d": 1, "e": 3}
    one = fairness.peer(ranking, {**grades, "e": 0}, languages)
    assert fairness.peer(ranking, grades, languages, weights={1: 0.5, 3: 0.5}) == pytest.approx(0.5 * one + 0.5)
    assert fairness.peer(ranking, grades, languages) == pytest.approx(0.5 * one + 0.5)
    with pytest.raises(UsageError, match=r"sum to 1, not 0\.9"):
        fairness.peer(ranking, grades, languages, weights={1: 0.9})


def test_peer_is_one_where_there_is_nothing_to_compare():
    assert fairness.peer(["a"], {"a": 1}, {"a": "de"}) == 1.0
    assert fairness.peer(["x"], {"a": 1, "b": 1}, {"a": "de", "b": "fa", "x": "fa"}) == 1.0


def test_unfair_rankings_have_a_lower_peer():
    languages = {f"{lang}{i}": lang for lang in ("de", "fa") for i in range(10)}
    grades = dict.fromkeys(languages, 1)
    fair = [f"{lang}{i}" for i in range(10) for lang in ("de", "fa")]
    assert fairness.peer(sorted(languages), grades, languages) < 0.001 < 0.5 < fairness.peer(fair, grades, languages)


def test_mean_rank_variance_worked_by_hand():
    # Variances of (1, 3) and (2, 2, 5): 1 and 2.
    assert fairness.mean_rank_variance([[1, 3], [2, 2, 5]]) == pytest.approx(1.5)
    assert fairness.mean_rank_variance([[4, 4, 4]]) == 0.0
    with pytest.raises(UsageError, match="at least one"):
        fairness.mean_rank_variance([])


def test_query_copy_first():
    languages = {"1.de": "de", "1.fa": "fa", "2.de": "de"}
    assert fairness.query_copy_first(["2.de", "1.fa", "1.de"], ["1.de", "1.fa"], languages, "fa")
    assert not fairness.query_copy_first(["2.de", "1.fa", "1.de"], ["1.de", "1.fa"], languages, "de")
    assert not fairness.query_copy_first([], ["1.de"], languages, "de")


def test_top_languages():
    languages = {"a": "de", "b": "fa", "c": "de", "d": "zh"}
    found = fairness.top_languages([["a", "b", "d"], ["c", "a", "d"]], languages, cutoff=2)
    assert found == {"de": 0.75, "fa": 0.25}
    assert list(found) == ["de", "fa"]


def test_pair_matrix_keeps_scripts_and_regions_with_their_language():
    rows, columns, matrix = fairness.pair_matrix({"de-fa": 0.5, "zh-Hant-de": 0.25, "de-pt-BR": 0.1, "de-zh-Hant": 1.0})
    assert (rows, columns) == (["de", "zh-Hant"], ["de", "fa", "pt-BR", "zh-Hant"])
    assert np.array_equal(matrix, [[np.nan, 0.5, 0.1, 1.0], [0.25, np.nan, np.nan, np.nan]], equal_nan=True)
    with pytest.raises(UsageError, match="no language pair"):
        fairness.pair_matrix({"de": 1.0})


def test_overlap_worked_by_hand():
    rankings = {"de": ["a", "b", "c", "z"], "fa": ["b", "c", "d"], "zh": []}
    assert fairness.overlap(rankings, cutoff=3) == {("de", "fa"): 0.5, ("de", "zh"): 0.0, ("fa", "zh"): 0.0}
    assert fairness.overlap({"de": [], "fa": []}) == {("de", "fa"): 1.0}


def test_rank_correlation_agrees_with_spearman():
    drawn = random.Random(9)
    documents = [f"d{i}" for i in range(20)]
    a, b = drawn.sample(documents, 20), drawn.sample(documents, 20)
    expected = stats.spearmanr([a.index(d) for d in documents], [b.index(d) for d in documents]).statistic
    assert fairness.rank_correlation({"de": a, "fa": b})["de", "fa"] == pytest.approx(expected)


def test_rank_correlation_of_lists_that_share_nothing_and_everything():
    same = fairness.rank_correlation({"de": ["a", "b", "c"], "fa": ["a", "b", "c"]})
    assert same["de", "fa"] == pytest.approx(1.0)
    # a: ranks 1, 2, 3.5, 3.5 against 3.5, 3.5, 1, 2: deviations (-1.5, -.5, 1, 1) and (1, 1, -1.5, -.5).
    apart = fairness.rank_correlation({"de": ["a", "b"], "fa": ["c", "d"]})["de", "fa"]
    assert apart == pytest.approx(-4 / 4.5)
    assert math.isnan(fairness.rank_correlation({"de": [], "fa": []})["de", "fa"])
