"""Judgments, runs and topics are told from documents, and documents are taken for none of them."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.corpora import evaluation_file

CASES = {
    "qrels.txt": ("q1 0 doc-1 1\nq1 0 doc-2 0\nq2\t0\tdoc-1\t-1\n", "judgments"),
    "robust": ("301 Q0 FBIS3-1 1 9.5 run\n301 Q0 FBIS3-2 2 -9e-05 run\n", "a run"),
    "clef.xml": ('<?xml version="1.0" encoding="UTF-8"?>\n<topics>\n<topic lang="de"><identifier>1', "topics"),
    "topics.trec": ("<top>\n<num> Number: 301\n<title> x\n</top>\n", "topics"),
    "hc4.jsonl": ('{"topic_id": "1", "topics": [{"lang": "eng", "topic_title": "x"}]}\n', "topics"),
    "one.txt": ("Psalm 0 verse 3\n", None),
    "table.txt": ("apples 0 red 3\nbread and butter\n", None),
    "poem.txt": ("one two three four\nfive six seven eight\n", None),
    "docs.jsonl": ('{"id": "1", "lang": "de", "text": "x"}\n', None),
    "page.html": ("q1 0 a 1\nq1 0 b 1\n", None),
    "topic.sgml": ("<DOC><DOCNO>1</DOCNO><TEXT>the topic\n", None),
    "empty": ("", None),
}


@pytest.mark.parametrize("name", CASES)
def test_files_are_told_by_their_beginning(tmp_path, name):
    content, kind = CASES[name]
    (tmp_path / name).write_text(content)
    assert evaluation_file(tmp_path / name) == kind
    with gzip.open(tmp_path / f"{name}.gz", "wt") as file:
        file.write(content)
    assert evaluation_file(tmp_path / f"{name}.gz") == kind


def test_a_long_file_is_told_by_whole_lines(tmp_path):
    (tmp_path / "long.txt").write_text("query-1 0 document-1 1\n" * 10_000)
    assert evaluation_file(tmp_path / "long.txt") == "judgments"


def test_plain_topics_are_told_by_their_name_beside_judgments(tmp_path):
    for name in ("topics.jsonl", "queries-de.tsv", "topical.jsonl"):
        (tmp_path / name).write_text('{"id": "1", "lang": "de", "text": "x"}\n')
        assert evaluation_file(tmp_path / name) is None
    (tmp_path / "qrels.dev.txt").write_text("1 0 a 1\n")
    found = {name: evaluation_file(tmp_path / name) for name in ("topics.jsonl", "queries-de.tsv", "topical.jsonl")}
    assert found == {"topics.jsonl": "topics", "queries-de.tsv": "topics", "topical.jsonl": None}


def test_what_cannot_be_opened_is_none_of_them(tmp_path):
    assert evaluation_file(tmp_path / "gone.txt") is None
    (tmp_path / "broken.txt.gz").write_bytes(b"no gzip")
    assert evaluation_file(tmp_path / "broken.txt.gz") is None


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.txt"
    path.write_bytes(data)
    assert evaluation_file(path) in (None, "judgments", "a run", "topics")
