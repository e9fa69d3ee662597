"""Fusion: published formulas by hand, fair fusion against a scalar reading of its definition, and its properties."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import Ranking, UsageError
from xsearch.rank import Candidates, fuse
from xsearch.rank.fusion import METHODS, Calibration, FairParameters, Judged, fair, rrf
from xsearch.rank.fusion.fair import SHARE

DE, FA, EN = 0, 1, 2


def candidates(name, rows, weight=1.0, support=(1, 1, 1), background=None, **options):
    """An answer of rows (passage, score, language)."""
    lang = {passage: code for passage, _, code in rows}
    ranking = Ranking.of([row[0] for row in rows], [row[1] for row in rows])
    if background is None:
        background = [(math.nan, math.nan)] * len(support)
    return Candidates(
        name,
        ranking,
        weight,
        np.array([lang[passage] for passage in ranking.passages.tolist()], dtype=np.int32),
        np.array(support, dtype=np.float32),
        np.array(background, dtype=np.float64).reshape(len(support), 2),
        **options,
    )


def in_order(*passages):
    """A list whose first passage is the best, all in one language."""
    return [(passage, float(len(passages) - place), EN) for place, passage in enumerate(passages)]


# --- published methods ---


def test_rrf_by_hand():
    fused = fuse("rrf", [candidates("a", in_order(1, 2, 3)), candidates("b", in_order(3, 4, 1))])
    expected = {1: 1 / 61 + 1 / 63, 3: 1 / 63 + 1 / 61, 2: 1 / 62, 4: 1 / 62}
    assert fused.ranking.passages.tolist() == [1, 3, 2, 4]
    assert fused.ranking.scores.tolist() == pytest.approx([expected[p] for p in (1, 3, 2, 4)])
    assert fused.parts["b"].rank.tolist() == [3, 1, 0, 2]
    small = fuse(partial(rrf, k=1), [candidates("a", in_order(7, 8))])
    assert small.ranking.scores.tolist() == pytest.approx([1 / 2, 1 / 3])


def test_minmax_by_hand():
    a = candidates("a", [(1, 10.0, EN), (2, 6.0, EN), (3, 2.0, EN)])
    b = candidates("b", [(2, 0.9, EN), (4, 0.5, EN)], weight=0.5)
    fused = fuse("minmax", [a, b])
    assert dict(zip(fused.ranking.passages.tolist(), fused.ranking.scores.tolist(), strict=True)) == pytest.approx(
        {1: 1.0, 2: 0.5 + 0.5, 3: 0.0, 4: 0.0}
    )
    assert fused.ranking.passages.tolist() == [1, 2, 3, 4]


def test_zscore_by_hand():
    # mean 4, standard deviation sqrt(8/3), minimum 2: z + delta is (s - 2) / sqrt(8/3)
    fused = fuse("zscore", [candidates("a", [(1, 6.0, EN), (2, 4.0, EN), (3, 2.0, EN)])])
    spread = math.sqrt(8 / 3)
    assert fused.ranking.scores.tolist() == pytest.approx([4 / spread, 2 / spread, 0.0])


@pytest.mark.parametrize("method", ["minmax", "zscore"])
def test_a_list_of_equal_scores_counts_more_than_nothing(method):
    fused = fuse(method, [candidates("a", [(5, 3.0, EN)]), candidates("b", [(6, 2.0, EN), (7, 1.0, EN)])])
    scores = dict(zip(fused.ranking.passages.tolist(), fused.ranking.scores.tolist(), strict=True))
    assert scores[5] > scores[7]


def interleaved(*lists):
    taken = []
    for place in range(max(map(len, lists), default=0)):
        for listed in lists:
            if place < len(listed) and listed[place] not in taken:
                taken.append(listed[place])
    return taken


@given(st.lists(st.lists(st.integers(0, 12), unique=True, max_size=8), min_size=1, max_size=4))
def test_round_robin_is_the_interleaving(lists):
    answers = [candidates(f"r{i}", in_order(*listed), weight=10 - i) for i, listed in enumerate(lists)]
    assert fuse("roundrobin", answers).ranking.passages.tolist() == interleaved(*lists)


# --- fair fusion ---


def test_the_best_foreign_answer_comes_first_though_one_retriever_is_blind_to_it():
    """An English question; the answer (7) is Persian, which BM25 cannot see; English passages match some words."""
    english = [(1, 6.0, EN), (2, 5.5, EN), (3, 5.0, EN), (4, 4.5, EN)]
    bm25 = candidates("bm25", english, support=(0, 0, 1), background=[(0, 12.0), (0, 12.0), (0, 12.0)])
    dense = candidates(
        "dense",
        [(7, 0.58, FA), (8, 0.30, FA), (1, 0.52, EN), (2, 0.50, EN), (3, 0.46, EN), (9, 0.31, DE)],
        background=[(0.10, 0.08), (0.10, 0.08), (0.20, 0.08)],
    )
    psq = candidates(
        "psq",
        [(7, 9.5, FA), (1, 6.2, EN), (2, 5.0, EN), (4, 5.0, EN), (8, 3.0, FA)],
        support=(1, 0.8, 1),
        background=[(0, 12.0), (0, 12.0), (0, 12.0)],
    )
    fused = fuse("fair", [bm25, dense, psq])
    assert fused.ranking.passages[0] == 7
    assert fuse("rrf", [bm25, dense, psq]).ranking.passages[0] != 7
    part = fused.parts["bm25"]
    assert (part.rank[0], part.support[0]) == (0, 0)
    assert math.isnan(part.score[0])
    assert math.isnan(part.calibrated[0])


def test_silence_of_a_blind_retriever_changes_no_score_and_its_weight_only_the_prior():
    dense = candidates("dense", [(1, 0.5, FA), (2, 0.4, FA)], background=[(0.1, 0.1)] * 3)
    blind = candidates("bm25", [(3, 5.0, EN)], support=(0, 0, 1), background=[(0, 10.0)] * 3)
    blinder = candidates("bm25", [], support=(0, 0, 0), background=[(0, 10.0)] * 3)
    with_english, without = fuse("fair", [dense, blind]), fuse("fair", [dense, blinder])
    scores = dict(zip(with_english.ranking.passages.tolist(), with_english.ranking.scores.tolist(), strict=True))
    assert [scores[1], scores[2]] == without.ranking.scores.tolist()


def test_a_match_without_support_lifts_and_the_lift_grows_with_it():
    dense = candidates("dense", [(1, 0.5, FA), (2, 0.5, FA)], background=[(0.1, 0.1)] * 3)

    def scores(*rows):
        lexical = candidates("bm25", rows, support=(0, 0, 1), background=[(0, 10.0)] * 3)
        ranking = fuse("fair", [dense, lexical]).ranking
        return dict(zip(ranking.passages.tolist(), ranking.scores.tolist(), strict=True))

    alone = scores()
    assert alone[1] == alone[2]
    poor, good, better = scores((1, 0.01, FA)), scores((1, 8.0, FA)), scores((1, 9.0, FA))
    assert alone[1] < poor[1] < good[1] < better[1] < 1
    assert poor[2] == good[2] == better[2] == alone[2]


def test_an_absent_passage_gets_the_cutoff_of_its_language_or_nothing_where_the_list_is_complete():
    background = [(0, 10.0)] * 3
    dense = candidates("dense", [(1, 5.0, EN), (2, 4.0, EN), (3, 3.0, EN), (4, 3.0, DE)], background=[(0, 1.0)] * 3)
    rows = [(1, 9.0, EN), (2, 6.0, EN), (5, 8.0, DE)]
    unknown = fuse("fair", [dense, candidates("bm25", rows, background=background)]).parts["bm25"]
    cut = fuse("fair", [dense, candidates("bm25", rows, background=background, depth=2)])

    def of(fused_part, ranking):
        return dict(zip(ranking.passages.tolist(), fused_part.calibrated.tolist(), strict=True))

    seen = of(cut.parts["bm25"], cut.ranking)
    assert seen[3] == pytest.approx(float(SHARE.evidence(np.array(0.6))))  # English: cut after two
    assert seen[4] == pytest.approx(float(SHARE.evidence(np.array(0.0))))  # German: one of two asked for, so complete
    loose = of(unknown, fuse("fair", [dense, candidates("bm25", rows, background=background)]).ranking)
    assert loose[4] == pytest.approx(float(SHARE.evidence(np.array(0.8))))


def test_statistics_of_a_tiny_language_lean_on_those_of_all():
    rows = [(1, 0.50, DE), (2, 0.50, FA)]
    sizes = np.array([512, 2, 512])
    background = [(0.10, 0.08), (0.10, 0.0001), (0.10, 0.08)]
    part = fuse("fair", [candidates("dense", rows, background=background, sizes=sizes)]).parts["dense"]
    at_large, tiny = part.calibrated[[0, 1]] if part.calibrated[0] < part.calibrated[1] else part.calibrated[[1, 0]]
    assert tiny == pytest.approx(at_large, abs=0.05)
    trusted = fuse("fair", [candidates("dense", rows, background=background)]).parts["dense"]
    assert max(trusted.calibrated) == pytest.approx(1.0)


def test_a_language_without_statistics_is_judged_by_the_others():
    rows = [(1, 0.50, DE), (2, 0.50, FA)]
    for unknown in [(math.nan, math.nan), (0.3, 0.0), (0.1, math.nan)]:
        fused = fuse("fair", [candidates("dense", rows, background=[(0.10, 0.08), unknown, (math.nan, math.nan)])])
        assert fused.ranking.scores[0] == fused.ranking.scores[1]


def test_a_retriever_without_statistics_is_placed_between_the_ends_of_its_list():
    fused = fuse("fair", [candidates("other", [(1, 30.0, DE), (2, 20.0, FA), (3, 10.0, EN)])])
    assert fused.parts["other"].calibrated.tolist() == pytest.approx(SHARE.evidence(np.array([1.0, 0.5, 0.0])).tolist())
    alone = fuse("fair", [candidates("other", [(1, 30.0, DE)])])
    assert alone.parts["other"].calibrated.tolist() == pytest.approx(SHARE.evidence(np.array([1.0])).tolist())


# --- fair fusion against a scalar reading of its definition ---


def logistic(x, calibration):
    return 1 / (1 + math.exp((calibration.midpoint - x) / calibration.scale))


def reference(answers, parameters):
    """Scores by passage, one passage and one retriever at a time."""
    known = {}
    langs = {}
    for answer in answers:
        for passage, score, lang in zip(
            answer.ranking.passages.tolist(), answer.ranking.scores.tolist(), answer.langs.tolist(), strict=True
        ):
            known[answer.name, passage] = score
            langs[passage] = lang
    prior_weight = parameters.prior_weight * sum(answer.weight for answer in answers)
    scores = {}
    for passage, lang in langs.items():
        terms = []
        for answer in answers:
            calibration = parameters.calibrations[answer.name]
            mean, spread = answer.background[lang]
            mine = [
                s
                for s, other in zip(answer.ranking.scores.tolist(), answer.langs.tolist(), strict=True)
                if other == lang
            ]
            complete = len(mine) < max(answer.depth, 1)
            cutoff = min([*mine, mean]) if complete else min(mine)
            score = known.get((answer.name, passage), cutoff)
            x = (score - mean) / spread
            gain = (logistic(x / calibration.blind, calibration) - logistic(0, calibration)) / (
                1 - logistic(0, calibration)
            )
            returned = (answer.name, passage) in known
            terms.append((answer.weight, float(answer.support[lang]), logistic(x, calibration), max(0, gain), returned))
        heard = sum(weight * support for weight, support, _, _, _ in terms) + prior_weight
        spoken = sum(weight * support * evidence for weight, support, evidence, _, _ in terms)
        base = (spoken + prior_weight * parameters.prior) / heard
        lift, room = 0.0, heard
        for weight, support, _, gain, returned in terms:
            extra = weight * max(0.0, parameters.blind_match - support) if returned else 0.0
            lift += extra * gain
            room += extra
        scores[passage] = base + (1 - base) * lift / room
    return scores


@st.composite
def answers(draw, most=3):
    made = []
    for name in ["bm25", "dense", "psq"][: draw(st.integers(1, most))]:
        passages = draw(st.lists(st.integers(0, 30), unique=True, max_size=12))
        scores = draw(st.lists(st.floats(0, 10, width=32), min_size=len(passages), max_size=len(passages)))
        rows = [(passage, score, passage % 3) for passage, score in zip(passages, scores, strict=True)]
        made.append(
            candidates(
                name,
                rows,
                weight=draw(st.sampled_from([0.5, 1.0, 3.0])),
                support=draw(st.tuples(*[st.sampled_from([0.0, 0.25, 1.0])] * 3)),
                background=draw(st.tuples(*[st.tuples(st.floats(0, 2), st.floats(0.5, 5))] * 3)),
                depth=draw(st.integers(0, 3)),
            )
        )
    return made


PARAMETERS = FairParameters(
    calibrations={"bm25": Calibration(0.5, 0.3, blind=0.5), "dense": Calibration(2, 1), "psq": Calibration(1, 0.5)}
)


@settings(max_examples=150)
@given(answers())
def test_fair_is_its_definition(given_answers):
    fused = fuse(partial(fair, parameters=PARAMETERS), given_answers)
    expected = reference(given_answers, PARAMETERS)
    found = dict(zip(fused.ranking.passages.tolist(), fused.ranking.scores.tolist(), strict=True))
    assert found == pytest.approx(expected, abs=1e-6)


@given(answers())
def test_a_single_retriever_keeps_its_order_within_each_language(given_answers):
    answer = given_answers[0]
    fused = fuse("fair", [answer])
    score_of = dict(zip(fused.ranking.passages.tolist(), fused.ranking.scores.tolist(), strict=True))
    for lang in range(3):
        kept = [score_of[passage] for passage in answer.ranking.passages[answer.langs == lang].tolist()]
        assert kept == sorted(kept, reverse=True)


@given(answers(), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_scale_of_scores_and_of_weights_does_not_matter(given_answers, of_scores, of_weights):
    def scaled(answer):
        ranking = Ranking(answer.ranking.passages, (answer.ranking.scores * of_scores).astype(np.float32))
        weight, background = answer.weight * of_weights, answer.background * of_scores
        return replace(answer, ranking=ranking, weight=weight, background=background)

    before = fuse("fair", given_answers).ranking
    after = fuse("fair", [scaled(answer) for answer in given_answers]).ranking
    expected = dict(zip(before.passages.tolist(), before.scores.tolist(), strict=True))
    assert dict(zip(after.passages.tolist(), after.scores.tolist(), strict=True)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("method", ["fair", "rrf", "zscore", "minmax"])
@settings(max_examples=40)
@given(given_answers=st.tuples(answers(1), answers(1)))
def test_a_retriever_given_twice_at_half_its_weight_is_the_one(method, given_answers):
    [one], [second] = given_answers
    other = replace(second, name="dense")
    parameters = FairParameters(calibrations={name: Calibration(0.5, 0.3) for name in ("bm25", "bm25 again", "dense")})
    used = partial(fair, parameters=parameters) if method == "fair" else method

    half = replace(one, weight=one.weight / 2)
    before = fuse(used, [one, other]).ranking
    after = fuse(used, [replace(half, name="bm25"), replace(half, name="bm25 again"), other]).ranking
    expected = dict(zip(before.passages.tolist(), before.scores.tolist(), strict=True))
    assert dict(zip(after.passages.tolist(), after.scores.tolist(), strict=True)) == pytest.approx(expected, abs=1e-6)


# --- every method ---


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40)
@given(given_answers=answers(), order=st.randoms(use_true_random=False))
def test_the_order_of_retrievers_leaves_no_trace(method, given_answers, order):
    shuffled = list(given_answers)
    order.shuffle(shuffled)
    before, after = fuse(method, given_answers), fuse(method, shuffled)
    assert before.ranking.passages.tolist() == after.ranking.passages.tolist()
    assert before.ranking.scores.tolist() == after.ranking.scores.tolist()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40)
@given(given_answers=answers(), depth=st.integers(0, 40))
def test_a_ranking_is_in_order_complete_and_its_parts_are_what_was_given(method, given_answers, depth):
    fused = fuse(method, given_answers)
    passages, scores = fused.ranking.passages, fused.ranking.scores
    assert passages.dtype == np.int64
    assert scores.dtype == np.float32
    assert sorted(passages.tolist()) == sorted({p for a in given_answers for p in a.ranking.passages.tolist()})
    assert np.lexsort((passages, -scores)).tolist() == list(range(len(passages)))
    top = fuse(method, given_answers, depth)
    assert top.ranking.passages.tolist() == passages[:depth].tolist()
    for answer in given_answers:
        part = fused.parts[answer.name]
        place = {passage: rank for rank, passage in enumerate(answer.ranking.passages.tolist(), start=1)}
        assert part.rank.tolist() == [place.get(passage, 0) for passage in passages.tolist()]
        returned = part.rank > 0
        assert part.score[returned].tolist() == answer.ranking.scores[part.rank[returned] - 1].tolist()
        assert np.isnan(part.score[~returned]).all()
        assert part.support.tolist() == answer.support[passages % 3].tolist()
        assert np.isfinite(part.calibrated[returned]).all()
        assert part.weight == answer.weight
        of_language = np.bincount(answer.ranking.passages % 3, minlength=3)
        complete = (of_language < answer.depth)[passages % 3]
        assert part.unmatched.tolist() == [not there and known for there, known in zip(returned, complete, strict=True)]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_found_is_an_empty_ranking(method):
    fused = fuse(method, [candidates("a", []), candidates("b", [], support=(), background=[])])
    assert len(fused.ranking) == 0
    assert len(fused.parts["a"].rank) == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_retriever_of_weight_zero_is_shown_and_does_not_count(method):
    heard = candidates("dense", in_order(1, 2, 3), background=[(0, 1.0)] * 3)
    mute = candidates("bm25", in_order(3, 4), weight=0.0, background=[(0, 1.0)] * 3)
    fused = fuse(method, [heard, mute])
    assert fused.ranking.passages[:3].tolist() == [1, 2, 3]
    assert fused.parts["bm25"].rank[2] == 1


def test_large_numbers_and_negative_scores_keep_their_order():
    rows = [(2**40 + i, score, EN) for i, score in enumerate([-3.0, -0.0, 0.0, 2.5, -1e-30, 1e-30])]
    fused = fuse("zscore", [candidates("a", rows)])
    assert fused.ranking.passages.tolist()[0] == 2**40 + 3
    assert fused.ranking.passages.tolist()[-1] == 2**40

    def raw(pool):
        return Judged(pool.scores[0], pool.scores)

    order = fuse(raw, [candidates("a", rows)]).ranking.passages - 2**40
    assert order.tolist() == [3, 5, 1, 2, 4, 0]


def test_wrong_use_is_refused_with_what_to_do():
    one = candidates("a", in_order(1))
    with pytest.raises(UsageError, match="unknown fusion 'best': known are fair, rrf"):
        fuse("best", [one])
    with pytest.raises(UsageError, match="at least one"):
        fuse("fair", [])
    with pytest.raises(UsageError, match="two retrievers are named 'a'"):
        fuse("fair", [one, one])
    for weight in (-1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="must be 0 or more"):
            fuse("fair", [candidates("a", in_order(1), weight=weight)])
    with pytest.raises(UsageError, match="every weight is 0"):
        fuse("fair", [candidates("a", in_order(1), weight=0.0)])
