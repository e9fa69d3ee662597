"""Snippets: the right sentence, whole words, spans that hold what matched."""

import re
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.rank import snippet
from xsearch.rank.graphemes import cut_before


def tokens(text):
    return [((match.group().lower(),), match.start(), match.end()) for match in re.finditer(r"\w+", text)]


def spans(text):
    return [(start, end) for _, start, end in tokens(text)]


def sentences(text):
    return [match.span() for match in re.finditer(r"[^.。]+[.。]?\s*", text)]


def made(text, *terms, width=240, **options):
    weights = dict.fromkeys(terms, 1.0)
    return snippet(text, sentences(text), tokens(text), weights, width=width, words=lambda: spans(text), **options)


def marked(result):
    text, spans = result
    return [text[start:end] for start, end in spans]


TEXT = (
    "The harbour was built in 1890. Ships came from everywhere. Solar panels cover its roofs today. "
    "The panels feed a battery. Nobody remembers the coal."
)


def test_the_sentence_that_says_most_of_the_query_is_shown_with_what_follows():
    text, spans = made(TEXT, "solar", "panels", width=60)
    assert text == "Solar panels cover its roofs today. The panels feed a…"
    assert marked((text, spans)) == ["Solar", "panels", "panels"]


def test_a_short_text_is_shown_whole_without_ellipsis():
    text, spans = made(TEXT, "coal")
    assert text == TEXT
    assert marked((text, spans)) == ["coal"]


def test_the_end_of_the_text_is_filled_with_whole_sentences_before():
    assert made(TEXT, "coal", width=60)[0] == "The panels feed a battery. Nobody remembers the coal."


def test_a_rare_word_outweighs_two_common_ones():
    weights = {"the": 0.1, "panels": 0.2, "ships": 5.0}
    text, _ = snippet(TEXT, sentences(TEXT), tokens(TEXT), weights, width=30)
    assert text == "Ships came from everywhere."


def test_a_word_said_twice_counts_once():
    text = "Wind wind wind wind. Wind and water."
    assert made(text, "wind", "water", width=18)[0] == "Wind and water."


def test_where_no_word_matches_the_nearest_sentence_is_shown():
    scores = np.array([0.1, 0.2, 0.1, 0.6, 0.3], dtype=np.float32)
    assert made(TEXT, "енергия", width=30, sentence_scores=scores) == ("The panels feed a battery.", [])


def test_nearness_and_words_speak_together():
    scores = np.array([0.1, 0.9, 0.1, 0.1, 0.1], dtype=np.float32)
    assert made(TEXT, "solar", width=36, sentence_scores=scores)[0].startswith("Solar panels")
    assert made(TEXT, "solar", "x", "y", width=36, sentence_scores=scores)[0].startswith("Ships came")


def test_a_long_sentence_is_cut_at_words_around_its_densest_matches():
    long = "alpha " * 60 + "rare (solar, energy) plant " + "omega " * 60
    text, spans = made(long, "solar", "energy", "alpha", width=80)
    assert text.startswith("…")
    assert text.endswith("…")
    assert {"solar", "energy"} <= set(marked((text, spans)))
    assert set(text.strip("…").replace("(", "").replace(")", "").replace(",", "").split()) <= {
        "alpha",
        "rare",
        "solar",
        "energy",
        "plant",
        "omega",
    }


def test_matches_at_the_edges_of_the_window_are_kept():
    long = "x" * 500 + " (solar" + " and" * 15 + " energy)," + "y" * 500
    found = marked(made(long, "solar", "energy", width=74))
    assert found == ["solar", "energy"]


def test_text_without_spaces_is_cut_between_tokens():
    long = "太陽光発電" * 100
    cut = [(("太陽光",), i, i + 3) if i % 5 == 0 else (("発電",), i, i + 2) for i in range(500) if i % 5 in (0, 3)]
    text, spans = snippet(long, [(0, 500)], cut, {"発電": 1.0}, width=23, words=lambda: [(a, b) for _, a, b in cut])
    assert text.endswith("…")
    assert re.fullmatch("…?(太陽光|発電)+…", text)
    assert set(marked((text, spans))) == {"発電"}


def test_white_space_becomes_single_spaces_and_spans_move_along():
    text = "Wind\n\n   and \t solar  energy\u00a0now."
    assert snippet(text, [(0, len(text))], tokens(text), {"solar": 1.0, "energy": 1.0}) == (
        "Wind and solar energy now.",
        [(9, 14), (15, 21)],
    )


SPACES = st.text(" \n\t\u00a0\u2003", min_size=1, max_size=4)


@given(st.lists(st.tuples(st.sampled_from(["wind", "a", "太陽"]), SPACES)))
def test_whatever_white_space_the_spans_hold_the_words(parts):
    text = "".join(word + space for word, space in parts)
    shown, spans = snippet(text, [(0, len(text))], tokens(text), {"wind": 1.0}, width=1000)
    assert shown == " ".join(word for word, _ in parts)
    assert [shown[start:end] for start, end in spans] == ["wind" for word, _ in parts if word == "wind"]


def test_overlapping_terms_are_one_span():
    bigrams = [(("東京",), 0, 2), (("京都",), 1, 3), (("都で",), 2, 4)]
    assert snippet("東京都で", [(0, 4)], bigrams, {"東京": 1.0, "京都": 1.0}) == ("東京都で", [(0, 3)])


def test_nothing_to_show():
    assert snippet("", [], [], {}) == ("", [])
    assert snippet(" \n ", [(0, 3)], [], {"a": 1.0}) == ("", [])
    assert made("Wind.") == ("Wind.", [])


@given(
    st.text(alphabet=st.sampled_from("ab é\u0301. 風\u0bcdक्षि\u200d👩🏽🇩🇪\n\u1100\u1161"), max_size=200),
    st.lists(st.sampled_from(["a", "b", "ab", "風"]), max_size=3),
    st.integers(1, 60),
)
def test_any_text_gives_spans_of_matched_text_within_the_width(text, terms, width):
    text = re.sub(r"(?<=\s)[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0bcd]+", "", text)  # marks of no letter
    result, spans = made(text, *terms, width=width)
    known = {text[start:end] for (term,), start, end in tokens(text) if term in terms}
    assert len(result) <= width + 2
    assert all(0 <= start < end <= len(result) for start, end in spans)
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    for start, end in spans:
        assert any(result[start:end] in whole or whole in result[start:end] for whole in known)
    assert "  " not in result
    assert "\n" not in result
    bare = result.strip("…")
    squeezed = " ".join(text.split())
    assert bare in squeezed
    places = [match.start() for match in re.finditer(f"(?={re.escape(bare)})", squeezed)]
    assert any(unparted(squeezed, place) and unparted(squeezed, place + len(bare)) for place in places)


def unparted(text, at):
    """Whether no mark is parted from its letter at `at`."""
    return at in (0, len(text)) or unicodedata.category(text[at])[0] != "M"


# --- where a text may be cut ---


@pytest.mark.parametrize(
    "cluster",
    [
        "é",  # a letter and its accent
        "क्षि"[2:],  # a consonant and its vowel sign
        "ก็",
        "👩🏽",  # skin tone
        "👩\u200d🚀",  # joined
        "❤\ufe0f",  # variation selector
        "🇩🇪",  # flag
        "각",  # Hangul jamo
        "\r\n",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland
    ],
)
def test_no_cluster_is_cut(cluster):
    text = f"ab{cluster}cd"
    for at in range(2, 2 + len(cluster)):
        assert cut_before(text, at) == 2
    assert cut_before(text, 2 + len(cluster)) == 2 + len(cluster)
    assert cut_before(text, 1) == 1


def test_two_flags_are_cut_between():
    text = "🇩🇪🇫🇷"
    assert [cut_before(text, at) for at in range(5)] == [0, 0, 2, 2, 4]


def test_the_ends_are_places_and_endless_marks_cost_little():
    assert cut_before("", 0) == 0
    assert cut_before("ab", 9) == 2
    assert cut_before("ab", -1) == 0
    assert cut_before("a" + "\u0301" * 1_000_000, 999_999) == 999_999
