"""BM25 against counting: scores, ranks, clauses, masks, snapshots, crashes."""

from __future__ import annotations

import os
import shutil
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieve_oracles import (
    LanguageOracle,
    RecordedFiles,
    fingerprint,
    phrase,
    text_batch,
    text_query,
    words,
    zipf_texts,
)

from xsearch.core import AnalyzedClause, IndexDamaged, Ranking
from xsearch.retrieve import BM25, BM25Writer
from xsearch.retrieve import bm25 as module
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash

LANGS = ("de", "en", "fa", "zh")


def build(folder, batches, state=None, high_water=0):
    """Commit each batch on its own; the last state."""
    folder.mkdir(exist_ok=True)
    state = state or {}
    for batch in batches:
        writer = BM25Writer(folder, state, high_water=high_water, files=DiskFiles())
        writer.add(batch)
        state = writer.flush()
        writer.close()
        high_water = int(batch.numbers[-1]) + 1
    return state


def same(left: Ranking, right: Ranking) -> bool:
    return (
        np.array_equal(left.passages, right.passages)
        and np.array_equal(left.scores, right.scores)
        and dict(left.background) == dict(right.background)
    )


def check(ranking: Ranking, oracle: dict[int, float], depth: int) -> None:
    """`ranking` is the top `depth` of one language's oracle scores, in order."""
    best = sorted(oracle.values(), reverse=True)[:depth]
    assert len(ranking) == len(best)
    expected = np.array([oracle[p] for p in ranking.passages.tolist()])
    np.testing.assert_allclose(ranking.scores, expected, rtol=1e-4)
    np.testing.assert_allclose(ranking.scores, best, rtol=1e-4)
    assert np.array_equal(np.lexsort((ranking.passages, -ranking.scores)), np.arange(len(ranking)))


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """1,500 passages in four languages of unlike sizes, added in three commits."""
    rng = np.random.default_rng(7)
    bodies, titles = zipf_texts(rng, 1500), zipf_texts(rng, 1500, longest=6)
    titles = [title if i % 3 else [] for i, title in enumerate(titles)]
    langs = rng.choice(LANGS, 1500, p=(0.6, 0.25, 0.1, 0.05)).tolist()
    folder = tmp_path_factory.mktemp("bm25")
    slices = [slice(start, start + 500) for start in range(0, 1500, 500)]
    batches = [text_batch(list(range(1500))[s], langs[s], bodies[s], titles[s]) for s in slices]
    state = build(folder, batches)
    oracles = {
        lang: LanguageOracle({i: (bodies[i], titles[i]) for i in range(1500) if langs[i] == lang}) for lang in LANGS
    }
    return folder, state, oracles, batches


@pytest.fixture(scope="module")
def reader(collection):
    return BM25(*collection[:2])


def test_scores_and_ranks_are_bm25_of_each_language(collection):
    folder, state, oracles, _ = collection
    reader = BM25(folder, state)
    rng = np.random.default_rng(1)
    for trial in range(30):
        terms = [f"w{min(int(rank), 200)}" for rank in rng.zipf(1.2, rng.integers(1, 9))]
        depth = int(rng.choice([1, 10, 2000]))
        ranking = reader.search(text_query(LANGS, words(*terms)), depth)
        for lang, oracle in oracles.items():
            own = np.isin(ranking.passages, list(oracle.passages))
            check(Ranking(ranking.passages[own], ranking.scores[own]), oracle.scores((words(*terms),)), depth)
            expected = sum(oracle.idf("body", term) for term in set(terms))
            assert ranking.background[lang] == pytest.approx((0.0, expected)), trial
    reader.close()


def test_a_small_language_scores_as_its_own_statistics_say(tmp_path):
    # 900 German and 90 Finnish passages with the same statistics within each language.
    bodies = [["x"] * (1 + (i % 10 == 0)) + ["y", f"z{i % 7}"] for i in range(990)]
    folder = tmp_path / "bm25"
    state = build(folder, [text_batch(list(range(990)), ["de"] * 900 + ["fi"] * 90, bodies)])
    found = BM25(folder, state).search(text_query(("de", "fi"), words("x")), 1)
    german, finnish = found.scores[found.passages < 900], found.scores[found.passages >= 900]
    assert finnish[0] == pytest.approx(german[0], rel=0.01 + np.log(901 / 900.5) / german[0], abs=0.01)


clause_lists = st.lists(
    st.builds(
        AnalyzedClause,
        st.lists(st.sampled_from([f"w{i}" for i in range(1, 9)]), min_size=1, max_size=3).map(tuple),
        st.sampled_from(["should", "should", "must", "must_not"]),
        st.sampled_from(["body", "body", "title"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(clause_lists)
@settings(max_examples=120, deadline=None)
def test_clauses_match_and_score_as_by_hand(collection, reader, clauses):
    _, _, oracles, _ = collection
    ranking = reader.search(text_query(("fa",), *clauses), 2000)
    check(ranking, oracles["fa"].scores(tuple(clauses)), 2000)


def test_exclusion_alone_and_clauses_without_terms_find_nothing(collection):
    folder, state, _, _ = collection
    reader = BM25(folder, state)
    for clauses in ([words("w1", occur="must_not")], [words()], [phrase()], []):
        found = reader.search(text_query(LANGS, *clauses), 10)
        assert len(found) == 0
        assert not found.background
    assert len(reader.search(text_query(LANGS, words("w1"), words(occur="must")), 10)) == 40


def test_the_background_counts_each_wanted_term_once(collection, reader):
    _, _, oracles, _ = collection
    clauses = (
        words("w1", "w1", "nowhere"),
        words("w2", occur="must"),
        phrase("w1", "w3"),
        words("w1", field="title"),
        words("w4", occur="must_not"),
    )
    background = reader.search(text_query(LANGS, *clauses), 1).background
    for lang, oracle in oracles.items():
        body = sum(oracle.idf("body", term) for term in ("w1", "nowhere", "w2", "w3"))
        assert background[lang] == pytest.approx((0.0, body + oracle.idf("title", "w1")))


def test_a_language_that_has_none_of_the_words_has_no_background(tmp_path):
    state = build(tmp_path, [text_batch([0, 1], ["de", "fi"], [["x", "y"], ["y"]])])
    found = BM25(tmp_path, state).search(text_query(("de", "fi"), words("x", "z")), 5)
    assert found.passages.tolist() == [0]
    assert list(found.background) == ["de"]


@pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.05, 0.002, 0.0])
@pytest.mark.parametrize("listed", [0, 2000])
def test_a_mask_costs_no_hit(collection, monkeypatch, share, listed):
    folder, state, _, _ = collection
    monkeypatch.setattr(module, "LISTED_PASSAGES", listed)
    reader = BM25(folder, state)
    rng = np.random.default_rng(int(share * 1000))
    allowed = rng.random(1500) < share
    for terms in (("w1",), ("w2", "w40"), ("w199",), ("w3", "w3", "w5", "w9")):
        whole = reader.search(text_query(("de",), words(*terms)), 2000)
        inside = allowed[whole.passages]
        for depth in (1, 7, 500):
            found = reader.search(text_query(("de",), words(*terms)), depth, allowed)
            assert np.array_equal(found.passages, whole.passages[inside][:depth])
            assert np.array_equal(found.scores, whole.scores[inside][:depth])


def test_a_tie_at_the_cut_goes_to_the_lower_number(tmp_path):
    # 800 equal passages in four segments, which tantivy may lay in any order.
    folder = tmp_path / "bm25"
    batches = [text_batch(list(range(i, i + 200)), ["en"] * 200, [["a", "b"]] * 200) for i in range(0, 800, 200)]
    reader = BM25(folder, build(folder, batches))
    allowed = np.ones(800, dtype=np.bool_)
    allowed[:5] = False
    assert reader.search(text_query(("en",), words("a")), 10).passages.tolist() == list(range(10))
    assert reader.search(text_query(("en",), words("a")), 10, allowed).passages.tolist() == list(range(5, 15))


def test_commits_do_not_show_in_the_scores(collection, tmp_path):
    folder, state, _, batches = collection
    writer = BM25Writer(tmp_path / "one", {}, high_water=0, files=DiskFiles())
    for batch in batches:
        writer.add(batch)
    one = BM25(tmp_path / "one", writer.flush())
    many = BM25(folder, state)
    for terms in (("w1", "w2", "w3"), ("w7",), ("w50", "w1")):
        query = text_query(LANGS, words(*terms))
        assert same(one.search(query, 50), many.search(query, 50))


def test_twenty_languages_and_few_writers(tmp_path, monkeypatch):
    langs = [f"l{i:02d}" for i in range(20)]
    rng = np.random.default_rng(3)
    texts = zipf_texts(rng, 400, vocabulary=30)
    order = [langs[i % 20] for i in range(400)]
    # As if every batch held a lot of text in every language.
    monkeypatch.setattr(module, "PENDING_CHARACTERS", 200)
    writer = BM25Writer(tmp_path, {}, high_water=0, files=DiskFiles())
    for start in range(0, 400, 200):
        numbers = list(range(start, start + 200))
        writer.add(text_batch(numbers, order[start : start + 200], texts[start : start + 200]))
        assert len(writer._open) <= module.OPEN_WRITERS
    state = writer.flush()
    reader = BM25(tmp_path, state)
    assert reader.languages() == langs
    ranking = reader.search(text_query(langs, words("w1", "w4")), 6)
    for lang in langs:
        passages = {i: (texts[i], []) for i in range(400) if order[i] == lang}
        own = np.isin(ranking.passages, list(passages))
        check(
            Ranking(ranking.passages[own], ranking.scores[own]),
            LanguageOracle(passages).scores((words("w1", "w4"),)),
            6,
        )
    some = reader.search(text_query(langs[:4], words("w1")), 6, langs=langs[2:9])
    assert sorted(some.background) == langs[2:4]
    assert {order[p] for p in some.passages} == set(langs[2:4])


def test_support_is_for_the_same_language():
    reader = BM25.__new__(BM25)
    pairs = {("de", "de"): 1, ("de", "nl"): 0, ("zh", "zh-Hant"): 1, ("sr-Latn", "sr"): 1, ("und", "en"): 0}
    for (query, passage), support in pairs.items():
        assert reader.support(query, passage) == support


def test_a_reader_keeps_its_snapshot_and_writes_nothing(collection, tmp_path):
    folder = tmp_path / "bm25"
    shutil.copytree(collection[0], folder)
    state, query = collection[1], text_query(LANGS, words("w1", "w2"))
    before = fingerprint(folder)
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)
    try:
        reader = BM25(folder, state)
        expected = reader.search(query, 20)
        reader.close()
    finally:
        folder.chmod(0o755)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert {name: (size, content) for name, (size, _, content) in before.items()} == {
        name: (size, content) for name, (size, _, content) in fingerprint(folder).items()
    }
    # A writer at work, and one that flushed without a commit, change nothing for the old state.
    early = BM25(folder, state)
    writer = BM25Writer(folder, state, high_water=1500, files=DiskFiles())
    writer.add(text_batch(list(range(1500, 1600)), ["de"] * 100, [["w1", "w2"]] * 100))
    assert same(BM25(folder, state).search(query, 20), expected)
    later = writer.flush()
    assert same(BM25(folder, state).search(query, 20), expected)
    assert not same(BM25(folder, later).search(query, 20), expected)
    for name in set(state["files"]) - set(later["files"]):
        os.unlink(folder / name)
    assert same(early.search(query, 20), expected)


def test_every_flushed_file_survives_a_power_cut(tmp_path):
    files = RecordedFiles()
    state = {}
    for start in range(0, 90, 30):
        writer = BM25Writer(tmp_path, state, high_water=start, files=files)
        writer.add(text_batch(list(range(start, start + 30)), ["en", "de", "fa"] * 10, [["a", f"b{start}"]] * 30))
        state = writer.flush()
        writer.close()
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*") if p.is_file()) == state["files"]
    assert {call[2].relative_to(tmp_path).as_posix() for call in files.calls if call[0] == "replace"} >= set(
        state["files"]
    )
    assert files.unsafe(tmp_path, state["files"]) == []
    assert list(tmp_path.glob("writing*")) == []


POINTS = ("retrieve.bm25.flush.before", "retrieve.bm25.flush.language", "retrieve.bm25.flush.after")


@pytest.mark.parametrize("point", [*POINTS, "no flush at all"])
def test_what_a_crash_left_is_dropped(tmp_path, monkeypatch, point):
    rng = np.random.default_rng(5)
    texts = zipf_texts(rng, 300)
    langs = ["de", "en"] * 150
    first = text_batch(list(range(100)), langs[:100], texts[:100])
    lost = text_batch(list(range(100, 200)), langs[:100], texts[100:200])
    again = text_batch(list(range(100, 200)), langs[:100], texts[200:300])
    folder = tmp_path / "crashed"
    state = build(folder, [first])
    reached = []

    def crash(name):
        reached.append(name)
        if name == point:
            raise Crash

    writer = BM25Writer(folder, state, high_water=100, files=DiskFiles())
    writer.add(lost)
    if point in POINTS:
        monkeypatch.setattr(module, "reach", crash)
        with pytest.raises(Crash):
            writer.flush()
        monkeypatch.undo()
        assert point in reached
    else:
        writer.close()
    state = build(folder, [again], state, high_water=100)
    clean = build(tmp_path / "clean", [first, again])
    for terms in (("w1", "w2", "w3"), ("w5",)):
        query = text_query(("de", "en"), words(*terms))
        assert same(BM25(folder, state).search(query, 50), BM25(tmp_path / "clean", clean).search(query, 50))
    writer.close()


def test_numbers_are_never_given_twice(tmp_path):
    writer = BM25Writer(tmp_path, {}, high_water=10, files=DiskFiles())
    with pytest.raises(ValueError, match="ascend from 10"):
        writer.add(text_batch([9, 10], ["en", "en"], [["a"], ["b"]]))
    writer.add(text_batch([10, 12], ["en", "en"], [["a"], ["b"]]))
    for numbers in ([12, 13], [15, 14]):
        with pytest.raises(ValueError, match="ascend from 13"):
            writer.add(text_batch(numbers, ["en", "en"], [["a"], ["b"]]))
    writer.close()


def test_nothing_added_is_an_empty_index(tmp_path):
    writer = BM25Writer(tmp_path, {}, high_water=0, files=DiskFiles())
    state = writer.flush()
    writer.close()
    reader = BM25(tmp_path, state)
    assert reader.languages() == []
    assert len(reader.search(text_query(LANGS, words("a")), 10)) == 0


@pytest.mark.parametrize("harm", ["remove", "truncate"])
def test_a_missing_or_cut_segment_is_damage(collection, tmp_path, harm):
    folder = tmp_path / "bm25"
    shutil.copytree(collection[0], folder)
    victim = next(name for name in collection[1]["files"] if name.endswith(".term"))
    if harm == "remove":
        (folder / victim).unlink()
    else:
        os.truncate(folder / victim, 7)
    with pytest.raises(IndexDamaged, match=r"check --repair"):
        BM25(folder, collection[1])


def test_threads_get_the_same_answers(collection):
    folder, state, _, _ = collection
    reader = BM25(folder, state)
    queries = [text_query(LANGS, words(f"w{i}", "w1")) for i in range(1, 30)]
    expected = [reader.search(query, 20) for query in queries]
    wrong = []

    def work():
        wrong.extend(i for i, query in enumerate(queries) if not same(reader.search(query, 20), expected[i]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# Terms as analyzers make them: no white space, nothing that UTF-8 cannot hold.
tokens = st.text(st.characters(exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc")), min_size=1, max_size=12)


@given(st.lists(st.lists(tokens, min_size=1, max_size=6), min_size=4, max_size=12))
@settings(max_examples=12, deadline=None)
def test_any_term_is_found_where_it_stands(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("terms")
    reader = BM25(folder, build(folder, [text_batch(list(range(len(texts))), ["en"] * len(texts), texts)]))
    for term in {term for text in texts for term in text}:
        found = reader.search(text_query(("en",), words(term)), 100).passages.tolist()
        assert sorted(found) == [i for i, text in enumerate(texts) if term in text]
    for i, text in enumerate(texts):
        assert i in reader.search(text_query(("en",), phrase(*text)), 100).passages
