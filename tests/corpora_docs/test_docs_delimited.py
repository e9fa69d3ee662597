"""CSV and TSV: a header, rows, and quotes that go wrong."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st


def table(rows, **options) -> bytes:
    out = io.StringIO()
    csv.writer(out, **options).writerows(rows)
    return out.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(reading, delimiter):
    rows = [["id", "text", "a,b;c"], ["1", "eins, zwei; drei\tvier", "x"], ["2", "fünf\nsechs", ""]]
    outcome = reading("t.csv", table(rows, delimiter=delimiter))
    assert (outcome.ids, outcome.texts, outcome.bad) == (["1", "2"], ["eins, zwei; drei\tvier", "fünf\nsechs"], [])


def test_columns_are_fields_and_numbers_are_numbers(reading):
    rows = [
        ["ID", "Title", "Text", "year", "zip", "price", "metadata"],
        ["7", "T", "x", "2020", "007", "-1.5", '{"k": 1}'],
    ]
    [document] = reading("t.csv", table(rows)).documents
    assert (document.id, document.title, document.text) == ("7", "T", "x")
    own = {k: v for k, v in document.metadata.items() if k not in ("path", "file", "modified")}
    assert own == {"year": 2020, "zip": "007", "price": -1.5, "k": 1}


def test_rows_of_another_width_are_reported_with_their_line(reading):
    outcome = reading("t.csv", b'id,text\n1,"a\nb"\n2\n\n3,c,d\n4,e\n,f\n')
    assert outcome.ids == ["1", "4"]
    assert outcome.bad == [
        "t.csv:4: 1 field, where the header has 2",
        "t.csv:6: 3 fields, where the header has 2",
        "t.csv:8: no id: a record needs one of the fields id, docno, doc_id, _id, docid",
    ]


def test_a_quote_that_is_not_closed_does_not_swallow_the_rest(reading):
    outcome = reading("t.tsv", b'id\ttext\n1\t"Foo" is a bar\n2\t"open\n3\tc\n4\t"d"\n5\te\n')
    assert list(zip(outcome.ids, outcome.texts, strict=True)) == [
        ("1", '"Foo" is a bar'),
        ("2", '"open'),
        ("3", "c"),
        ("4", "d"),
        ("5", "e"),
    ]
    assert outcome.notes == ["t.tsv:2: a quote that is not closed was taken literally"]


def test_a_broken_quote_in_a_row_that_cannot_be_saved_costs_that_row(reading):
    outcome = reading("t.csv", b'id,text,note\n1,"open, x,y,z\n2,b,c\n3,d,e\n')
    assert outcome.ids == ["2", "3"]
    assert outcome.bad == ["t.csv:2: a quote in this row is not closed, or something follows a closing quote"]


def test_without_an_id_column_rows_are_numbered(reading):
    assert reading("t.csv", b"text,x\na,1\nb,2\n").ids == ["t.csv:2", "t.csv:3"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"1,first row is data\n2,b\n", "the first row must name the columns, one of them text, contents, body"),
        (b"id,text,text\n1,a,b\n", "the first row names the column 'text' twice"),
        (b"", "the file is empty"),
        (b"\n\n", "the first row must name the columns"),
    ],
)
def test_a_table_without_a_usable_header_is_refused(reading, data, reason):
    outcome = reading("t.csv", data)
    assert outcome.documents == []
    assert len(outcome.bad) == 1
    assert reason in outcome.bad[0]


def test_the_column_with_most_writing_is_the_text_where_none_is_called_so(reading):
    rows = [
        ["sku", "url", "name", "description", "price"],
        ["a1", "https://example.org/a/very/long/address/that/says/nothing?x=1", "Lamp", "A lamp for desks", "12"],
        ["a2", "https://example.org/2", "Stol", "Stół z drewna", "80"],
    ]
    outcome = reading("t.csv", table(rows))
    assert outcome.texts == ["A lamp for desks", "Stół z drewna"]
    assert outcome.notes == [
        "t.csv: no field is called text, contents or body: 'description' is taken for the text (--text-field names "
        "another)"
    ]
    assert outcome.documents[0].metadata["name"] == "Lamp"
    assert outcome.documents[1].metadata["price"] == 80


def test_the_text_s_column_can_be_named(reading):
    outcome = reading("t.csv", b"id;text;Note\n1;a;n\n2;b;7\n3;c;\n", text_field="Note")
    assert (outcome.texts, outcome.notes) == (["n", "7"], [])
    assert outcome.documents[0].metadata["text"] == "a"
    assert outcome.bad == [
        "t.csv:4: no text: a record needs the field 'Note'; this one has 'id', 'text' (see --text-field)"
    ]


@pytest.mark.parametrize(
    "first",
    ["0\tThe Danube is a river.", "q-1\tWhat is a text of more than forty characters?", "d1\tStorks nest on roofs"],
)
def test_two_columns_without_a_header_are_id_and_text(reading, first):
    name, text = first.split("\t")
    outcome = reading("t.tsv", f"{first}\nlater\tshort\n".encode())
    assert (outcome.ids, outcome.texts) == ([name, "later"], [text, "short"])
    assert outcome.notes == ["t.tsv:1: the first row names no columns: rows are read as id and text"]


def test_a_single_column_and_empty_names_are_a_header(reading):
    assert reading("t.csv", b"review\nVery good\nNot bad\n").texts == ["Very good", "Not bad"]
    assert reading("t.csv", b"name,note,,\na,one two,,\n").texts == ["one two"]


def test_a_cell_longer_than_the_module_s_own_limit_is_read(reading):
    assert reading("t.csv", b"id,text\n1," + b"x" * 300_000).texts == ["x" * 300_000]


def test_a_quoted_cell_beyond_the_limit_is_reported(reading):
    data = b'id,text\n1,"' + b"line\n" * 1000 + b'"\n2,b\n'
    outcome = reading("t.csv", data, max_document_bytes=1000)
    assert outcome.ids[-1] == "2"
    assert outcome.notes == ["t.csv:2: a quote that is not closed was taken literally"]


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\"',;")).filter(
    lambda t: t.strip()
)


@given(st.lists(CELL, min_size=1, max_size=6), st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_what_csv_writes_is_read_back(reading_many, texts, delimiter, end):
    rows = [["id", "text"], *([f"d{n}", text] for n, text in enumerate(texts))]
    outcome = reading_many("t.csv", table(rows, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL))
    assert (outcome.texts, outcome.bad) == (texts, [])
