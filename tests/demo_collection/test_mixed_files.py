"""The small files in mixed formats are what their README says, so that tests of the readers stand on firm ground."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

MIXED = Path(__file__).parents[1] / "data" / "mixed"


@pytest.mark.parametrize(
    ("name", "encoding", "word"),
    [("report.txt", "windows-1251", "метеостанции"), ("old.sgml", "iso-8859-1", "maraîchers")],
)
def test_legacy_encodings(name, encoding, word):
    raw = (MIXED / name).read_bytes()
    assert word in raw.decode(encoding)
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")


@pytest.mark.parametrize("name", ["README.md", "notes.md", "page.html", "records.jsonl", "table.csv"])
def test_the_others_are_utf8(name):
    assert (MIXED / name).read_bytes().decode("utf-8")


def test_page_declares_language_and_charset():
    found = {}

    class Head(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.setdefault(tag, dict(attrs))

    Head().feed((MIXED / "page.html").read_text("utf-8"))
    assert found["html"]["lang"] == "fa"
    assert found["meta"]["charset"] == "utf-8"
    assert {"script", "style", "nav", "main", "footer"} <= set(found)


def test_records():
    rows = [json.loads(line) for line in (MIXED / "records.jsonl").read_text("utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == 5
    assert len({row["lang"] for row in rows}) == 5
    assert [row["metadata"]["year"] for row in rows if "metadata" in row] == [2023]


def test_table_has_a_cell_of_two_lines():
    with (MIXED / "table.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["id"] for row in rows] == ["museo-1", "museo-2", "museo-3"]
    assert rows[1]["text"].splitlines()[1] == 'Los vecinos la llaman "la muda".'


def test_old_sgml_has_three_documents_in_two_languages():
    text = (MIXED / "old.sgml").read_text("iso-8859-1")
    assert re.findall(r"<DOCNO> (\S+) </DOCNO>", text) == ["FR-1994-0001", "FR-1994-0002", "IT-1994-0001"]
    assert text.count("<DOC>") == text.count("</DOC>") == 3
