"""Late interaction against dense matrices: words, weights, candidates, masks, segments."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from late_oracles import (
    RandomTable,
    build,
    meets,
    piece_batch,
    piece_query,
    random_texts,
    reader,
    scores,
    words_of,
)
from retrieve_oracles import fingerprint

from xsearch.core import Query
from xsearch.retrieve import maxsim, static_late

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
    folder, states, texts, langs = collection
    late = reader(folder, states, table)
    rng = np.random.default_rng(2)
    for _ in range(8):
        query = rng.integers(0, 400, rng.integers(1, 12))
        agrees(late.search(piece_query(query), 20), oracle(table, texts, langs, query, 20), langs, 20)


@pytest.mark.parametrize("share", [0.5, 0.02, 0.0])
def test_a_filter_leaves_as_many_as_exist(collection, table, share):
    folder, states, texts, langs = collection
    allowed = np.random.default_rng(3).random(COUNT) < share
    query = [14, 25, 137, 288]
    found = reader(folder, states, table).search(piece_query(query), 30, allowed)
    assert allowed[found.passages].all()
    agrees(found, oracle(table, texts, langs, query, 30, allowed), langs, 30)


@pytest.fixture
def few_rescored(monkeypatch):
    """As in a large index: of each language only the promising are scored."""
    monkeypatch.setattr(static_late, "EXHAUSTIVE", 0)
    monkeypatch.setattr(static_late, "WHOLE", 0)
    monkeypatch.setattr(static_late, "RESCORED", 0)


def test_candidates_that_cover_all_give_what_scoring_all_gives(collection, table, monkeypatch):
    folder, states, _, _ = collection
    queries = [piece_query(pieces) for pieces in np.random.default_rng(4).integers(0, 400, (12, 5))]
    everything = [reader(folder, states, table).search(query, 400) for query in queries]
    monkeypatch.setattr(static_late, "EXHAUSTIVE", 0)
    monkeypatch.setattr(static_late, "WHOLE", 0)
    monkeypatch.setattr(static_late, "RESCORED", 0)
    for query, right in zip(queries, everything, strict=True):
        assert same(reader(folder, states, table).search(query, 400), right)


def test_compiled_loops_give_the_same(collection, table, few_rescored, monkeypatch):
    pytest.importorskip("numba", reason="compiled loops need numba (extra: fast)")
    folder, states, _, _ = collection
    queries = [piece_query(pieces) for pieces in np.random.default_rng(4).integers(0, 400, (12, 5))]
    plain = reader(folder, states, table)
    right = [plain.search(query, 25) for query in queries]
    monkeypatch.setattr(static_late, "COMPILED", 0)
    late = reader(folder, states, table)
    for query, expected in zip(queries, right, strict=True):
        found = late.search(query, 25)
        assert same(found, expected)
        assert found.background == expected.background
    assert late._comparison().compiled is not None
    assert plain._comparison().compiled is None


def test_words_left_out_meet_nothing(collection, table):
    folder, states, _, _ = collection
    late = reader(folder, states, table)
    left_out = 0
    for pieces in np.random.default_rng(8).integers(0, 400, (12, 3)):
        asked = late._comparison().asked(late._words(piece_query(pieces)))
        for part in (segment for held in late._segments.values() for segment in held):
            similar = asked.word_similarities(part.word_starts, part.pieces)
            columns = [similar[:, part.entries[a:b]].max(axis=1, initial=0.0) for a, b in pairwise(part.starts)]
            assert np.array_equal(asked.matches(part), np.array(columns).T)
            left_out += part.words - asked._meeting(late._comparison().ready(part)).words
    assert left_out > 1000


def test_without_numba_numpy_answers(collection, table, monkeypatch):
    folder, states, _, _ = collection
    monkeypatch.setattr(static_late, "COMPILED", 0)
    monkeypatch.setattr(maxsim, "have", lambda name: False)
    late = reader(folder, states, table)
    assert len(late.search(piece_query([14, 25]), 5)) == 15
    assert late._comparison().compiled is None


def test_candidates_hold_the_best(collection, table, monkeypatch):
    """A hundred are scored of about 270 in a language."""
    monkeypatch.setattr(static_late, "EXHAUSTIVE", 0)
    monkeypatch.setattr(static_late, "WHOLE", 0)
    monkeypatch.setattr(static_late, "RESCORED", 300)
    folder, states, texts, langs = collection
    late = reader(folder, states, table)
    kept = []
    for query in np.random.default_rng(6).integers(40, 400, (8, 4)):
        found = set(late.search(piece_query(query), 20).passages.tolist())
        for numbers, _, _ in oracle(table, texts, langs, query, 20).values():
            kept.append(len(found & set(numbers.tolist())) / len(numbers))
    assert np.mean(kept) > 0.9


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_depth_is_reached_where_no_candidate_is(collection, table, few_rescored, share):
    folder, states, texts, langs = collection
    allowed = np.random.default_rng(7).random(COUNT) < share
    # A piece that is near to none of the index: the candidates are the first passages there are.
    lonely = RandomTable(np.random.default_rng(5))
    lonely.integers[399] = np.where(np.arange(24) % 2, 127, -127)
    found = reader(folder, states, lonely).search(piece_query([399]), 50, allowed)
    for lang in LANGS:
        exist = sum(langs[n] == lang and len(texts[n]) > 0 and allowed[n] for n in range(COUNT))
        assert sum(langs[n] == lang for n in found.passages) == min(50, exist)
    assert allowed[found.passages].all()


def same(a, b):
    return np.array_equal(a.passages, b.passages) and np.array_equal(a.scores, b.scores)


def test_segments_leave_no_trace(tmp_path, table, few_rescored):
    rng = np.random.default_rng(8)
    texts, langs = random_texts(rng, 300), rng.choice(LANGS, 300).tolist()
    made = [(f := tmp_path / str(n), build(f, batches_of(texts, langs, n))) for n in (1, 3, 25)]
    assert max(len(entries) for entries in made[2][1]["tokens"]["languages"].values()) <= 8
    readers = [reader(folder, states, table) for folder, states in made]
    for query in rng.integers(0, 400, (8, 4)):
        first, *rest = (late.search(piece_query(query), 15) for late in readers)
        assert all(same(first, other) and first.background == other.background for other in rest)


def test_one_language_alone(collection, table):
    folder, states, _, langs = collection
    late = reader(folder, states, table)
    whole = late.search(piece_query([5, 60, 200]), 10)
    alone = late.search(piece_query([5, 60, 200]), 10, langs=["fa"])
    own = [langs[n] == "fa" for n in whole.passages]
    assert np.array_equal(alone.passages, whole.passages[own])
    assert np.array_equal(alone.scores, whole.scores[own])
    assert alone.background == {"fa": whole.background["fa"]}
    assert late.languages() == sorted(LANGS)


def test_equal_passages_tie_by_number(tmp_path, table, few_rescored):
    text = np.array([14, 1, 25, 36])
    states = build(tmp_path, batches_of([text] * 90, ["en"] * 90, 3))
    found = reader(tmp_path, states, table).search(piece_query([14, 36]), 20)
    assert found.passages.tolist() == list(range(20))
    assert len(set(found.scores.tolist())) == 1


def test_a_reader_keeps_its_snapshot_and_writes_nothing(tmp_path, table):
    rng = np.random.default_rng(9)
    batches = batches_of(random_texts(rng, 300), rng.choice(LANGS, 300).tolist(), 12)
    states = build(tmp_path, batches[:8])
    before = fingerprint(tmp_path)
    early = reader(tmp_path, states, table)
    right = early.search(piece_query([5, 60, 200]), 20)
    assert fingerprint(tmp_path) == before
    later = build(tmp_path, batches[8:], states, high_water=int(batches[8].numbers[0]))
    assert same(reader(tmp_path, states, table).search(piece_query([5, 60, 200]), 20), right)
    assert not same(reader(tmp_path, later, table).search(piece_query([5, 60, 200]), 20), right)
    for name in set(states["tokens"]["files"]) - set(later["tokens"]["files"]):
        (tmp_path / "tokens" / name).unlink()
    assert same(early.search(piece_query([5, 60, 200]), 20), right)


def test_nothing_is_found_without_words(collection, table, tmp_path):
    folder, states, _, _ = collection
    mute = RandomTable(np.random.default_rng(5))
    mute.integers[7] = 0
    for query, vectors in ((Query("", ()), table), (piece_query([]), table), (piece_query([7]), mute)):
        found = reader(folder, states, vectors).search(query, 5)
        assert len(found) == 0
        assert not found.background
    empty = build(tmp_path, [piece_batch(range(3), ["en"] * 3, [np.zeros(0, int)] * 3)])
    assert reader(tmp_path, empty, table).languages() == []
    assert len(reader(tmp_path, empty, table).search(piece_query([5]), 5)) == 0


def test_many_queries_get_the_answers_of_each(collection, table):
    folder, states, _, _ = collection
    late = reader(folder, states, table)
    queries = [piece_query(pieces) for pieces in np.random.default_rng(4).integers(0, 400, (5, 3))]
    found = late.search_many(queries, 10)
    assert all(same(late.search(query, 10), many) for query, many in zip(queries, found, strict=True))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_any_shape(tmp_path_factory, seed, passages, commits, depth, words):
    rng = np.random.default_rng(seed)
    table = RandomTable(rng, size=80, dim=int(rng.integers(8, 20)))
    texts = random_texts(rng, passages, size=80, longest=60)
    folder = tmp_path_factory.mktemp("shape")
    states = build(folder, batches_of(texts, ["en"] * passages, min(commits, passages)))
    query = rng.integers(0, 80, words)
    if len(words_of(table, query)) > static_late.QUERY_WORDS or not any(len(text) for text in texts):
        return
    found = reader(folder, states, table).search(piece_query(query), depth)
    agrees(found, oracle(table, texts, ["en"] * passages, query, depth), ["en"] * passages, depth)


def test_evidence_names_the_nearest_word(collection, table):
    folder, states, _, _ = collection
    late = reader(folder, states, table)
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
    folder, states, _, _ = collection
    heads = np.arange(4, 400)[np.arange(4, 400) % 10 >= 4][:60]
    lengths = np.linalg.norm(table.vectors[heads], axis=1)
    kept = heads[np.sort(np.argsort(-lengths, kind="stable")[: static_late.QUERY_WORDS])]
    late = reader(folder, states, table)
    assert same(late.search(piece_query(heads), 10), late.search(piece_query(kept), 10))


def test_the_oracle_meets_equal_words_fully(table):
    words = [(14,), (25, 1), (36, 2, 3)]
    assert np.allclose(meets(table, words[:1], [words, [words[0]]]), 1, atol=1e-6)
