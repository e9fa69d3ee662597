"""Which word translates which: cases by hand, and that any pieces give matches that lie in the text."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import QueryPieces, Translations, WordMatch
from xsearch.rank.evidence import LONGEST_WORD, SURE, believed, word_matches, words_of


def pieces(*spans, weights=None):
    """(token, start, end) each."""
    tokens, starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 3).T
    said = np.ones(len(spans)) if weights is None else np.array(weights)
    return QueryPieces(tokens.astype(np.int32), said.astype(np.float32), starts, ends)


def translations(*rows):
    """For each piece of the query, {token: probability}."""
    starts = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
    tokens = [token for row in rows for token in row]
    values = [value for row in rows for value in row.values()]
    return Translations(starts, np.array(tokens, np.int32), np.array(values, np.float32))


def matches(query, asked, translated, text, held):
    """Those of one passage."""
    (found,) = word_matches(query, asked, [translated], [text], [held])
    return found


def test_a_word_of_several_pieces_by_hand():
    # "black sea" met in "Schwarze|n Meer": the ending is translated by nothing.
    query = pieces((1, 0, 5), (2, 6, 9))
    held = pieces((11, 0, 8), (12, 8, 9), (13, 10, 14), (11, 15, 23))
    found = matches("black sea", query, translations({11: 0.9, 13: 0.2}, {13: 0.6}), "Schwarzen Meer schwarze", held)
    assert [(m.query, m.word, m.start, m.end) for m in found] == [
        ("black", "Schwarzen", 0, 9),
        ("sea", "Meer", 10, 14),
        ("black", "schwarze", 15, 23),
    ]
    assert [m.strength for m in found] == pytest.approx([0.9 * 8 / 9, 0.6, 0.9], abs=1e-4)


def test_pieces_of_a_query_word_count_by_weight():
    query = pieces((1, 0, 3), (2, 3, 5), weights=[3.0, 1.0])
    (match,) = matches("abcde", query, translations({7: 0.5}, {8: 1.0}), "xx yy", pieces((7, 0, 2), (9, 3, 5)))
    assert match.strength == pytest.approx(0.5 * 3 / 4)
    assert match.query == "abcde"


def test_what_is_weak_or_not_translated_is_left_out():
    query = pieces((1, 0, 3))
    assert matches("abc", query, translations({7: 0.05}), "xx", pieces((7, 0, 2))) == []
    assert matches("abc", query, translations({}), "xx", pieces((7, 0, 2))) == []
    assert matches("abc", query, translations({7: 0.9}), "", pieces()) == []


def test_a_run_without_spaces_is_words_of_one_piece():
    run = pieces(*((n, 2 * n, 2 * n + 2) for n in range(LONGEST_WORD)))
    assert words_of(run) == [(n, n + 1) for n in range(LONGEST_WORD)]
    assert words_of(pieces((1, 0, 3), (2, 3, 5), (3, 6, 8))) == [(0, 2), (2, 3)]
    assert words_of(pieces()) == []


@given(
    sizes=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 30), st.integers(0, 2)), max_size=20),
    rows=st.lists(st.dictionaries(st.integers(0, 6), st.floats(0.01, 1), max_size=4), min_size=1, max_size=4),
)
def test_matches_lie_in_the_text_and_follow_each_other(sizes, rows):
    spans, at = [], 0
    for token, size, gap in sizes:
        spans.append((token, at + gap, at + gap + size))
        at += gap + size
    query = pieces(*((n, 3 * n, 3 * n + 2) for n in range(len(rows))))
    text = "x" * at
    found = matches("ab " * len(rows), query, translations(*rows), text, pieces(*spans))
    for match in found:
        assert 0 <= match.start < match.end <= len(text)
        assert match.word == text[match.start : match.end]
        assert 0.1 <= match.strength <= 1.0001
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(
    texts=st.lists(
        st.lists(st.tuples(st.integers(0, 6), st.integers(1, 30), st.integers(0, 2)), max_size=9), max_size=5
    ),
    rows=st.lists(st.dictionaries(st.integers(0, 6), st.floats(0.01, 1), max_size=4), min_size=2, max_size=6),
    chosen=st.lists(st.integers(0, 1), min_size=5, max_size=5),
)
def test_passages_together_match_as_each_alone(texts, rows, chosen):
    half = len(rows) // 2
    query = pieces(*((n, 3 * n, 3 * n + 2) for n in range(half)))
    tables = [translations(*rows[:half]), translations(*rows[-half:])]
    lines, held = [], []
    for sizes in texts:
        spans, at = [], 0
        for token, size, gap in sizes:
            spans.append((token, at + gap, at + gap + size))
            at += gap + size
        lines.append("".join(chr(97 + n % 26) for n in range(at)))
        held.append(pieces(*spans))
    own = [tables[chosen[n]] for n in range(len(texts))]
    alone = [matches("ab " * half, query, *each) for each in zip(own, lines, held, strict=True)]
    assert word_matches("ab " * half, query, own, lines, held) == alone


def test_vectors_bear_out_what_tables_are_unsure_of():
    vectors = {"water": (1.0, 0.0), "eau": (0.8, 0.6), "nue": (0.2, 0.9798), "sol": (-1.0, 0.0)}
    asked = []

    def encode(words):
        asked.append(list(words))
        return np.array([vectors[word] for word in words], np.float32)

    def match(word, strength):
        return WordMatch("water", word, 0, len(word), strength)

    found = [[match("eau", 0.1), match("nue", 0.1)], [], [match("nue", 0.31), match("sol", SURE), match("sol", 0.49)]]
    # .1 + .8 / 2, .31 + .2 / 2 and what is sure; not .1 + .2 / 2 nor .49 - 1 / 2.
    assert believed(found, encode) == [[match("eau", 0.1)], [], [match("nue", 0.31), match("sol", SURE)]]
    assert asked == [["water", "eau", "nue", "sol"]]
    assert believed([[match("sol", 0.9)]], encode) == [[match("sol", 0.9)]]
    assert len(asked) == 1
