"""JSON lines, JSON arrays and single JSON objects of records."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora.encodings import well_formed
from xsearch.corpora.formats.records import JSON_TYPES, Record, UnusableRecord, read_records
from xsearch.corpora.opened import OpenSource

# Strings end at the line's end at the latest: a quote that is missing then costs one line and not the file.
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?|[\[\]{}]')
_OPENING = b"{["
_SEPARATORS = b", \t\r\n"

MAX_UNCLOSED = 100
"""Objects without an end after which the rest of a file is given up; each of them is looked for to the file's end."""

_decode = msgspec.json.Decoder().decode


def read_json(file: OpenSource) -> Iterator[Document]:
    """Records of a .json file: an array of objects, one object, several one after the other, or JSON lines.

    An array or a pretty-printed file is held in memory (`max_array_bytes`); JSON lines are streamed.
    """
    beginning = file.head.lstrip()
    first, newline, _ = beginning.partition("\n")
    if newline and beginning.startswith("{") and _is_object(first):
        return read_json_lines(file)
    return read_records(file, _values(file))


def read_json_lines(file: OpenSource) -> Iterator[Document]:
    """Records of a .jsonl file, an object a line; a file that holds an array instead is read as one."""
    if file.head.lstrip().startswith("["):
        return read_records(file, _values(file))
    return read_records(file, _lines(file))


def parse_object(data: bytes) -> Record:
    """One JSON object. Accepts what writers get wrong without doubt about the meaning: NaN and infinite numbers
    (null here), raw control characters in strings, lone surrogates and bad UTF-8 (U+FFFD). Raises `UnusableRecord`.
    """
    try:
        value = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = _parse_leniently(data)
    if type(value) is not dict:
        raise UnusableRecord(f"a record must be a JSON object, not {JSON_TYPES.get(type(value), 'null')}")
    return value


def _parse_leniently(data: bytes) -> Any:
    try:
        return _scrubbed(json.loads(data.decode(errors="replace"), strict=False, parse_constant=lambda _: None))
    except json.JSONDecodeError as error:
        raise UnusableRecord(f"broken JSON: {error.msg} (character {error.pos + 1} of the record)") from None
    except RecursionError:
        raise UnusableRecord("broken JSON: nested too deeply") from None
    except ValueError as error:
        raise UnusableRecord(f"broken JSON: {error}") from None


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {well_formed(name): _scrubbed(item) for name, item in value.items()}
    return value


def _is_object(text: str) -> bool:
    try:
        parse_object(text.encode())
    except UnusableRecord:
        return False
    return True


def _lines(file: OpenSource) -> Iterator[tuple[int, Record]]:
    for number, line in file.lines():
        try:
            value = _decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            value = None
        if type(value) is dict:
            yield number, value
        elif not line.isspace():
            try:
                yield number, _reported_object(file, line, number)
            except UnusableRecord as error:
                file.bad(str(error), number)


def _reported_object(file: OpenSource, data: bytes, line: int) -> Record:
    """As `parse_object`; bytes that are no UTF-8, which that replaces, are noted."""
    return parse_object(file.decode_line(data.rstrip(), line).encode())


def _values(file: OpenSource) -> Iterator[tuple[int, Record]]:
    """The objects of a file with the lines they begin in. After a broken one, reading goes on at the next line that
    begins with a brace no deeper indented."""
    data = file.read_utf8(file.options.max_array_bytes)
    begin = len(data) - len(data.lstrip())
    position = begin + 1 if data.startswith(b"[", begin) else begin
    line, counted, unclosed = 1, 0, 0
    while (start := data.find(b"{", position)) >= 0:
        line += data.count(b"\n", counted, start)
        counted = start
        _report_stray(file, data[position:start], line)
        end = _object_end(data, start)
        try:
            if end < 0:
                unclosed += 1
                raise UnusableRecord("broken JSON: an object that begins here has no end")
            record = _reported_object(file, data[start:end], line)
        except UnusableRecord as error:
            file.bad(str(error), line)
            position = _resume(data, start, end)
            if unclosed == MAX_UNCLOSED:
                raise BadInput(
                    f"{MAX_UNCLOSED} objects have no end: the file from line {line} on is not read"
                ) from None
        else:
            yield line, record
            position = end
    _report_stray(file, data[position:].strip(_SEPARATORS).removesuffix(b"]"), line + data.count(b"\n", counted))


def _report_stray(file: OpenSource, between: bytes, line: int) -> None:
    stray = between.strip(_SEPARATORS)
    if stray:
        shown = stray[:40].decode(errors="replace")
        file.bad(f"expected a JSON object, found {shown!r}", line)


def _object_end(data: bytes, start: int) -> int:
    """Where the object that begins at `start` ends, -1 if it does not."""
    depth = 0
    for token in _TOKEN.finditer(data, start):
        kind = data[token.start()]
        if kind == 0x22:
            continue
        depth += 1 if kind in _OPENING else -1
        if depth == 0:
            return token.end()
    return -1


def _resume(data: bytes, start: int, end: int) -> int:
    """Where to go on after the broken object at `start`: the next line with a brace at its indentation or less, or
    the object's end if that comes first (-1: it has none)."""
    line_start = data.rfind(b"\n", 0, start) + 1
    indentation = len(data[line_start:start]) - len(data[line_start:start].lstrip(b" \t"))
    following = re.compile(rb"\n[ \t]{0,%d}(?=\{)" % indentation).search(data, start)
    stop = end if end >= 0 else len(data)
    return min(following.end(), stop) if following else stop
