"""Records → Documents: which fields are the id and the text, and what a record must have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
"""Records looked at to see whether a file has ids at all, and which field is the text where none is called so."""

SHOWN = 8
"""Names of fields that a message quotes."""

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
_LETTER = re.compile(r"[^\W\d_]")


class UnusableRecord(ValueError):
    """A record that gives no document; the message says why."""


def read_records(file: OpenSource, records: Iterable[tuple[int, Record]]) -> Iterator[Document]:
    """Documents of numbered records; the records are taken apart.

    The id is the first of `ID_FIELDS`, the text the first of `TEXT_FIELDS` or what ``options.text_field`` names;
    "title" and "lang" are strings; "metadata" is an object; every other field is metadata, and so are the file's path,
    name and time where the record has no field of that name. If none of a file's first hundred records has an id, ids
    are ``name:line``; otherwise a record without one is reported. If none has a text, it is the field with most writing
    in it (see `_longest`), and that is noted. Raises `BadInput` if there is no record, good or bad.
    """
    records = iter(records)
    held: list[tuple[int, Record]] = []
    has_ids, texts = False, _named(file.options.text_field)
    has_texts = bool(texts)
    for numbered in records:
        held.append(numbered)
        has_ids = has_ids or _has_any(numbered[1], ID_FIELDS)
        has_texts = has_texts or _has_any(numbered[1], TEXT_FIELDS)
        if (has_ids and has_texts) or len(held) == LOOKAHEAD:
            break
    if not held and not file.bad_records:
        raise BadInput("there is no record in it")
    if not has_texts and (field := _longest([record for _, record in held])):
        others = f"no field is called {', '.join(TEXT_FIELDS[:-1])} or {TEXT_FIELDS[-1]}"
        file.note(f"{others}: {field!r} is taken for the text (--text-field names another)")
        texts = (field,)
    for line, record in chain(held, records):
        try:
            document = _document(file, record, line, has_ids, texts or TEXT_FIELDS)
        except UnusableRecord as error:
            file.bad(str(error), line)
        else:
            yield document


def _named(field: str | None) -> tuple[str, ...]:
    return () if field is None else (field,)


def _has_any(record: Record, fields: tuple[str, ...]) -> bool:
    return any(record.get(field) is not None for field in fields)


def _longest(records: Sequence[Record]) -> str | None:
    """The field with most writing over all records, in characters; None where none has any. Numbers are none, and
    neither are single words of ASCII: codes, dates, addresses on the web."""
    lengths: Counter[str] = Counter()
    for record in records:
        for name, value in record.items():
            if type(value) is str and name not in KNOWN_FIELDS and _is_writing(value):
                lengths[name] += len(value)
    return max(lengths, key=lengths.__getitem__) if lengths else None


def _is_writing(value: str) -> bool:
    return (not value.isascii() or " " in value.strip()) and _LETTER.search(value) is not None


def _document(file: OpenSource, record: Record, line: int, has_ids: bool, text_fields: tuple[str, ...]) -> Document:
    seen = tuple(record)
    identifier = _take_first(record, ID_FIELDS)
    if identifier is None and not has_ids:
        identifier = f"{file.name}:{line}"
    identifier = checked_id(identifier)
    text = _take_first(record, text_fields)
    if text_fields is not TEXT_FIELDS and type(text) in (int, float):
        text = str(text)  # A cell of a table that holds nothing else.
    if text is None:
        raise UnusableRecord(_missing("text", text_fields, seen))
    if type(text) is not str:
        raise UnusableRecord(_wrong(next(field for field in text_fields if field in seen), "a string", text))
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


def _missing(what: str, fields: tuple[str, ...], seen: tuple[str, ...] = ()) -> str:
    needed = f"one of the fields {', '.join(fields)}" if len(fields) > 1 else f"the field {fields[0]!r}"
    has = ", ".join(map(repr, seen[:SHOWN])) + (", …" if len(seen) > SHOWN else "")
    return f"no {what}: a record needs {needed}" + (f"; this one has {has} (see --text-field)" if seen else "")


def _wrong(field: str, expected: str, value: object) -> str:
    return f"the field {field!r} must be {expected}, not {JSON_TYPES.get(type(value), type(value).__name__)}"
