"""Which reader reads a file: by its suffix, or else by how it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import cast

from xsearch.core.document import Document
from xsearch.core.extras import have, install_line
from xsearch.core.registry import resolve
from xsearch.corpora.compression import split_compression
from xsearch.corpora.opened import OpenSource

Reader = Callable[[OpenSource], Iterator[Document]]

_HERE = "xsearch.corpora.formats"

FORMATS = {
    "txt": f"{_HERE}.plain:read_plain",
    "md": f"{_HERE}.markdown:read_markdown",
    "html": f"{_HERE}.html:read_html",
    "json": f"{_HERE}.json_records:read_json",
    "jsonl": f"{_HERE}.json_records:read_json_lines",
    "csv": f"{_HERE}.delimited:read_csv",
    "tsv": f"{_HERE}.delimited:read_tsv",
    "sgml": f"{_HERE}.sgml:read_sgml",
    "pdf": f"{_HERE}.pdf:read_pdf",
    "docx": f"{_HERE}.docx:read_docx",
    "epub": f"{_HERE}.epub:read_epub",
    "srt": f"{_HERE}.subtitles:read_subtitles",
    "eml": f"{_HERE}.mail:read_message",
    "mbox": f"{_HERE}.mail:read_mailbox",
}

SUFFIXES = {
    **{f".{name}": name for name in FORMATS},
    ".text": "txt",
    ".markdown": "md",
    ".htm": "html",
    ".xhtml": "html",
    ".ndjson": "jsonl",
    ".tab": "tsv",
    ".sgm": "sgml",
    ".trec": "sgml",
    ".xml": "sgml",
    ".vtt": "srt",
}

EXTRAS = {"pdf": "pypdf", "docx": "docx"}
"""Formats whose package comes with the `ingest` extra."""


def format_by_name(name: str) -> str | None:
    """The format a file's name tells, its compression aside: "jsonl" for "a.jsonl.zst"; None if it tells none."""
    return SUFFIXES.get(PurePath(split_compression(name)[0]).suffix.lower())


def format_by_content(head: str) -> str:
    """The format of a text whose name tells none: TREC files often have no suffix."""
    beginning = head.lstrip()
    if beginning[:4].lower() == "<doc" and beginning[4:5] in (">", " ", "\t", "\n"):
        return "sgml"
    if beginning.startswith("{"):
        return "jsonl"
    if beginning[:14].lower() == "<!doctype html" or beginning[:5].lower() == "<html":
        return "html"
    return "txt"


def missing_extra(name: str) -> str | None:
    """Why a file of this name cannot be read on this installation, with the line that changes it."""
    package = EXTRAS.get(format_by_name(name) or "")
    if package is None or have(package):
        return None
    return f"needs the package '{package}': {install_line('ingest')}"


def reader(name: str) -> Reader:
    """The reader of a format. Raises `UsageError` for an unknown one."""
    return cast(Reader, resolve("format", name, FORMATS))
