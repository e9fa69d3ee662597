"""CLEF and TREC topics: markup that is sometimes XML, sometimes SGML with tags left open, read the same way."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator

from xsearch.core import Topic
from xsearch.corpora.formats.lines import Faults

_TOPIC = re.compile(r"<(top|topic)\b([^>]*)>(.*?)(?=</\1\s*>|<\1\b|\Z)", re.S | re.I)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_FIELD = re.compile(r"<(?:([a-z]{1,3})-)?(num|identifier|id|title|query|desc|description|narr|narrative)\b[^>]*>", re.I)
_TAG = re.compile(r"</?[a-z][^>]*>", re.I)
_LABEL = re.compile(r"^\s*(?:number|topic|description|narrative)\s*:", re.I)
_ENCODING = re.compile(rb"<\?xml[^>]*encoding=[\"']([\w.-]+)[\"']")

_PARTS = {
    "num": "id", "identifier": "id", "id": "id", "title": "title", "query": "title", "desc": "desc",
    "description": "desc", "narr": "narr", "narrative": "narr",
}  # fmt: skip


_CLEF_2000 = {"d": "de", "e": "en", "f": "fr", "i": "it", "n": "nl", "sp": "es"}
"""What the tags of CLEF's first year say (``<E-title>``). Its Swedish "SW" is Swahili elsewhere: it is Swedish where
Swedish is asked for."""


def markup_topics(
    lines: list[tuple[int, bytes]], field: str, faults: Faults, lang: str | None = None
) -> Iterator[tuple[int, Topic]]:
    """(line, topic) of ``<top>`` and ``<topic>`` elements, one for each language they are worded in.

    `field` is "title", "desc" or "title+desc". A field's text goes to its end tag or, where tags are left open as in
    TREC's, to the next field; labels such as "Number:" and "Description:" are dropped. The language is the tag's
    (``<DE-title>``) or the element's ``lang``; `lang` is the one asked for. `faults` is told of elements without an id
    or without the field.
    """
    text, starts, numbers = _decoded(lines)
    codes = _CLEF_2000 | ({"sw": "sv"} if lang == "sv" else {})
    found = False
    for element in _TOPIC.finditer(text):
        found = True
        line = numbers[bisect_right(starts, element.start()) - 1]
        attributes = {key.lower(): a or b or c for key, a, b, c in _ATTRIBUTE.findall(element[2])}
        fields = _fields(element[3], attributes.get("lang") or attributes.get("xml:lang"))
        name = fields.get((None, "id")) or attributes.get("number") or attributes.get("id") or ""
        worded = [spoken for spoken, part in fields if part == field.split("+")[0]]
        if not name or not worded:
            faults.add(line, "a topic without " + (f"a <{field}>" if name else "a number (<num> or <identifier>)"))
        for spoken in worded:
            parts = [fields.get((spoken, part), "") for part in field.split("+")]
            yield line, Topic(name, " ".join(part for part in parts if part), codes.get(spoken or "", spoken))
    if not found:
        faults.add(lines[0][0], "markup without <top> or <topic> elements")


def _decoded(lines: list[tuple[int, bytes]]) -> tuple[str, list[int], list[int]]:
    """The text of all lines, where each begins in it, and its number. CLEF's older files are ISO-8859-1."""
    declared = _ENCODING.search(lines[0][1])
    for encoding in ([declared[1].decode()] if declared else []) + ["utf-8", "iso-8859-1"]:
        try:
            decoded = [line.decode(encoding) for _, line in lines]
            break
        except (UnicodeDecodeError, LookupError):
            continue
    starts, at = [], 0
    for line in decoded:
        starts.append(at)
        at += len(line) + 1
    return "\n".join(decoded), starts, [number for number, _ in lines]


def _fields(body: str, lang: str | None) -> dict[tuple[str | None, str], str]:
    """Text by (language, part); the id stands under no language."""
    found: dict[tuple[str | None, str], str] = {}
    tags = list(_FIELD.finditer(body))
    for i, tag in enumerate(tags):
        raw = body[tag.end() : tags[i + 1].start() if i + 1 < len(tags) else len(body)]
        raw = re.split(rf"</(?:\w+-)?{tag[2]}\s*>", raw, maxsplit=1, flags=re.I)[0]
        clean = " ".join(html.unescape(_TAG.sub(" ", _LABEL.sub("", raw, count=1))).split())
        part = _PARTS[tag[2].lower()]
        spoken = None if part == "id" else (tag[1].lower() if tag[1] else lang)
        found.setdefault((spoken, part), clean)
    return found
