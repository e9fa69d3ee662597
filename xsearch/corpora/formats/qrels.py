"""Relevance judgments in TREC's form: ``topic iteration document grade``, blanks or tabs between the columns."""

from __future__ import annotations

import re
from pathlib import Path

from xsearch.core import BadInput, Judgment, Qrels
from xsearch.core.wording import counted
from xsearch.corpora.formats.lines import Faults, Note, byte_lines, note_to_log

_INTEGER = re.compile(rb"[+-]?[0-9]+")
_COLUMNS = 4


def split_columns(line: bytes, columns: int) -> list[bytes]:
    """The columns of a line: between tabs when there are exactly as many (a document id may then hold blanks),
    else between runs of ASCII white space."""
    if line.count(b"\t") == columns - 1:
        parts = [part.strip() for part in line.split(b"\t")]
        if all(parts):
            return parts
    return line.split()


def read_qrels(path: str | Path, on_note: Note = note_to_log, *, on_bad: Note | None = None) -> Qrels:
    """The judgments of a qrels file, plain or .gz, .xz, .zst, in the file's order.

    Negative grades (TREC writes -1, -2 for spam or unsure) are kept, count as not relevant in every measure, and are
    counted in a note; so is a line that repeats an earlier one. A document judged twice with different grades, another
    number of columns than four, a grade that is no integer, bytes that are not UTF-8: each is a bad line. Without
    `on_bad` all of them are raised together as one `BadInput`; with it each is handed over and left out.
    """
    path = Path(path)
    faults = Faults(path, on_bad)
    rows: dict[tuple[str, str], Judgment] = {}
    negative = repeated = 0
    for number, line in byte_lines(path):
        try:
            row = _judgment(line)
        except ValueError as error:
            faults.add(number, str(error))
            continue
        known = rows.setdefault((row.topic, row.document), row)
        if known is not row:
            if known.grade == row.grade:
                repeated += 1
            else:
                faults.add(
                    number,
                    f"topic {row.topic}, document {row.document}: grade {row.grade}, but an earlier line gives "
                    f"{known.grade}",
                )
        elif row.grade < 0:
            negative += 1
    faults.close()
    if not rows:
        raise BadInput("no judgments in the file; expected lines 'topic 0 document grade'", where=str(path))
    if negative:
        on_note(f"{path}: {counted(negative, 'negative grade')}, taken for not relevant")
    if repeated:
        on_note(f"{path}: {counted(repeated, 'judgment')} listed more than once, with the same grade")
    return Qrels(tuple(rows.values()))


def _judgment(line: bytes) -> Judgment:
    columns = split_columns(line, _COLUMNS)
    if len(columns) != _COLUMNS:
        raise ValueError(f"{len(columns)} columns; expected 4: topic 0 document grade")
    topic, iteration, document, grade = columns
    if not _INTEGER.fullmatch(grade):
        raise ValueError(f"the grade {grade.decode(errors='replace')!r} is not an integer")
    return Judgment(_text(topic), _text(document), int(grade), _text(iteration))


def _text(column: bytes) -> str:
    try:
        return column.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{column!r} is not UTF-8") from error


def write_qrels(path: str | Path, qrels: Qrels, *, append: bool = False) -> None:
    """Write judgments in their order, columns between blanks, or between tabs throughout when an id holds a blank.

    `append` keeps what the file holds already. Raises `BadInput` for an id that no qrels file can hold: one with a
    tab or line end, or blanks at its ends.
    """
    names = {name for row in qrels for name in (row.topic, row.document, row.iteration)}
    for name in sorted(names):
        if name != name.strip() or not name or set(name) & set("\t\r\n\v\f"):
            raise BadInput(f"the id {name!r} cannot stand in a qrels file", where=str(path))
    blank = "\t" if any(" " in name for name in names) else " "
    with Path(path).open("a" if append else "w", encoding="utf-8", newline="\n") as file:
        for row in qrels:
            file.write(blank.join((row.topic, row.iteration, row.document, str(row.grade))) + "\n")
