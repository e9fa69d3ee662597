"""Reading as a whole: metadata, hashes, strictness, standard input, and any bytes under any name."""

import hashlib
import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import BadInput, UsageError
from xsearch.corpora import BadRecord, ReadOptions, Source, file_hash, read, read_path, read_stdin, scan
from xsearch.corpora.formats.choice import SUFFIXES, format_by_content, format_by_name


def test_a_text_file_is_a_document_that_knows_its_file(tmp_path):
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "a.txt"
    path.write_text("words")
    os.utime(path, ns=(0, 1_577_934_245_000_000_000))
    [document] = read_path(tmp_path)
    assert (document.id, document.text, document.title, document.lang) == ("sub/a.txt", "words", None, None)
    assert document.metadata == {"path": "sub/a.txt", "file": "a.txt", "modified": "2020-01-02T03:04:05Z"}


def test_the_hash_is_blake2b_of_the_bytes(tmp_path):
    data = os.urandom(300_000)
    (tmp_path / "a.txt").write_bytes(data)
    [source] = scan([tmp_path / "a.txt"], pytest.fail)
    assert file_hash(source) == hashlib.blake2b(data, digest_size=32).hexdigest()
    (tmp_path / "a.txt").unlink()
    with pytest.raises(BadInput, match=r"a\.txt: cannot be read: No such file"):
        file_hash(source)


def test_a_file_that_went_away_is_reported(tmp_path):
    source = Source(tmp_path / "gone.txt", "gone.txt", 1, 0, tmp_path)
    bad: list[BadRecord] = []
    assert list(read(source, ReadOptions(), bad.append, pytest.fail)) == []
    assert bad == [BadRecord("gone.txt", "cannot be opened: No such file or directory")]
    with pytest.raises(BadInput, match=r"gone\.txt: cannot be opened"):
        list(read(source, ReadOptions(strict=True)))


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.json", "a.jsonl", "a.csv", "a.tsv", "a.sgml", "a"])
@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "the file is empty"), (bytes(range(256)) * 9, "binary data, not text")]
)
def test_empty_and_binary_files_are_one_line_each_and_fatal_if_strict(reading, name, data, reason):
    assert reading(name, data).bad == [f"{name}: {reason}"]
    with pytest.raises(BadInput) as caught:
        reading(name, data, strict=True)
    assert (str(caught.value), caught.value.where, caught.value.exit_code) == (f"{name}: {reason}", name, 3)


def test_a_text_beyond_the_limit_is_refused_with_the_limit_s_name(reading):
    outcome = reading("a.txt", b"word " * 1000, max_document_bytes=4096)
    assert outcome.bad == ["a.txt: larger than 4096 bytes, the limit for one document (max_document_bytes)"]


def test_limits_below_one_are_refused():
    with pytest.raises(UsageError, match="max_ratio must be at least 1"):
        ReadOptions(max_ratio=0)


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b'{"id": "1", "text": "a"}\n{"id": "2", "text": "b"}\n', ["1", "2"]),
        (b'\n  {"id": "1", "text": "a"}', ["1"]),
        (b"<DOC><DOCNO>7</DOCNO><TEXT>x</TEXT></DOC>", ["7"]),
        (b"just words", ["-"]),
        ('{"id": "1", "text": "ä"}'.encode("utf-16"), ["1"]),
    ],
)
def test_standard_input_is_records_or_a_text(data, ids):
    stream = io.BytesIO(data)
    documents = list(read_stdin(stream, ReadOptions(), pytest.fail, lambda note: None))
    assert [document.id for document in documents] == ids
    assert documents[0].metadata == {"path": "-"}
    assert not stream.closed


def test_standard_input_that_is_left_early_stays_open():
    stream = io.BytesIO('{"id": "1", "text": "ä"}\n{"id": "2", "text": "b"}\n'.encode("utf-16") * 2)
    documents = read_stdin(stream, ReadOptions(), pytest.fail, lambda note: None)
    assert next(documents).id == "1"
    documents.close()
    assert not stream.closed


def test_reports_nobody_asked_for_are_logged(tmp_path, caplog):
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": 2, "text": "b"}\n')
    assert [document.id for document in read_path(tmp_path)] == ["2"]
    assert "a.jsonl:1: no text" in caplog.text


def test_the_format_comes_from_the_name_or_else_from_the_beginning():
    assert format_by_name("x.JSONL.zst") == "jsonl"
    assert format_by_name("FT911_1") is None
    assert [format_by_content(head) for head in ("\n<DOC>\n", " {", "<!DOCTYPE html>", "<doctor>", "")] == [
        "sgml",
        "jsonl",
        "html",
        "txt",
        "txt",
    ]


MARKS = [
    b"{",
    b'"',
    b"[",
    b"}",
    b"\n",
    b",",
    b"\t",
    b"<DOC>",
    b"</DOC>",
    b"<DOCNO>",
    b"<p>",
    b"id",
    b"text",
    b":",
    b"---\n",
]
JUNK = st.binary(max_size=300) | st.lists(st.sampled_from(MARKS) | st.binary(max_size=4), max_size=60).map(b"".join)


@pytest.mark.parametrize("suffix", [*sorted(SUFFIXES), ".unknown"])
@settings(max_examples=60)
@given(data=JUNK)
def test_any_bytes_under_any_name_give_documents_or_reports(reading_many, suffix, data):
    if suffix in (".pdf", ".docx"):
        pytest.importorskip({".pdf": "pypdf", ".docx": "docx"}[suffix])
    outcome = reading_many(f"f{suffix}", data)
    assert (
        outcome.documents or outcome.bad or suffix in (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".unknown")
    )
    for document in outcome.documents:
        document.text.encode()
        assert "\r" not in document.text
        assert "\0" not in document.text
    for line in outcome.bad + outcome.notes:
        assert line.startswith(f"f{suffix}:")
