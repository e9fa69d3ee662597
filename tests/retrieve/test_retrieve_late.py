"""Late interaction against dense matrices: words, weights, candidates, masks, segments."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from late_oracles import (
    RandomTable,
    build,
    compared,
    first_version,
    meets,
    piece_batch,
    piece_query,
    random_texts,
    reader,
    scores,
    words_of,
)
from retrieve_oracles import fingerprint

from xsearch.core import IndexDamaged, Query
from xsearch.retrieve import maxsim, static_late
from xsearch.retrieve.tokens import words_name
from xsearch.retrieve.word_file import map_words

LANGS = ("de", "en", "fa")
COUNT = 900


def batches_of(texts, langs, commits):
    return [
        piece_batch(part, [langs[n] for n in part], [texts[n] for n in part])
        for part in np.array_split(np.arange(len(texts)), commits)
    ]


@pytest.fixture(scope="module")
def table():
    return RandomTable(np.random.default_rng(5))


@pytest.fixture(scope="module")
def collection(tmp_path_factory, table):
    rng = np.random.default_rng(1)
    texts = random_texts(rng, COUNT)
    langs = rng.choice(LANGS, COUNT).tolist()
    folder = tmp_path_factory.mktemp("late")
    return folder, build(folder, batches_of(texts, langs, 12)), texts, langs


def oracle(table, texts, langs, query, depth, allowed=None):
    """By language: numbers and scores of the best, and the background."""
    spoken = {
        lang: np.array([n for n in range(len(texts)) if langs[n] == lang and len(texts[n])], dtype=int)
        for lang in sorted(set(langs))
    }
    spoken = {lang: numbers for lang, numbers in spoken.items() if len(numbers)}
    words = {lang: [words_of(table, texts[n]) for n in numbers] for lang, numbers in spoken.items()}
    found = {}
    for lang, (values, background) in scores(table, words_of(table, query), words).items():
        numbers = spoken[lang]
        if allowed is not None:
            numbers, values = numbers[allowed[numbers]], values[allowed[numbers]]
        order = np.lexsort((numbers, -values.astype(np.float32)))[:depth]
        found[lang] = numbers[order], values[order], background
    return found


def agrees(ranking, expected, langs, depth):
    """Scores up to the rounding of 8 bits; order wherever scores are further apart than that."""
    spoken = np.array(langs)
    for lang, (numbers, values, background) in expected.items():
        own = spoken[ranking.passages] == lang
        assert own.sum() == len(numbers)
        assert np.allclose(ranking.scores[own], values, atol=0.012)
        right = dict(zip(numbers.tolist(), values.tolist(), strict=True))
        for number, score in zip(ranking.passages[own].tolist(), ranking.scores[own].tolist(), strict=True):
            assert abs(right.get(number, values[-1]) - score) < 0.012
        assert np.allclose(ranking.background[lang], background, atol=0.006)


def test_scores_are_those_of_the_formula(collection, table):
    folder, state, texts, langs = collection
    late = reader(folder, state, table)
    rng = np.random.default_rng(2)
    for _ in range(8):
        query = rng.integers(0, 400, rng.integers(1, 12))
        agrees(late.search(piece_query(query), 20), oracle(table, texts, langs, query, 20), langs, 20)


@pytest.mark.parametrize("share", [0.5, 0.02, 0.0])
def test_a_filter_leaves_as_many_as_exist(collection, table, share):
    folder, state, texts, langs = collection
    allowed = np.random.default_rng(3).random(COUNT) < share
    query = [14, 25, 137, 288]
    found = reader(folder, state, table).search(piece_query(query), 30, allowed)
    assert allowed[found.passages].all()
    agrees(found, oracle(table, texts, langs, query, 30, allowed), langs, 30)


@pytest.mark.parametrize("share", [None, 0.3, 0.01])
def test_lists_of_words_give_what_comparing_all_words_gives(collection, table, share):
    """To the last bit: the lists lose nothing, and add up in the same order."""
    folder, state, _, _ = collection
    late = reader(folder, state, table)
    allowed = None if share is None else np.random.default_rng(3).random(COUNT) < share
    for pieces in np.random.default_rng(4).integers(0, 400, (12, 5)):
        for depth in (1, 20, 400):
            found = late.search(piece_query(pieces), depth, allowed)
            right = compared(late, piece_query(pieces), depth, allowed)
            assert sorted(right) == sorted(zip(found.scores.tolist(), found.passages.tolist(), strict=True))


def test_files_without_lists_give_the_same(collection, table, tmp_path):
    """Version 1 of the files holds no rows: they are made in memory."""
    folder, state, _, _ = collection
    for lang, entries in state["languages"].items():
        (tmp_path / lang).mkdir()
        for entry in entries:
            made = map_words(folder / words_name(lang, entry), entry).forward
            (tmp_path / words_name(lang, entry)).write_bytes(first_version(made))
    old, new = reader(tmp_path, state, table), reader(folder, state, table)
    for pieces in np.random.default_rng(4).integers(0, 400, (5, 5)):
        assert same(old.search(piece_query(pieces), 30), new.search(piece_query(pieces), 30))


def test_compiled_loops_give_the_same(collection, table, monkeypatch):
    pytest.importorskip("numba", reason="compiled loops need numba (extra: fast)")
    folder, state, _, _ = collection
    queries = [piece_query(pieces) for pieces in np.random.default_rng(4).integers(0, 400, (12, 5))]
    plain = reader(folder, state, table)
    right = [plain.search(query, 25) for query in queries]
    monkeypatch.setattr(static_late, "COMPILED", 0)
    late = reader(folder, state, table)
    for query, expected in zip(queries, right, strict=True):
        found = late.search(query, 25)
        assert same(found, expected)
        assert found.background == expected.background
    assert late._comparison().compiled is not None
    assert plain._comparison().compiled is None


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("harm", ["rows", "starts", "pieces", "entries"])
def test_numbers_that_point_nowhere_are_damage(table, tmp_path, monkeypatch, compiled, harm):
    if compiled:
        pytest.importorskip("numba", reason="compiled loops need numba (extra: fast)")
        monkeypatch.setattr(static_late, "COMPILED", 0)
    state = build(tmp_path, batches_of([np.array([14, 25, 36])] * 6, ["en"] * 6, 1))
    (entry,) = state["languages"]["en"]
    path = tmp_path / words_name("en", entry)
    content = bytearray(path.read_bytes())
    # The arrays of 6 passages with 3 words of a piece each, in the order of the file, each a multiple of 8 bytes.
    at = {"starts": 40 + 48 + 56, "pieces": 40 + 48 + 56 + 32 + 16, "entries": 40 + 48 + 56 + 32 + 16 + 16}
    at["rows"] = at["entries"] + 40
    assert len(content) == at["rows"] + 40
    content[at[harm] + (8 if harm == "starts" else 0) + 1] = 0xFF
    path.write_bytes(content)
    with pytest.raises(IndexDamaged, match="repair"):
        reader(tmp_path, state, table).search(piece_query([14, 25]), 3)


def test_words_left_out_meet_nothing(collection, table):
    folder, state, _, _ = collection
    late = reader(folder, state, table)
    left_out = 0
    for pieces in np.random.default_rng(8).integers(0, 400, (12, 3)):
        asked = late._comparison().asked(late._words(piece_query(pieces)))
        for part in static_late.forwards(late._segments):
            similar = asked.word_similarities(part.word_starts, part.pieces)
            columns = [similar[:, part.entries[a:b]].max(axis=1, initial=0.0) for a, b in pairwise(part.starts)]
            assert np.array_equal(asked.matches(part), np.array(columns).T)
            left_out += np.count_nonzero(~asked.reaching(late._comparison().ready(part)))
    assert left_out > 1000


def test_without_numba_numpy_answers(collection, table, monkeypatch):
    folder, state, _, _ = collection
    monkeypatch.setattr(static_late, "COMPILED", 0)
    monkeypatch.setattr(maxsim, "have", lambda name: False)
    late = reader(folder, state, table)
    assert len(late.search(piece_query([14, 25]), 5)) == 15
    assert late._comparison().compiled is None


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_depth_is_reached_where_nothing_is_met(collection, table, share):
    folder, state, texts, langs = collection
    allowed = np.random.default_rng(7).random(COUNT) < share
    # A piece that is near to none of the index: all score 0, and the first are found.
    lonely = RandomTable(np.random.default_rng(5))
    lonely.integers[399] = np.where(np.arange(24) % 2, 127, -127)
    found = reader(folder, state, lonely).search(piece_query([399]), 50, allowed)
    for lang in LANGS:
        exist = sum(langs[n] == lang and len(texts[n]) > 0 and allowed[n] for n in range(COUNT))
        assert sum(langs[n] == lang for n in found.passages) == min(50, exist)
    assert allowed[found.passages].all()


def same(a, b):
    return np.array_equal(a.passages, b.passages) and np.array_equal(a.scores, b.scores)


def test_segments_leave_no_trace(tmp_path, table):
    rng = np.random.default_rng(8)
    texts, langs = random_texts(rng, 300), rng.choice(LANGS, 300).tolist()
    made = [(f := tmp_path / str(n), build(f, batches_of(texts, langs, n))) for n in (1, 3, 25)]
    assert max(len(entries) for entries in made[2][1]["languages"].values()) <= 8
    readers = [reader(folder, state, table) for folder, state in made]
    for query in rng.integers(0, 400, (8, 4)):
        first, *rest = (late.search(piece_query(query), 15) for late in readers)
        assert all(same(first, other) and first.background == other.background for other in rest)


def test_one_language_alone(collection, table):
    folder, state, _, langs = collection
    late = reader(folder, state, table)
    whole = late.search(piece_query([5, 60, 200]), 10)
    alone = late.search(piece_query([5, 60, 200]), 10, langs=["fa"])
    own = [langs[n] == "fa" for n in whole.passages]
    assert np.array_equal(alone.passages, whole.passages[own])
    assert np.array_equal(alone.scores, whole.scores[own])
    assert alone.background == {"fa": whole.background["fa"]}
    assert late.languages() == sorted(LANGS)


def test_equal_passages_tie_by_number(tmp_path, table):
    text = np.array([14, 1, 25, 36])
    state = build(tmp_path, batches_of([text] * 90, ["en"] * 90, 3))
    found = reader(tmp_path, state, table).search(piece_query([14, 36]), 20)
    assert found.passages.tolist() == list(range(20))
    assert len(set(found.scores.tolist())) == 1


def test_a_reader_keeps_its_snapshot_and_writes_nothing(tmp_path, table):
    rng = np.random.default_rng(9)
    batches = batches_of(random_texts(rng, 300), rng.choice(LANGS, 300).tolist(), 12)
    state = build(tmp_path, batches[:8])
    before = fingerprint(tmp_path)
    early = reader(tmp_path, state, table)
    right = early.search(piece_query([5, 60, 200]), 20)
    assert fingerprint(tmp_path) == before
    later = build(tmp_path, batches[8:], state, high_water=int(batches[8].numbers[0]))
    assert same(reader(tmp_path, state, table).search(piece_query([5, 60, 200]), 20), right)
    assert not same(reader(tmp_path, later, table).search(piece_query([5, 60, 200]), 20), right)
    for name in set(state["files"]) - set(later["files"]):
        (tmp_path / name).unlink()
    assert same(early.search(piece_query([5, 60, 200]), 20), right)


def test_nothing_is_found_without_words(collection, table, tmp_path):
    folder, state, _, _ = collection
    mute = RandomTable(np.random.default_rng(5))
    mute.integers[7] = 0
    for query, vectors in ((Query("", ()), table), (piece_query([]), table), (piece_query([7]), mute)):
        found = reader(folder, state, vectors).search(query, 5)
        assert len(found) == 0
        assert not found.background
    empty = build(tmp_path, [piece_batch(range(3), ["en"] * 3, [np.zeros(0, int)] * 3)])
    assert reader(tmp_path, empty, table).languages() == []
    assert len(reader(tmp_path, empty, table).search(piece_query([5]), 5)) == 0


def test_a_search_ends_undisturbed_when_it_is_closed(collection, table, monkeypatch):
    folder, state, _, _ = collection
    right = reader(folder, state, table).search(piece_query([14, 25]), 20)
    late, asked = reader(folder, state, table), maxsim.Comparison.asked
    monkeypatch.setattr(maxsim.Comparison, "asked", lambda *given: late.close() or asked(*given))
    assert same(late.search(piece_query([14, 25]), 20), right)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_any_shape(tmp_path_factory, seed, passages, commits, depth, words):
    rng = np.random.default_rng(seed)
    table = RandomTable(rng, size=80, dim=int(rng.integers(8, 20)))
    texts = random_texts(rng, passages, size=80, longest=60)
    folder = tmp_path_factory.mktemp("shape")
    state = build(folder, batches_of(texts, ["en"] * passages, min(commits, passages)))
    query = rng.integers(0, 80, words)
    if len(words_of(table, query)) > static_late.QUERY_WORDS or not any(len(text) for text in texts):
        return
    found = reader(folder, state, table).search(piece_query(query), depth)
    agrees(found, oracle(table, texts, ["en"] * passages, query, depth), ["en"] * passages, depth)


def test_evidence_names_the_nearest_word(collection, table):
    folder, state, _, _ = collection
    late = reader(folder, state, table)
    rng = np.random.default_rng(11)
    for _ in range(6):
        query, text = rng.integers(0, 400, 6), rng.integers(0, 400, 30)
        (met,) = late.evidence(piece_query(query), [piece_query(text).pieces])
        words, held = words_of(table, query), words_of(table, text)
        begins = np.cumsum([0, *map(len, held)])
        asked = np.cumsum([0, *map(len, words)])
        right = {}
        for i, word in enumerate(words):
            each = meets(table, [word], [[other] for other in held])[0]
            if each.max() > 0.01:
                j = int(each.argmax())
                right[int(asked[i]), int(asked[i + 1])] = (int(begins[j]), int(begins[j + 1])), each.max()
        found = {one.asked: (one.found, one.similarity) for one in met if one.similarity > 0.01}
        assert set(right) >= {span for span in found if found[span][1] > 0.03}
        for span, (place, similarity) in right.items():
            if span in found:
                assert abs(found[span][1] - similarity) < 0.02
                assert found[span][0] == place or similarity < 0.1
    assert late.evidence(Query("", ()), [piece_query([4]).pieces]) == [[]]
    assert late.evidence(piece_query([4]), [piece_query([]).pieces]) == [[]]


def test_long_queries_keep_their_weightiest_words(collection, table):
    folder, state, _, _ = collection
    heads = np.arange(4, 400)[np.arange(4, 400) % 10 >= 4][:60]
    lengths = np.linalg.norm(table.vectors[heads], axis=1)
    kept = heads[np.sort(np.argsort(-lengths, kind="stable")[: static_late.QUERY_WORDS])]
    late = reader(folder, state, table)
    assert same(late.search(piece_query(heads), 10), late.search(piece_query(kept), 10))


def test_the_oracle_meets_equal_words_fully(table):
    words = [(14,), (25, 1), (36, 2, 3)]
    assert np.allclose(meets(table, words[:1], [words, [words[0]]]), 1, atol=1e-6)
