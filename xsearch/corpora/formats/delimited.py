"""CSV and TSV: a header row names the fields of the records."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Set
from itertools import chain

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.core.wording import counted
from xsearch.corpora.formats.json_records import parse_object
from xsearch.corpora.formats.records import KNOWN_FIELDS, TEXT_FIELDS, Record, UnusableRecord, read_records, typed_value
from xsearch.corpora.opened import OpenSource

DELIMITERS = ",;\t"

HEADLESS = ["id", "text"]
"""The columns of a TSV file without a header row, as MS MARCO's and other collections' come."""

LONGEST_NAME = 40
"""Characters of the longest cell that may be the name of a column."""

MOST_WORDS = 3
"""Words of the longest second cell of two that may name a column: "d1", "Storks nest on roofs" is a record."""


class _Lines:
    """Numbered lines that can be given back; it remembers which ones the row being read has taken."""

    def __init__(self, lines: Iterator[tuple[int, str]], limit: int) -> None:
        self._lines = lines
        self._returned: deque[tuple[int, str]] = deque()
        self._limit = limit
        self._size = 0
        self.taken: list[tuple[int, str]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._size > self._limit:
            raise csv.Error("a quoted field is longer than the limit")
        numbered = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(numbered)
        self._size += len(numbered[1])
        return numbered[1]

    def begin_row(self) -> None:
        self.taken = []
        self._size = 0

    def give_back_but_first(self) -> tuple[int, str]:
        """The first line of the row; the others will be read again."""
        self._returned.extendleft(reversed(self.taken[1:]))
        return self.taken[0]


def read_csv(file: OpenSource) -> Iterator[Document]:
    """Records of a .csv file; the delimiter is the one of comma, semicolon and tab that gives the header a column that
    is known, or else most columns."""
    return read_records(file, _records(file, DELIMITERS))


def read_tsv(file: OpenSource) -> Iterator[Document]:
    """Records of a .tsv file, fields separated by tabs. Two columns without a header are id and text."""
    return read_records(file, _records(file, "\t"))


def _records(file: OpenSource, delimiters: str) -> Iterator[tuple[int, Record]]:
    limit = file.options.max_document_bytes
    # The limit of the csv module is one for the process: it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    lines = _Lines(file.text_lines(), limit)
    known = KNOWN_FIELDS | {file.options.text_field}
    delimiter = _delimiter(file.head, delimiters, known)
    rows = _rows(file, lines, delimiter)
    number, header = next(rows, (0, []))
    if delimiter == "\t" and _is_record(header, known):
        file.note("the first row names no columns: rows are read as id and text", number)
        fields, rows = HEADLESS, chain([(number, header)], rows)
    else:
        fields = _fields(header, known)
    for line, row in rows:
        if len(row) != len(fields):
            file.bad(f"{counted(len(row), 'field')}, where the header has {len(fields)}", line)
            continue
        try:
            yield line, _record(fields, row)
        except UnusableRecord as error:
            file.bad(str(error), line)


def _delimiter(head: str, delimiters: str, known: Set[str | None]) -> str:
    first = next((line for line in head.splitlines() if line.strip()), "")

    def columns(delimiter: str) -> tuple[bool, int]:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        return any(name in known or name.lower() in TEXT_FIELDS for name in names), len(names)

    return max(delimiters, key=columns)


def _rows(file: OpenSource, lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the lines they begin in.

    A quote that nothing closes would swallow every line up to the next quote. Where quoting goes wrong, the row's
    first line is taken literally, and the lines after it are read again. (The header sets the width to compare.)
    """
    width = 0
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        try:
            row = next(reader)
            sound = len(lines.taken) == 1 or not width or len(row) == width
        except StopIteration:
            return
        except csv.Error:
            sound = False
        if not sound:
            number, first = lines.give_back_but_first()
            row = first.rstrip("\r\n").split(delimiter)
            if len(row) != width:
                file.bad("a quote in this row is not closed, or something follows a closing quote", number)
                continue
            file.note("a quote that is not closed was taken literally", number)
        if any(cell.strip() for cell in row):
            width = width or len(row)
            yield lines.taken[0][0], row


def _is_record(row: list[str], known: Set[str | None]) -> bool:
    """Whether the first row of two columns is no header but an id and a text."""
    name, text = row if len(row) == len(HEADLESS) else ("", "")
    if len(name.split()) != 1 or not text.strip() or _has_known(row, known):
        return False
    return len(text.split()) > MOST_WORDS or not _names_columns(row, known)


def _names_columns(row: list[str], known: Set[str | None]) -> bool:
    """Whether a row is a header: it names a column that is known, or its cells are short and no numbers."""
    if _has_known(row, known):
        return True
    names = [cell.strip() for cell in row if cell.strip()]
    short = all(len(name) <= LONGEST_NAME and type(typed_value(name)) is str for name in names)
    return short and (len(names) > 1 or len(" ".join(names).split()) == 1)


def _has_known(row: list[str], known: Set[str | None]) -> bool:
    """Whether a cell is the name of a column that is known."""
    return any(name in known or name.lower() in KNOWN_FIELDS for name in map(str.strip, row))


def _fields(header: list[str], known: Set[str | None]) -> list[str]:
    fields = [name.strip() for name in header]
    if not _names_columns(header, known):
        found = ", ".join(repr(name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…") for name in fields[:8])
        needed = ", ".join(TEXT_FIELDS)
        raise BadInput(f"the first row must name the columns, one of them {needed} (see --text-field); found {found}")
    fields = [name.lower() if name not in known and name.lower() in KNOWN_FIELDS else name for name in fields]
    twice = {name for name in fields if name and fields.count(name) > 1}
    if twice:
        raise BadInput(f"the first row names the column {min(twice)!r} twice")
    return fields


def _record(fields: list[str], row: list[str]) -> Record:
    """A row as a record: empty cells are left out, metadata written as numbers are numbers."""
    record: Record = {}
    for name, cell in zip(fields, row, strict=True):
        if name in TEXT_FIELDS:
            record[name] = cell
        elif not cell or not name:
            continue
        elif name == "metadata":
            record[name] = parse_object(cell.encode())
        else:
            record[name] = cell if name in KNOWN_FIELDS else typed_value(cell)
    return record
