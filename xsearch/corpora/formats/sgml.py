"""TREC and CLEF SGML: documents between ``<DOC>`` and ``</DOC>``, many to a file, in the tags of many sources."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Literal

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora.formats.records import Record, read_records
from xsearch.corpora.opened import OpenSource
from xsearch.corpora.source import mebibytes

Role = Literal["docno", "docid", "title", "text", "metadata", "ignored"]

ROLES: dict[str, Role] = {
    "docno": "docno",
    "docid": "docid",
    **dict.fromkeys(("title", "headline", "head", "hl", "ti"), "title"),
    **dict.fromkeys(("text", "body", "lead", "ld", "tx", "kw", "le", "te", "os", "subject", "summary"), "text"),
    **dict.fromkeys(("date", "source", "author", "byline", "section", "url", "lang", "language"), "metadata"),
    **dict.fromkeys(("doc", "bodyy"), "ignored"),
}
"""What the tags mean. Sources: TREC disks 4-5 (docno, headline, text), LA Times (docno; its docid is a running number),
Glasgow Herald (docid, headline, text), Spiegel (docid, title, lead, text), SDA (docid, ti, ld, tx, kw), NRC Handelsblad
and Algemeen Dagblad (bodyy with ti, le, te, os), Izvestia (docid, title, text, subject). A tag that is not listed, such
as ``<P>``, belongs to the element around it."""

_BOUNDARY = re.compile(r"(?=<doc[\s>])|(?<=</doc>)", re.I)
_OPENS = re.compile(r"<doc[\s>]", re.I)
_ID_ATTRIBUTE = re.compile(r"""<doc\s[^<>]*?\bid\s*=\s*["']([^"'<>]+)""", re.I)
_CLOSES = re.compile(r"</doc>", re.I)
_TAG = re.compile(r"<(/?)([a-z][\w.-]*)[^<>]*>|<!--.*?-->", re.I | re.S)
_ENTITIES = str.maketrans({"\xa0": " "})
_TREC_ENTITIES = re.compile(r"&(hyph|blank);")
_BLANK_LINES = re.compile(r"[ \t]*\n(?:[ \t]*\n)+")


def read_sgml(file: OpenSource) -> Iterator[Document]:
    """Documents of an SGML file, streamed.

    The id is ``<DOCNO>``, or else ``<DOCID>``, or else ``<DOC id=…>``. What lies in the tags that `ROLES` calls text
    is the text, in the file's order, or all that is outside the other known tags where there is none. An element
    without an end and one beyond `max_document_bytes` are bad records, and the next ``<DOC>`` is read. Raises
    `BadInput` if there is no ``<DOC>``.
    """
    return read_records(file, _records(file))


def _records(file: OpenSource) -> Iterator[tuple[int, Record]]:
    found = False
    for line, element in _elements(file):
        found = True
        if element is not None:
            yield line, parse_element(element)
    if not found:
        raise BadInput("there is no <DOC> element in it")


def _elements(file: OpenSource) -> Iterator[tuple[int, str | None]]:
    """The text of every <DOC> element and the line it begins in; None in place of one that was reported."""
    parts: list[str] | None = None
    begin = size = 0
    for number, text_line in file.text_lines():
        for piece in _BOUNDARY.split(text_line) if "<" in text_line else (text_line,):
            if _OPENS.match(piece):
                if parts is not None:
                    file.bad("a <DOC> that begins here has no </DOC>", begin)
                    yield begin, None
                parts, begin, size = [], number, 0
            if parts is None:
                continue
            size += len(piece)
            if size > file.options.max_document_bytes:
                limit = mebibytes(file.options.max_document_bytes)
                file.bad(f"the <DOC> is larger than {limit} (max_document_bytes)", begin)
                parts = None
                yield begin, None
                continue
            parts.append(piece)
            if _CLOSES.search(piece):
                yield begin, "".join(parts)
                parts = None
    if parts is not None:
        file.bad("a <DOC> that begins here has no </DOC>", begin)
        yield begin, None


def parse_element(element: str) -> Record:
    """The fields of one <DOC> element: id, title, text and metadata."""
    gathered: dict[str, list[str]] = {}
    loose: list[str] = []
    open_tags: list[tuple[str, str]] = [("", "")]
    position = 0
    for tag in _TAG.finditer(element):
        _gather(gathered, loose, open_tags[-1][1], element[position : tag.start()])
        position = tag.end()
        if tag[2] is None:
            continue
        name = tag[2].lower()
        if not tag[1]:
            open_tags.append((name, _field(name, open_tags[-1][1])))
        elif any(name == opened for opened, _ in open_tags):
            while open_tags.pop()[0] != name:
                pass
        _gather(gathered, loose, open_tags[-1][1], "\n")
    _gather(gathered, loose, open_tags[-1][1], element[position:])
    record = _record(gathered, loose)
    if record["id"] is None and (attribute := _ID_ATTRIBUTE.match(element)):
        record["id"] = html.unescape(attribute[1]).strip()
    return record


def _field(name: str, around: str) -> str:
    """Where the text of an element goes, by its tag and where the text around it goes; "" is nowhere in particular."""
    role = ROLES.get(name)
    if role == "ignored":
        return ""
    if role is None or (around and around != "text"):
        return around
    return name if role == "metadata" else role


def _gather(gathered: dict[str, list[str]], loose: list[str], field: str, text: str) -> None:
    (gathered.setdefault(field, []) if field else loose).append(text)


def _record(gathered: dict[str, list[str]], loose: list[str]) -> Record:
    fields = {name: _readable("".join(parts)) for name, parts in gathered.items()}
    docno, docid = fields.pop("docno", ""), fields.pop("docid", "")
    record: Record = {"id": docno or docid or None}
    if docno and docid:
        record["docid"] = docid
    text = fields.pop("text", None)
    record["text"] = _readable("".join(loose)) if text is None else text
    title = " ".join(fields.pop("title", "").split())
    if title:
        record["title"] = title
    lang = fields.pop("lang", None) or fields.pop("language", None)
    if lang:
        record["lang"] = lang
    record.update((name, " ".join(value.split())) for name, value in fields.items() if value)
    return record


def _readable(text: str) -> str:
    text = _TREC_ENTITIES.sub(lambda entity: "-" if entity[1] == "hyph" else " ", text)
    return _BLANK_LINES.sub("\n\n", html.unescape(text).translate(_ENTITIES)).strip()
