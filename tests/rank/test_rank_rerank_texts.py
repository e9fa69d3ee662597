"""What rerankers make of texts before and after the model: windows, prompts, windows of a list, answers."""

import re
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xsearch.rank.rerank.forward import Tokens
from xsearch.rank.rerank.listwise import permutation, places, windows
from xsearch.rank.rerank.prompts import fill
from xsearch.rank.rerank.windows import QUERIES_CUT, fit

TEXT = st.text(st.sampled_from("ab é水 \n"), max_size=60)


def encode(query, passages):
    """A token a character that is not white space, <query> between two special ones."""

    def numbers(text):
        return [ord(char) for char in text if not char.isspace()]

    made = []
    for passage in passages:
        left, right = [1, *numbers(query), 2], [*numbers(passage), 2]
        made.append(Tokens(left + right, [0] * len(left) + [1] * len(right)))
    return made


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4), st.integers(8, 40))
def test_windows_hold_all_of_a_passage_in_its_order(query, passages, limit):
    counts = Counter()
    fitted = fit(query, passages, encode, limit, counts)
    assert all(len(sequence.ids) <= limit for sequence in fitted.sequences)
    assert (np.diff(fitted.owners) >= 0).all()
    assert set(fitted.owners.tolist()) == set(range(len(passages)))
    for row, passage in enumerate(passages):
        own = [fitted.sequences[at] for at in np.flatnonzero(fitted.owners == row)]
        read = [n for s in own for n, kind in zip(s.ids, s.types, strict=True) if kind and n != 2]
        assert read == [ord(char) for char in passage if not char.isspace()]
    asked = [
        n for n, kind in zip(fitted.sequences[0].ids, fitted.sequences[0].types, strict=True) if not kind and n > 2
    ]
    whole = [ord(char) for char in query if not char.isspace()]
    assert asked == whole[: len(asked)]
    assert (len(asked) < len(whole)) == (counts[QUERIES_CUT] == 1)
    assert len(asked) >= min(len(whole), 1)


def test_the_best_window_counts():
    fitted = fit("a", ["bbbb", "b" * 20, ""], encode, 12, Counter())
    assert fitted.owners.tolist() == [0, 1, 1, 1, 2]
    assert fitted.best(np.array([3, 1, 9, 2, -4], dtype=np.float32)).tolist() == [3, 9, -4]


def test_a_template_is_filled_once():
    assert fill("{a} {b} {c}", a="{b}", b="{a}") == "{b} {a} {c}"


def test_windows_of_a_list_slide_from_its_end():
    # Sun et al. 2023, figure 1: eight passages, a window of four, a stride of two.
    assert windows(8, 4, 2) == [(4, 8), (2, 6), (0, 4)]
    assert windows(9, 4, 2) == [(5, 9), (3, 7), (1, 5), (0, 4)]
    assert windows(3, 4, 2) == [(0, 3)]
    assert windows(1, 4, 2) == windows(0, 4, 2) == []


@given(st.integers(0, 60), st.integers(2, 20), st.data())
def test_windows_of_a_list_cover_it_and_overlap(count, window, data):
    stride = data.draw(st.integers(1, window))
    found = windows(count, window, stride)
    assert {place for start, end in found for place in range(start, end)} == (set(range(count)) if count > 1 else set())
    assert all(end - start <= window and start < end for start, end in found)
    assert [start for start, _ in found] == sorted((start for start, _ in found), reverse=True)


def test_answers_by_hand():
    assert permutation("[2] > [3] > [1]", 3) == [1, 2, 0]
    assert permutation("The order is: 3, 3, 1.", 3) == [2, 0]
    assert permutation("[4] > [0] > [2]", 3) == [1]
    assert permutation("none of them", 3) == []
    assert permutation("٢ > ١", 3) == [1, 0]


@given(st.text(max_size=200), st.integers(1, 30))
def test_any_answer_is_read_as_places(answer, count):
    named = permutation(answer, count)
    assert len(set(named)) == len(named)
    assert set(named) <= set(range(count))
    assert bool(named) == any(1 <= int(n) <= count for n in re.findall(r"\d+", answer) if len(n) < 6)


def test_places_are_scores_from_n_to_one():
    assert places([2, 0, 1]).tolist() == [2, 1, 3]
    assert places([]).tolist() == []
