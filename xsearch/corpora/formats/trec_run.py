"""Runs in TREC's form: ``topic Q0 document rank score tag``.

An id cannot hold white space there, and the field's tools split at any of Unicode's. `write_run` writes it in an id
as its UTF-8 bytes, %20 for a blank, %C2%A0 for one that does not break, and a per cent sign that would read as one of
these (or as itself escaped) as %25; `read_run` undoes exactly this and leaves every other ``%xx`` alone, so ids that
are web addresses keep their spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from urllib.parse import quote

from xsearch.core import BadInput, Run, ScoredDoc
from xsearch.core.wording import counted
from xsearch.corpora.compression import text_writer
from xsearch.corpora.formats.lines import Faults, Note, byte_lines, note_to_log
from xsearch.corpora.formats.qrels import split_columns

_COLUMNS = 6
_WHITE = {char: quote(char) for char in map(chr, range(0x3001)) if char.isspace()}
_PLAIN = {code: char for char, code in _WHITE.items()}
_CODES = "|".join(code[1:] for code in (*_PLAIN, "%25"))
_TO_ESCAPE = re.compile(rf"%(?={_CODES})|[{''.join(_WHITE)}]")
_ESCAPED = re.compile(rf"%25(?={_CODES})|" + "|".join(_PLAIN))


def escape_id(name: str) -> str:
    """An id as a run file can hold it."""
    return _TO_ESCAPE.sub(lambda match: _WHITE.get(match[0], "%25"), name)


def unescape_id(name: str) -> str:
    """The id that `escape_id` was given."""
    return _ESCAPED.sub(lambda match: _PLAIN.get(match[0], "%"), name) if "%" in name else name


def read_run(path: str | Path, on_note: Note = note_to_log, *, on_bad: Note | None = None) -> Run:
    """A run file, plain or .gz, .xz, .zst, put in trec_eval's order: by score, then document id, both descending.

    The file's own order and its rank column are not read; topics whose lines stand in another order than that of
    their scores, and equal scores in another order than that of the documents, are counted in a note. A line with
    another number of columns than six, a score that is no finite number, a document twice in a topic, bytes that are
    not UTF-8: each is a bad line; without `on_bad` all of them are raised together as one `BadInput`, with it each is
    handed over and left out. The tag is the first line's. An empty file is an empty run, tagged with the file's name.
    """
    path = Path(path)
    faults = Faults(path, on_bad)
    rows: dict[tuple[str, str], ScoredDoc] = {}
    tags: dict[str, None] = {}
    for number, line in byte_lines(path):
        try:
            row, tag = _scored(line)
        except ValueError as error:
            faults.add(number, str(error))
            continue
        tags[tag] = None
        if rows.setdefault((row.topic, row.document), row) is not row:
            faults.add(number, f"topic {row.topic}: document {row.document} is listed twice")
    faults.close()
    if len(tags) > 1:
        on_note(f"{path}: {len(tags)} different tags; '{next(iter(tags))}' is used")
    run = Run.of(rows.values(), tag=next(iter(tags), path.name))
    _note_order(path, rows.values(), on_note)
    return run


def _note_order(path: Path, given: Iterable[ScoredDoc], on_note: Note) -> None:
    last: dict[str, ScoredDoc] = {}
    unsorted, tied = set(), 0
    for row in given:
        before = last.get(row.topic, row)
        if row.score > before.score:
            unsorted.add(row.topic)
        tied += row.score == before.score and row.document > before.document
        last[row.topic] = row
    if unsorted:
        on_note(f"{path}: {counted(len(unsorted), 'topic')} not in the order of the scores, which counts")
    if tied:
        on_note(f"{path}: {counted(tied, 'line')} with the score of the one before, put by document id, descending")


def _scored(line: bytes) -> tuple[ScoredDoc, str]:
    columns = split_columns(line, _COLUMNS)
    if len(columns) != _COLUMNS:
        raise ValueError(f"{len(columns)} columns; expected 6: topic Q0 document rank score tag")
    try:
        topic, _, document, _, score, tag = (column.decode() for column in columns)
    except UnicodeDecodeError as error:
        raise ValueError("bytes that are not UTF-8") from error
    return ScoredDoc(unescape_id(topic), unescape_id(document), _number(score)), tag


def _number(score: str) -> float:
    try:
        value = float(score)
    except ValueError:
        value = float("nan")
    if "_" in score or not isfinite(value):
        raise ValueError(f"the score {score!r} is not a finite number")
    return value


def run_line(topic: str, document: str, rank: int, score: float, tag: str) -> str:
    """A line without its end. The score has as many digits as it takes to read the same number back."""
    return f"{escape_id(topic)} Q0 {escape_id(document)} {rank} {float(score)!r} {tag}"


def run_lines(rows: Iterable[ScoredDoc], tag: str) -> Iterator[str]:
    """Lines with their ends, of rows that are already in a run's order; ranks count from 1 within a topic."""
    topic, rank = None, 0
    for row in rows:
        topic, rank = row.topic, rank + 1 if row.topic == topic else 1
        yield run_line(row.topic, row.document, rank, row.score, tag) + "\n"


def write_run(path: str | Path, run: Run) -> None:
    """Write a run, packed when the path ends in .gz, .xz or .zst; equal runs give equal bytes.

    Raises `BadInput` for an empty id, or a tag that is empty or holds white space.
    """
    if not run.tag or run.tag.split() != [run.tag]:
        raise BadInput(f"the tag {run.tag!r} must be one word", where=str(path))
    if any(not (row.topic and row.document) for row in run):
        raise BadInput("a topic or document id is empty", where=str(path))
    with text_writer(Path(path)) as file:
        file.writelines(run_lines(run, run.tag))
