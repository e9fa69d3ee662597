"""Segmentation against all segmentations and against the tokenizers library; the memory changes nothing."""

from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core.extras import have
from xsearch.encode import unigram, viterbi
from xsearch.encode.static import begin_words
from xsearch.encode.stretches import Stretches, StretchTable
from xsearch.encode.subwords import Subwords
from xsearch.encode.unigram import START, UNKNOWN_PENALTY, Unigram
from xsearch.encode.vocabulary import Bytes, Vocabulary

ALPHABET = "abcß語"
rng = np.random.default_rng(11)
STRINGS = ["".join(s) for n in (1, 2, 3) for s in product("abc", repeat=n)]
PIECES = [("<unk>", 0.0), (START, -3.0)] + [
    (START * int(rng.random() < 0.3) + piece, float(np.float16(-rng.uniform(1, 6) * len(piece) ** 0.5)))
    for piece in rng.permutation(STRINGS).tolist()[:25]
]
PIECES = list(dict(PIECES).items())


def best_by_enumeration(word):
    """Score of the best of all 2 ** (n - 1) segmentations; an unknown character costs the least score less ten."""
    text = START + word
    score = dict(PIECES[1:])
    unknown = min(s for _, s in PIECES) - UNKNOWN_PENALTY
    best = -np.inf
    for cuts in product([False, True], repeat=len(text) - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(text)]
        parts = [text[a:b] for a, b in pairwise(edges)]
        if all(part in score or len(part) == 1 for part in parts):
            best = max(best, sum(score.get(part, unknown) for part in parts))
    return best


def test_a_vocabulary_is_its_pairs():
    vocabulary = Vocabulary.of(PIECES)
    assert list(vocabulary) == [vocabulary[i] for i in range(len(vocabulary))] == list(PIECES)
    assert vocabulary[1:3] == list(PIECES)[1:3]
    assert Vocabulary.of(vocabulary) is vocabulary
    assert all(len(piece) <= vocabulary.longest()[piece[0]] for piece, _ in PIECES if piece)


def test_a_vocabulary_without_a_lone_beginning_has_all_its_pieces():
    pieces = [("<unk>", 0.0), *((piece, -1.0) for piece in "aekntz")]
    found = Subwords(pieces).bags(["katzen", "z"])
    assert ["".join(pieces[token][0] for token in tokens) for tokens in found.lists()] == ["katzen", "z"]


@given(st.lists(st.text("aé語𐍈", min_size=1, max_size=12)), st.lists(st.text("aé語𐍈", max_size=30)))
def test_a_vocabulary_finds_its_pieces_and_no_others(spellings, others):
    vocabulary = Vocabulary.of([("<unk>", 0.0), *((spelling, -1.0) for spelling in spellings)])
    last = {spelling: number for number, spelling in enumerate(spellings, start=1)}
    asked = [*others, *spellings]
    assert vocabulary.numbers(asked) == [last.get(spelling, -1) for spelling in asked]
    assert [vocabulary.spelling(number) for number in range(1, len(vocabulary))] == spellings


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")), min_size=1))
def test_first_characters_are_those_of_the_spellings(spellings):
    vocabulary = Vocabulary.of([(spelling, 0.0) for spelling in spellings])
    expected = [ord(spelling[0]) if spelling else 0 for spelling in spellings]
    assert vocabulary.first_characters(np.arange(len(spellings))).tolist() == expected


def test_pieces_begin_words_by_their_sign_or_their_script():
    begins = "▁ぁ水กຂကក𠀀"
    inside = "a-ёяיع1 ㈀가\u0dff\u0f00\ua000"
    codes = np.array(list(map(ord, begins + inside)))
    assert begin_words(codes).tolist() == [True] * len(begins) + [False] * len(inside)


def test_a_vocabulary_of_equal_beginnings_and_ends_is_told_apart(monkeypatch):
    # All hashes alike: what is left is the comparison, byte by byte.
    monkeypatch.setattr(Bytes, "keys", lambda self, begins, lengths: np.zeros(len(begins), dtype=np.uint64))
    spellings = [f"{'a' * 8}{middle}{'z' * 8}" for middle in ("", "b", "c" * 8, "d" * 8, "語" * 9)]
    vocabulary = Vocabulary.of([(spelling, 0.0) for spelling in spellings])
    assert vocabulary.numbers([*spellings, "a" * 16]) == [0, 1, 2, 3, 4, -1]


@given(st.lists(st.text(ALPHABET + "𐍈\ud800", min_size=1, max_size=12), min_size=1))
def test_words_looked_up_and_words_in_a_dictionary_have_the_same_pieces(words):
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for some in (10**9, -1):
            patch.setattr(unigram, "SOME_WORDS", some)
            # One word of the words looked up together fills a block.
            patch.setattr("xsearch.encode.lookup.MOST_CHARACTERS", 10)
            found.append([Unigram(PIECES).segment(word) for word in words])
        assert found[0] == found[1]
        patch.setattr(unigram, "SOME_WORDS", 10**9)
        together = lists(Unigram(PIECES).segment_all(words))
    silent = (0, [piece for piece, _ in PIECES].index(START))
    assert together == [[piece for piece in pieces if piece not in silent] for pieces in found[1]]


@given(st.text(ALPHABET, min_size=1, max_size=9))
def test_segmentation_is_the_best_of_all(word):
    found = Unigram(PIECES).segment(word)
    unknown = min(s for _, s in PIECES) - UNKNOWN_PENALTY
    assert sum(PIECES[piece][1] if piece else unknown for piece in found) == pytest.approx(best_by_enumeration(word))


needs_numba = pytest.mark.skipif(not have("numba"), reason="numba is not installed")


@cache
def model():
    return Unigram(PIECES)


def lists(bags):
    return [bags.tokens[begin:end].tolist() for begin, end in pairwise(bags.starts)]


@pytest.mark.parametrize("loops", [False, pytest.param(True, marks=needs_numba)])
@given(words=st.lists(st.text(ALPHABET, min_size=1, max_size=20)))
def test_few_words_and_many_words_give_the_pieces_of_the_library(loops, words):
    many = Unigram(PIECES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unigram, "MANY_WORDS", 0)
        patch.setattr(unigram, "FEW_WORDS", 0)
        if not loops:
            patch.setattr(viterbi, "compiled", lambda: None)
        together = lists(many.segment_all(words))
        assert lists(many.segment_stretches(Stretches.of([" ".join(words)]))) == together
    encoded = library().encode_batch([START + word for word in words], add_special_tokens=False)
    silent = (0, [piece for piece, _ in PIECES].index(START))
    assert together == [[piece for piece in found.ids if piece not in silent] for found in encoded]
    assert together == lists(model().segment_all(words))


@cache
def library():
    return unigram.unigram_tokenizer(PIECES)


@given(st.text(ALPHABET, min_size=1, max_size=12))
def test_spelling_covers_what_is_known_in_order(word):
    spelled = model().spell(word)
    assert [piece for piece, _, _ in spelled] == model().segment_all([word]).tokens.tolist()
    ends = 0
    for piece, begin, end in spelled:
        assert begin >= ends
        assert word[begin:end] == PIECES[piece][0].removeprefix(START)
        ends = end
    known = {piece for piece, _ in PIECES if len(piece) == 1}
    covered = {place for _, begin, end in spelled for place in range(begin, end)}
    assert all(place in covered for place, character in enumerate(word) if character in known)


@given(st.lists(st.text("abc,. 語\n\tA", max_size=40), max_size=8))
def test_memory_and_batch_do_not_change_tokens(texts):
    together = Subwords(PIECES).bags(texts)
    forgetful = Subwords(PIECES, remembered=2)
    for i, text in enumerate(texts):
        alone = forgetful.bags([text])
        assert alone.tokens.tolist() == together.tokens[together.starts[i] : together.starts[i + 1]].tolist()
        assert [token for token, _, _ in forgetful.places(text)] == alone.tokens.tolist()


@given(
    st.lists(st.text("abc,. 語\n\tA", max_size=40), max_size=5),
    st.lists(st.lists(st.integers(0, len(PIECES) - 1), max_size=3), min_size=5, max_size=5),
)
def test_places_around_tokens_are_those_of_the_stretches_that_hold_them(texts, wanted):
    subwords = Subwords(PIECES)
    found = subwords.places_around(texts, [np.array(tokens, dtype=np.int32) for tokens in wanted[: len(texts)]])
    for text, tokens, places in zip(texts, wanted, found, strict=False):
        expected, at = [], 0
        for stretch in text.split():
            at = text.index(stretch, at)
            own = [place for place in subwords.places(text) if at <= place[1] < at + len(stretch)]
            expected += own if {token for token, _, _ in own} & set(tokens) else []
            at += len(stretch)
        assert places == expected


def test_no_texts():
    bags = Subwords(PIECES).bags([])
    assert len(bags) == 0
    assert bags.tokens.tolist() == []


TEXTS = st.lists(st.text(st.sampled_from("ab\n\x1c\u0085\u2028\u3000 \u200b語😀\ud800"), max_size=30), max_size=8)


@given(TEXTS)
def test_stretches_are_what_split_finds(texts):
    stretches = Stretches.of(texts)
    assert stretches.texts() == [stretch for text in texts for stretch in text.split()]
    assert stretches.counts.tolist() == [len(text.split()) for text in texts]


@given(st.lists(TEXTS, max_size=5))
def test_a_table_of_stretches_numbers_them_as_a_dictionary_would(rounds):
    table, known = StretchTable(), {}
    for texts in rounds:
        new = [
            text for text in dict.fromkeys(stretch for text in texts for stretch in text.split()) if text not in known
        ]
        added = table.add(Stretches.of([" ".join(new)]))
        known.update(zip(new, added.tolist(), strict=True))
        found = table.find(Stretches.of(texts))
        assert found.tolist() == [known[stretch] for text in texts for stretch in text.split()]
    assert table.find(Stretches.of(["abba语"])).tolist() == [-1]
    assert table.characters == sum(map(len, known))


@pytest.mark.parametrize("hashed", [True, False])
@given(texts=TEXTS)
def test_distinct_stretches_are_those_of_a_set(hashed, texts):
    with pytest.MonkeyPatch.context() as patch:
        if not hashed:
            patch.setattr("xsearch.encode.stretches._hashes", lambda *given: given[-1].astype(np.uint64))
        stretches = Stretches.of(texts)
        first, same = stretches.distinct()
    all_of_them = stretches.texts()
    chosen = [all_of_them[place] for place in first]
    assert len(chosen) == len(set(all_of_them))
    assert [chosen[number] for number in same] == all_of_them


def test_a_table_of_stretches_grows():
    words = [f"w{number}" for number in range(20_000)]
    table = StretchTable()
    for start in range(0, len(words), 3000):
        table.add(Stretches.of(words[start : start + 3000]))
    assert table.find(Stretches.of([" ".join(words), "w20000"])).tolist() == [*range(20_000), -1]


def test_stretches_of_one_hash_are_told_apart(monkeypatch):
    texts = ["banana band abba", "abba banana nab band"]
    expected = Subwords(PIECES).bags(texts).tokens.tolist()
    monkeypatch.setattr("xsearch.encode.stretches._hashes", lambda *given: given[-1].astype(np.uint64))
    table = StretchTable()
    table.add(Stretches.of(["ab cd efg"]))
    assert table.find(Stretches.of(["ab cd efg xyz"])).tolist() == [0, -1, 2, -1]
    subwords = Subwords(PIECES)
    assert [subwords.bags(texts).tokens.tolist() for _ in range(2)] == [expected] * 2
