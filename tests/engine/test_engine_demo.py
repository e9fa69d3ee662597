"""The collection that ships, asked across languages: what the README promises."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from xsearch.engine import SearchOptions
from xsearch.engine.demo import QUESTIONS, build_demo
from xsearch.engine.hits import _unmatched, make_snippets, passage_matches
from xsearch.engine.query import build_query, kanji_reader
from xsearch.engine.search import retrieve, search, search_scope
from xsearch.lang import usual_script

DEMO = Path(__file__).parents[2] / "eval" / "collections" / "demo"
GOLDEN = [line.split("\t") for line in (DEMO / "golden.tsv").read_text(encoding="utf-8").splitlines() if line]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    index = build_demo(tmp_path_factory.mktemp("demo") / "idx")
    yield index
    index.close()


@pytest.mark.parametrize("row", GOLDEN, ids=[f"{row[1]}-{row[3]} {row[2]}" for row in GOLDEN])
def test_a_question_finds_the_foreign_document_among_the_first_three(demo, row):
    query, lang, document, _, pool = row
    hits = demo.search(query, k=3, lang=lang, to=None if pool == "all" else [pool])
    assert document in [hit.id for hit in hits]


def test_the_whole_collection_is_crossed_between_many_pairs_and_scripts():
    pairs = {(row[1], row[3]) for row in GOLDEN if row[4] == "all"}
    assert len(pairs) >= 10
    assert all(asked != answered for asked, answered in pairs)
    assert len({usual_script(code) for pair in pairs for code in pair}) >= 6


def test_languages_of_passages_are_identified(demo):
    records = [json.loads(line) for line in (DEMO / "docs.jsonl").read_text(encoding="utf-8").splitlines()]
    declared = {record["id"]: record["lang"] for record in records}
    assert {stored.id: stored.spans[0].lang for stored in demo.snapshot.store.documents()} == declared


def test_the_questions_of_the_demo_find_documents_of_several_languages(demo):
    for text, to in QUESTIONS:
        hits = demo.search(text, k=10, to=to)
        assert len({hit.lang for hit in hits}) >= 3
        assert all(hit.snippet for hit in hits)


def test_what_bm25_knows_of_a_passage_changes_no_snippet(demo):
    snapshot, spared = demo.snapshot, 0
    questions = ["bees and flowers", "+bees honey", '"honey bees"', "title:honey bees", "Wie funktionieren Impfungen?"]
    for text in questions:
        found = search(snapshot, text, SearchOptions(20))
        unmatched = _unmatched(found)
        passages = snapshot.store.passages(found.passages)
        matches = passage_matches(snapshot, found.query, passages)
        made = make_snippets(snapshot, found.query, passages, matches, unmatched)
        assert made == make_snippets(snapshot, found.query, passages, matches, [False] * len(passages))
        spared += sum(unmatched)
        assert not any(unmatched) or not ('"' in text or ":" in text)
    assert spared > 20


def test_hits_without_snippets_are_the_same_but_for_them(demo):
    text = QUESTIONS[0][0]
    shown, plain = demo.search(text), demo.search(text, snippets=False)
    assert all(hit.snippet for hit in shown)
    assert plain == [replace(hit, snippet="", spans=()) for hit in shown]
    explained = demo.search(text, snippets=False, explain=True)
    assert [hit.matches for hit in explained] == [hit.matches for hit in demo.search(text, explain=True)]


@pytest.mark.parametrize(("text", "heard"), [("xylophage qwertz", 0.0), ("presidential qwertz", 1.0)])
def test_words_that_no_passage_of_a_language_has_are_no_vote_against_it(demo, text, heard):
    snapshot = demo.snapshot
    query, _ = build_query(snapshot, text, "en", ["bm25"], snapshot.groups)
    found = retrieve(snapshot, "bm25", query, 10, search_scope(snapshot, SearchOptions()))
    assert found.support[snapshot.groups.index("en")] == heard
    assert found.support.sum() == heard


def test_han_characters_are_read_as_japanese_where_they_may_be():
    assert kanji_reader("東京", (("zh-Hant", 1.0),)) is None
    assert kanji_reader("人工智能的发展趋势是什么", (("zh", 1.0),)) == "zh"
    assert kanji_reader("東京都知事選挙立候補予定者説明会", (("zh-Hant", 0.6), ("ja", 0.4))) is None
    assert kanji_reader("presidential elections", ()) is None


def test_function_words_are_not_marked_where_there_are_others(demo):
    def marked(text):
        hit = demo.search(text, k=1, to=["en"])[0]
        return {hit.snippet[start:end].lower() for start, end in hit.spans}

    assert marked("who built the first solar cell in the world") == {"first", "cell", "cells"}
    assert marked("in the") >= {"in", "the"}
