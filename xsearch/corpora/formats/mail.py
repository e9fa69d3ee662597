"""Electronic mail: messages (.eml) and mailboxes (.mbox), their text without attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora import encodings
from xsearch.corpora.formats.html import markup_text
from xsearch.corpora.formats.records import Record, read_records
from xsearch.corpora.opened import OpenSource
from xsearch.corpora.source import mebibytes

_BEGINS = b"From "
_QUOTED = re.compile(rb"(?m)^>(>*From )")
_FOLDED = re.compile(r"\r?\n(?=[ \t])")


def read_message(file: OpenSource) -> Iterator[Document]:
    """The message as one document: the subject is the title, "from", "to" and "date" (ISO 8601) are metadata."""
    record = _record(file.read_bytes())
    text, title, _ = record.pop("text"), record.pop("title", None), record.pop("id", None)
    yield file.document(file.clean(text), title, None, record)


def read_mailbox(file: OpenSource) -> Iterator[Document]:
    """The messages of a mailbox (mboxrd: they begin with a line "From …" after an empty one), each a document whose id
    is its Message-ID. One without is named after its line; one that is longer than `max_document_bytes`, or has neither
    subject nor text, is a bad record."""
    yield from read_records(file, _records(file))


def _records(file: OpenSource) -> Iterator[tuple[int, Record]]:
    for line, message in _messages(file):
        record = _record(message)
        record.setdefault("id", f"{file.name}:{line}")
        yield line, record


def _messages(file: OpenSource) -> Iterator[tuple[int, bytes]]:
    """Messages as they lie in the file, without the line that begins them, and the number of that line."""
    most = file.options.max_document_bytes
    held: list[bytes] = []
    size = begun = number = 0
    empty = True
    while line := file.stream.readline(most + 1):
        number += 1
        if empty and line.startswith(_BEGINS):
            if begun and size <= most:
                yield begun, b"".join(held)
            held, size, begun = [], 0, number
        elif begun:
            if size <= most < size + len(line):
                file.bad(f"longer than {mebibytes(most)} (max_document_bytes)", begun)
                held = []
            size += len(line)
            if size <= most:
                held.append(_QUOTED.sub(rb"\1", line))
        elif line.strip():
            raise BadInput('no mailbox: it does not begin with a line "From …"')
        empty = not line.strip()
    if begun and size <= most:
        yield begun, b"".join(held)


def _record(data: bytes) -> Record:
    """A message as a record; what it does not say is not in it."""
    # The library's older policy: the newer one's parser of headers fails on some that are not as they should be.
    message = message_from_bytes(data)
    record: Record = {
        "id": "".join(_header(message, "message-id").strip("<>").split()),
        "title": _header(message, "subject"),
        "from": _header(message, "from"),
        "to": _header(message, "to"),
        "date": _date(message),
    }
    return {name: value for name, value in record.items() if value} | {"text": _text(message)}


def _header(message: Message, name: str) -> str:
    """A header's text on one line, "" where there is none."""
    given = next((value for key, value in message.raw_items() if key.lower() == name), "")
    # Bytes beyond ASCII, which no header should hold, are mostly UTF-8.
    plain = _FOLDED.sub("", str(given)).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        text = "".join(
            part if isinstance(part, str) else part.decode(_codec(charset) or "raw-unicode-escape", "replace")
            for part, charset in decode_header(plain)
        )
    except (HeaderParseError, ValueError):
        text = plain
    return " ".join("".join(char if char.isprintable() else " " for char in encodings.well_formed(text)).split())


def _codec(charset: str | None) -> str | None:
    name = encodings.codec_name(charset) if charset else None
    return encodings.SUPERSETS.get(name, name) if name else None


def _date(message: Message) -> str:
    try:
        return parsedate_to_datetime(_header(message, "date")).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""


def _text(message: Message) -> str:
    """The first plain text among the message's parts, or else the text of the first HTML; "" for none."""
    parts = [part for part in message.walk() if part.get_content_disposition() != "attachment"]
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and (text := _decoded(part)).strip():
                return markup_text(text) if kind == "text/html" else text
    return ""


def _decoded(part: Message) -> str:
    """A part's text in the encoding that it names or, where that does not fit, looks like; "" for data."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        codec = encodings.detect_encoding(data, _codec(part.get_content_charset()))
    except BadInput:
        return ""
    return encodings.normalize_newlines(encodings.decode(data, codec)[0])
