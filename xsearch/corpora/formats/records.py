"""Records → Documents: which fields are the id and the text, and what a record must have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora.opened import OpenSource

Record = dict[str, Any]

ID_FIELDS = ("id", "docno", "doc_id", "_id", "docid")
TEXT_FIELDS = ("text", "contents", "body")
KNOWN_FIELDS = frozenset((*ID_FIELDS, *TEXT_FIELDS, "title", "lang", "metadata"))

LOOKAHEAD = 100
"""Records looked at to see whether a file has ids at all."""

JSON_TYPES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class UnusableRecord(ValueError):
    """A record that gives no document; the message says why."""


def read_records(file: OpenSource, records: Iterable[tuple[int, Record]]) -> Iterator[Document]:
    """Documents of numbered records; the records are taken apart.

    The id is the first of `ID_FIELDS`, the text the first of `TEXT_FIELDS`; "title" and "lang" are strings;
    "metadata" is an object; every other field is metadata, and so are the file's path, name and time where the record
    has no field of that name. If none of a file's first hundred records has an id, ids are ``name:line``; otherwise
    a record without one is reported. Raises `BadInput` if there is no record, good or bad.
    """
    records = iter(records)
    held: list[tuple[int, Record]] = []
    has_ids = False
    for numbered in records:
        held.append(numbered)
        has_ids = any(numbered[1].get(field) is not None for field in ID_FIELDS)
        if has_ids or len(held) == LOOKAHEAD:
            break
    if not held and not file.bad_records:
        raise BadInput("there is no record in it")
    for line, record in chain(held, records):
        try:
            document = _document(file, record, line, has_ids)
        except UnusableRecord as error:
            file.bad(str(error), line)
        else:
            yield document


def _document(file: OpenSource, record: Record, line: int, has_ids: bool) -> Document:
    identifier = _take_first(record, ID_FIELDS)
    if identifier is None and not has_ids:
        identifier = f"{file.name}:{line}"
    identifier = checked_id(identifier)
    text = _take_first(record, TEXT_FIELDS)
    if type(text) is not str:
        raise UnusableRecord(_missing("text", TEXT_FIELDS) if text is None else _wrong("text", "a string", text))
    title = _take_string(record, "title")
    lang = _take_string(record, "lang")
    if not title and (not text or text.isspace()):
        raise UnusableRecord(f"document {identifier!r} has no text")
    if "\0" in text or "\r" in text:
        text = file.clean(text, line)
    nested = record.pop("metadata", None)
    if nested is not None:
        if type(nested) is not dict:
            raise UnusableRecord(_wrong("metadata", "an object", nested))
        record = {**nested, **record}
    for field, value in file.metadata.items():
        record.setdefault(field, value)
    return Document(identifier, text, title, lang, record)


def checked_id(value: object) -> str:
    """A record's id as a string; a number is written out. Raises `UnusableRecord` if it cannot be an id."""
    if value is None:
        raise UnusableRecord(_missing("id", ID_FIELDS))
    if type(value) is int or type(value) is float:
        value = str(value)
    if type(value) is not str:
        raise UnusableRecord(_wrong("id", "a string", value))
    if not value or value.isspace():
        raise UnusableRecord("the id is empty")
    if value != value.strip() or _CONTROL.search(value):
        raise UnusableRecord(f"the id {value!r} holds control characters or begins or ends with a blank")
    return value


def typed_value(written: str) -> str | int | float:
    """A value from a format that has only strings: a number if it is written as one ("2020", "1.5"; not "007")."""
    if not _NUMBER.fullmatch(written):
        return written
    return float(written) if "." in written else int(written)


def _take_first(record: Record, fields: tuple[str, ...]) -> Any:
    for field in fields:
        if field in record and (value := record.pop(field)) is not None:
            return value
    return None


def _take_string(record: Record, field: str) -> str | None:
    if field not in record:
        return None
    value = record.pop(field)
    if value is None or type(value) is str:
        return value or None
    raise UnusableRecord(_wrong(field, "a string", value))


def _missing(what: str, fields: tuple[str, ...]) -> str:
    return f"no {what}: a record needs one of the fields {', '.join(fields)}"


def _wrong(field: str, expected: str, value: object) -> str:
    return f"the field {field!r} must be {expected}, not {JSON_TYPES.get(type(value), type(value).__name__)}"
