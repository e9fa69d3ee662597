"""JSON lines, arrays, objects: every record that can be read, a word on every one that cannot."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput


def lines(*records) -> bytes:
    return "\n".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records).encode()


def test_broken_json_on_line_7_of_9_costs_one_record(reading):
    records = [{"id": f"d{n}", "text": f"text {n}"} for n in range(1, 10)]
    data = lines(*records[:6], '{"id": "d7", "text": "text 7"', *records[7:])
    outcome = reading("f.jsonl", data)
    assert outcome.ids == ["d1", "d2", "d3", "d4", "d5", "d6", "d8", "d9"]
    assert len(outcome.bad) == 1
    assert outcome.bad[0].startswith("f.jsonl:7: broken JSON: Expecting ',' delimiter")


def test_strict_makes_the_first_bad_record_fatal(reading):
    with pytest.raises(BadInput, match=r"f\.jsonl:2: broken JSON") as caught:
        reading("f.jsonl", lines({"id": 1, "text": "a"}, "{", {"id": 2, "text": "b"}), strict=True)
    assert caught.value.where == "f.jsonl:2"


def test_field_names_of_the_field_and_everything_else_is_metadata(reading):
    hc4 = {"id": "x-1", "cc_file": "a.warc.gz", "time": "2019-01-01", "title": "T", "text": "body", "url": "http://e"}
    outcome = reading(
        "f.jsonl",
        lines(
            hc4,
            {"docno": "FT1", "contents": "b"},
            {"doc_id": "3", "body": "c", "lang": "de"},
            {"_id": "4", "title": "", "text": "d", "metadata": {"year": 2020, "tags": ["x"]}, "year": 2021},
            {"docid": "5#0", "text": "e", "path": "own"},
        ),
    )
    assert not outcome.bad
    first, second, third, fourth, fifth = outcome.documents
    assert (first.id, first.text, first.title) == ("x-1", "body", "T")
    assert {k: first.metadata[k] for k in ("cc_file", "time", "url")} == {
        "cc_file": "a.warc.gz",
        "time": "2019-01-01",
        "url": "http://e",
    }
    assert (second.id, second.text, third.text, third.lang) == ("FT1", "b", "c", "de")
    assert (fourth.title, fourth.metadata["year"], fourth.metadata["tags"]) == (None, 2021, ["x"])
    assert (fifth.id, fifth.metadata["path"], fifth.metadata["file"]) == ("5#0", "own", "f.jsonl")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "no id"}, "no id: a record needs one of the fields id, docno, doc_id, _id, docid"),
        ({"id": "1"}, "no text: a record needs one of the fields text, contents, body"),
        ({"id": "1", "text": None}, "no text: a record needs one of the fields text, contents, body"),
        ({"id": "1", "text": ["a"]}, "the field 'text' must be a string, not an array"),
        ({"id": "1", "text": 5}, "the field 'text' must be a string, not a number"),
        ({"id": True, "text": "a"}, "the field 'id' must be a string, not a boolean"),
        ({"id": {}, "text": "a"}, "the field 'id' must be a string, not an object"),
        ({"id": "1", "text": "a", "title": ["t"]}, "the field 'title' must be a string, not an array"),
        ({"id": "1", "text": "a", "lang": 1}, "the field 'lang' must be a string, not a number"),
        ({"id": "1", "text": "a", "metadata": "x"}, "the field 'metadata' must be an object, not a string"),
        ({"id": "", "text": "a"}, "the id is empty"),
        ({"id": "a\tb", "text": "a"}, "the id 'a\\tb' holds control characters or begins or ends with a blank"),
        ({"id": " a", "text": "a"}, "the id ' a' holds control characters or begins or ends with a blank"),
        ({"id": "1", "text": " \n"}, "document '1' has no text"),
        ([1], "a record must be a JSON object, not an array"),
        ("null", "a record must be a JSON object, not null"),
        ('{"id": 1, "text": ' + "[" * 100_000, "broken JSON: nested too deeply"),
        ('{"id": ' + "9" * 5000 + ', "text": "a"}', "broken JSON: Exceeds the limit"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(reading, record, reason):
    outcome = reading("f.jsonl", lines({"id": "ok", "text": "before"}, record, {"id": "ok2", "text": "after"}))
    assert outcome.ids == ["ok", "ok2"]
    assert len(outcome.bad) == 1
    assert outcome.bad[0].startswith(f"f.jsonl:2: {reason}")


def test_a_record_without_text_is_told_what_it_has(reading):
    outcome = reading("f.jsonl", lines({"id": "ok", "text": "before"}, {"id": 2, "headline": "h", "article": "a b"}))
    assert outcome.bad == [
        "f.jsonl:2: no text: a record needs one of the fields text, contents, body; this one has 'id', 'headline', "
        "'article' (see --text-field)"
    ]


def test_the_longest_field_is_the_text_where_none_is_called_so(reading):
    records = [{"id": n, "headline": "Neue Brücke", "article": "Die Brücke ist offen.", "n": 10**30} for n in (1, 2)]
    outcome = reading("f.jsonl", lines(*records))
    assert outcome.texts == ["Die Brücke ist offen."] * 2
    assert outcome.documents[0].metadata["headline"] == "Neue Brücke"
    assert len(outcome.notes) == 1
    assert reading("f.jsonl", lines(*records), text_field="headline").texts == ["Neue Brücke"] * 2
    assert reading("f.jsonl", lines({"id": 1, "when": "2020-01-01", "n": 5})).documents == []


def test_what_writers_get_wrong_without_doubt_is_accepted(reading):
    outcome = reading(
        "f.jsonl",
        lines(
            '{"id": 1, "text": "a", "score": NaN, "top": [Infinity, 1e999]}',
            '{"id": 123456789012345678901234567890, "text": "b"}',
            '{"id": 2.5, "text": "half \\ud83d emoji \\ud83d\\ude00"}',
            '{"id": "t", "text": "raw\ttab", "id": "again"}',
            '{"id": "with blank inside", "text": "a\\u0000b\\r\\nc"}',
        ),
    )
    assert not outcome.bad
    assert outcome.ids == ["1", "123456789012345678901234567890", "2.5", "again", "with blank inside"]
    assert outcome.documents[0].metadata["score"] is None
    assert outcome.documents[0].metadata["top"] == [None, None]
    assert outcome.texts[2:] == ["half � emoji 😀", "raw\ttab", "ab\nc"]
    assert outcome.notes == ["f.jsonl:5: NUL characters were dropped"]


def test_a_file_without_any_id_numbers_its_records(reading):
    outcome = reading("f.jsonl", lines({"text": "a"}, "", {"text": "b"}, {"id": "own", "text": "c"}))
    # One record with an id: then the others lack theirs.
    assert outcome.ids == ["own"]
    assert [bad.split(": ")[0] for bad in outcome.bad] == ["f.jsonl:1", "f.jsonl:3"]
    assert reading("g.jsonl", lines({"text": "a"}, "", {"text": "b"})).ids == ["g.jsonl:1", "g.jsonl:3"]


def test_an_object_an_array_and_lines_are_the_same_to_json(reading):
    records = [{"id": str(n), "text": f'quote " brace }}{n} \\', "m": {"a": [1, {"b": "{"}]}} for n in range(5)]
    forms = {
        "lines": lines(*records),
        "array": json.dumps(records).encode(),
        "pretty": json.dumps(records, indent=4).encode(),
        "tabs": json.dumps(records, indent="\t").replace("\n", "\r\n").encode(),
        "stream": "\n".join(json.dumps(r, indent=2) for r in records).encode(),
        "mark": b"\xef\xbb\xbf" + json.dumps(records).encode(),
        "utf16": json.dumps(records).encode("utf-16"),
    }
    for form, data in forms.items():
        outcome = reading(f"{form}.json", data)
        assert (outcome.ids, outcome.texts, outcome.bad) == (
            [r["id"] for r in records],
            [r["text"] for r in records],
            [],
        ), form
    assert reading("one.json", json.dumps(records[0], indent=1).encode()).ids == ["0"]
    assert reading("array.jsonl", forms["pretty"]).ids == [r["id"] for r in records]


def test_a_broken_record_in_an_array_costs_no_other(reading):
    data = b"""[
  {"id": 1, "text": "a"},
  {"id": 2, "text": "b",
  {"id": 3, "text": "c"},
  {"id": 4 "text": "d"},
  {"id": 5, "text": "e},
  {"id": 6, "text": "f"},
  "stray",
  {"id": 7, "text": "g"}, {"id": 8, "text": 8},
  {"id": 9, "text": "i"}
]"""
    outcome = reading("f.json", data)
    assert outcome.ids == ["1", "3", "6", "7", "9"]
    assert [bad.split(": ")[0] for bad in outcome.bad] == [f"f.json:{n}" for n in (3, 5, 6, 9, 9)]


def test_objects_without_end_do_not_take_for_ever(reading):
    outcome = reading("f.json", b"[\n" + b'{"id": 1,\n' * 5000)
    assert outcome.documents == []
    assert len(outcome.bad) == 101
    assert "100 objects have no end" in outcome.bad[-1]


def test_a_line_beyond_the_limit_is_a_bad_record_and_no_more(reading):
    long = json.dumps({"id": 2, "text": "x" * 5000})
    data = lines({"id": 1, "text": "a"}, long, {"id": 3, "text": "c"})
    for codec in ("utf-8", "utf-16"):
        outcome = reading("f.jsonl", data.decode().encode(codec), max_document_bytes=1000)
        assert outcome.ids == ["1", "3"]
        assert outcome.bad == ["f.jsonl:2: longer than 1000 bytes (max_document_bytes)"]


@pytest.mark.parametrize("data", [b"[]", b" \n ", b"[\n]\n"])
def test_a_file_without_records_is_reported(reading, data):
    assert reading("f.json", data).bad == ["f.json: there is no record in it"]


def test_an_array_beyond_the_limit_is_refused(reading):
    data = json.dumps([{"id": n, "text": "abc"} for n in range(100)]).encode()
    outcome = reading("f.json", data, max_array_bytes=1000)
    assert outcome.bad == ["f.json: larger than 1000 bytes, the limit for one document (max_array_bytes)"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")).filter(lambda t: t.strip())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.tuples(TEXT, JSON), min_size=1, max_size=5)


@given(RECORDS, st.sampled_from([None, 0, 1, 4]), st.booleans(), st.booleans())
def test_records_come_back_as_they_were_written(reading_many, records, indent, ascii_only, array):
    rows = [{"id": f"d{n}", "text": text, "extra": value} for n, (text, value) in enumerate(records)]
    if array:
        data = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    else:
        data = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows)
    outcome = reading_many("f.json", data.encode())
    assert not outcome.bad
    assert outcome.texts == [row["text"] for row in rows]
    assert [d.metadata["extra"] for d in outcome.documents] == [row["extra"] for row in rows]


@given(st.lists(st.sampled_from(['{"id":1,', '"text":"a"', "}", "{", "]", "[", '"', "\n", ",", ":", "\\", "1", "é"])))
def test_broken_arrays_never_raise(reading_many, parts):
    outcome = reading_many("f.json", ("[" + "".join(parts)).encode())
    assert outcome.documents or outcome.bad
