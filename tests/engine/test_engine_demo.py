"""The collection that ships, asked across languages: what the README promises."""

import json
from pathlib import Path

import pytest

from xsearch.engine.demo import QUESTIONS, build_demo

DEMO = Path(__file__).parents[2] / "eval" / "collections" / "demo"
GOLDEN = [line.split("\t") for line in (DEMO / "golden.tsv").read_text(encoding="utf-8").splitlines() if line]
GOLDEN = [row for row in GOLDEN if row[0] != "query" and not row[0].startswith("#")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    index = build_demo(tmp_path_factory.mktemp("demo") / "idx")
    yield index
    index.close()


@pytest.mark.parametrize("row", GOLDEN, ids=[f"{row[1]}-{row[3]} {row[2]}" for row in GOLDEN])
def test_a_question_finds_the_foreign_document_among_the_first_three(demo, row):
    query, lang, document, document_lang = row
    hits = demo.search(query, k=3, lang=lang, to=[document_lang])
    assert document in [hit.id for hit in hits]


def test_the_table_spans_pairs_and_scripts():
    assert len({(row[1], row[3]) for row in GOLDEN}) >= 10
    assert all(row[1] != row[3] for row in GOLDEN)


def test_languages_of_passages_are_identified(demo):
    declared = {r["id"]: r["lang"] for r in map(json.loads, (DEMO / "docs.jsonl").open(encoding="utf-8"))}
    assert {stored.id: stored.spans[0].lang for stored in demo.snapshot.store.documents()} == declared


def test_the_questions_of_the_demo_find_documents_of_several_languages(demo):
    for text, to in QUESTIONS:
        hits = demo.search(text, k=10, to=to)
        assert len({hit.lang for hit in hits}) >= 3
        assert all(hit.snippet for hit in hits)
