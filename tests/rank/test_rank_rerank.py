"""Rerankers' scores in a ranking: the order by hand, the limit of time with a clock that is told."""

import contextlib

import numpy as np
import pytest
from doubles.toy_rerankers import Toy, ToyList
from hypothesis import given
from hypothesis import strategies as st

from xsearch.cli.options import seconds
from xsearch.core import BadInput, Query, UsageError
from xsearch.encode import load_encoder
from xsearch.encode.neural.languages import language_scores
from xsearch.rank.rerank import (
    RerankCandidate,
    RerankerCard,
    is_listwise,
    known_rerankers,
    load_reranker,
    read_reranker_card,
    reorder,
    score_within,
)
from xsearch.rank.rerank.cross import CrossSettings
from xsearch.rank.rerank.decoder import DecoderSettings
from xsearch.rank.rerank.listwise import ListwiseSettings
from xsearch.rank.rerank.t5 import T5Settings

QUERY = Query("river", (("en", 1.0),))
NAN = np.nan


def column(*values):
    return np.array(values, dtype=np.float32)


def passages(count):
    return [RerankCandidate(n, f"d{n}", "en", None, f"text {n}", 1 - n / 100) for n in range(count)]


def test_reranked_documents_stand_first_and_the_others_keep_their_order():
    made = reorder(column(0.9, 0.8, 0.7, 0.6), column(-5, 2, NAN, NAN))
    assert made.order.tolist() == [1, 0, 2, 3]
    # -5 is the last reranked score; the first of the others stands 1 below it, the next .1 below that.
    np.testing.assert_allclose(made.scores, [2, -5, -6, -6.1], rtol=1e-6)


def test_equal_scores_keep_the_fused_order():
    made = reorder(column(0.9, 0.8, 0.7), column(1, 3, 1))
    assert made.order.tolist() == [1, 0, 2]


def test_a_mix_worked_by_hand():
    # r between its ends: 0, 1, .5; f between its ends: 1, .5, 0; of the two reranked in equal parts.
    made = reorder(column(0.9, 0.7, 0.5, 0.1), column(10, 30, 20, NAN), mix=0.5)
    assert made.order.tolist() == [1, 0, 2, 3]
    np.testing.assert_allclose(made.scores, [0.75, 0.5, 0.25, -0.75], rtol=1e-6)


def test_nothing_reranked_leaves_all_as_it_was():
    made = reorder(column(3, 2, 1), column(NAN, NAN, NAN))
    assert made.order.tolist() == [0, 1, 2]
    assert made.scores.tolist() == [3, 2, 1]
    assert len(reorder(column(), column()).order) == 0


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(-30, 30, width=32) | st.none()), max_size=30),
    st.sampled_from([1.0, 0.6]),
)
def test_an_order_is_a_permutation_with_descending_scores(rows, mix):
    fused = -np.sort(-column(*(f for f, _ in rows)))
    reranked = column(*(NAN if r is None else r for _, r in rows))
    made = reorder(fused, reranked, mix)
    assert sorted(made.order.tolist()) == list(range(len(rows)))
    assert (np.diff(made.scores) <= 0).all()
    inside = int((~np.isnan(reranked)).sum())
    assert not np.isnan(reranked[made.order[:inside]]).any()
    assert (np.diff(made.order[inside:]) > 0).all()


class Clock:
    """Says the time that it was moved to."""

    now = 0.0

    def __call__(self):
        return self.now


def slow(clock, each, kind=Toy):
    def spend(group):
        clock.now += each * len(group)

    return kind(lambda query, passage: passage.number, on_score=spend)


@pytest.mark.parametrize(("budget", "done"), [(None, 30), (10.0, 30), (1.25, 10), (0.7, 5), (0.01, 4)])
def test_a_budget_ends_scoring_at_the_pace_so_far(budget, done):
    clock = Clock()
    found = score_within(slow(clock, 0.125), QUERY, passages(30), budget, clock)
    assert int((~np.isnan(found.scores)).sum()) == done
    assert found.scores[:done].tolist() == list(range(done))
    assert found.complete == (done == 30)
    assert found.seconds == 0.125 * done


def test_a_clock_that_stands_still_does_not_end_scoring():
    found = score_within(slow(Clock(), 0.0), QUERY, passages(30), 0.001, Clock())
    assert found.complete


def test_a_list_is_given_back_as_good_as_it_is_when_time_is_over():
    clock = Clock()
    reranker = slow(clock, 0.1, ToyList)
    assert is_listwise(reranker)
    assert not is_listwise(Toy(None))
    found = score_within(reranker, QUERY, passages(10), 0.35, clock)
    assert found.scores[:3].tolist() == [100, 101, 102]
    assert found.scores[3:].tolist() == [-3, -4, -5, -6, -7, -8, -9]
    assert not found.complete
    # Nothing is left to be done after the last pass, however late it comes.
    assert score_within(reranker, QUERY, passages(1), 0.01, clock).complete
    whole = score_within(reranker, QUERY, passages(10), None, clock)
    assert whole.complete
    assert whole.scores.tolist() == [100 + n for n in range(10)]


@pytest.mark.parametrize("given", [[1.0], [1.0, NAN], [1.0, np.inf], [[1.0], [2.0]]])
def test_a_reranker_that_does_not_score_every_passage_is_named(given):
    class Odd(Toy):
        def score(self, query, passages):
            return np.array(given)

    for budget in (None, 5.0):
        with pytest.raises(BadInput, match="'toy' was asked for 2 finite scores"):
            score_within(Odd(None), QUERY, passages(2), budget)


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: f'name = "x"\n{text}'.encode()))
def test_any_bytes_are_a_card_or_bad_input(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with contextlib.suppress(BadInput):
        assert read_reranker_card(path).kind.startswith("reranker-")


@pytest.mark.parametrize(
    ("text", "value"), [("200ms", 0.2), ("1.5s", 1.5), ("2", 2.0), (" 2 min ", 120.0), (".5s", 0.5)]
)
def test_times_are_read(text, value):
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "fast", "-1s", "1h", "1.2.3s", "ms"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="is no time"):
        seconds(text)


def test_cards_say_what_is_wrong_with_them(tmp_path):
    card = tmp_path / "card.toml"
    for text, complaint in [
        ('name = "x"\nkind = "dense"\n', "not the card of a reranker"),
        ('name = "x"\nkind = "adapter"\nrole = "language"\n', "not the card of a reranker: its kind is 'adapter'"),
        ('name = "x"\nkind = "reranker-cross"\nmix = 0\n', "mix must be above 0"),
        ('name = "x"\nkind = "reranker-cross"\ncolour = 1\n', "colour"),
        ("name = ", "card.toml"),
    ]:
        card.write_text(text)
        with pytest.raises(BadInput, match=complaint):
            read_reranker_card(card)
    card.write_text('name = "x"\nkind = "reranker-nobody-knows"\n')
    with pytest.raises(UsageError, match="reranker-nobody-knows"):
        load_reranker(card)
    with pytest.raises(UsageError, match="unknown reranker 'nothing'"):
        load_reranker("nothing")


def test_settings_are_read_as_a_kind_wants_them():
    class Window(dict):
        pass

    card = RerankerCard("x", "reranker-toy", settings={"size": 3})
    assert card.read_settings(dict[str, int]) == {"size": 3}
    with pytest.raises(BadInput, match="settings"):
        card.read_settings(dict[str, str])


def test_every_shipped_card_of_a_reranker_can_be_read():
    cards = known_rerankers()
    assert len({card.name for card in cards}) == len(cards) > 10
    settings = {"cross": CrossSettings, "t5": T5Settings, "decoder": DecoderSettings, "listwise": ListwiseSettings}
    for card in cards:
        kind = card.kind.partition("-")[2]
        if kind in settings:
            read = card.read_settings(settings[kind])
            assert "{query}" in getattr(read, "prompt", "{query}")
            assert card.model.count("/") == 1
        assert not card.language_set or language_scores(card)


def test_a_reranker_is_no_encoder():
    with pytest.raises(UsageError, match="bge-reranker-v2-m3 is no encoder but a reranker"):
        load_encoder("bge-reranker-v2-m3")
