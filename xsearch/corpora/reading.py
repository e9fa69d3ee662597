"""Sources → Documents: every record that can be read, and a word on every one that cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora.compression import open_stream, split_compression
from xsearch.corpora.folders import scan
from xsearch.corpora.formats.choice import format_by_content, format_by_name, reader
from xsearch.corpora.opened import OpenSource
from xsearch.corpora.source import STDIN, BadRecord, OnBad, OnNote, ReadOptions, Source

_log = logging.getLogger(__name__)

DEFAULTS = ReadOptions()


def log_bad(bad: BadRecord) -> None:
    """Log a bad record as a warning: what happens to reports that nobody asked for."""
    _log.warning("%s", bad)


def log_note(remark: str) -> None:
    """Log a remark."""
    _log.info("%s", remark)


def log_skip(path: Path, reason: str) -> None:
    """Log a file that was passed over."""
    _log.info("%s: skipped: %s", path, reason)


def read(
    source: Source, options: ReadOptions = DEFAULTS, on_bad: OnBad = log_bad, on_note: OnNote = log_note
) -> Iterator[Document]:
    """The documents of one source, streamed in the file's order.

    A file that is a document (txt, md, html, pdf, docx, epub, srt, eml) has `source.name` as its id; the records of
    other files have their own (`formats.records`). Metadata holds "path", "file" and "modified" (ISO 8601, UTC).
    `on_bad` is called for every record, and every file, that cannot be used; what else the file holds is read.
    `on_note` gets one-line remarks ("a.txt: read as windows-1251").

    Raises `BadInput` (with file and line) under ``options.strict`` for the first bad record, `MissingExtra` for a pdf
    or docx that the installed packages cannot read.
    """
    try:
        file = source.path.open("rb")
    except OSError as error:
        _refuse(source, options, on_bad, f"cannot be opened: {error.strerror or error}")
        return
    suffix = split_compression(source.path.name)[1]
    with open_stream(file, suffix, options) as stream:
        yield from _read(source, OpenSource(source, stream, options, on_bad, on_note), format_by_name(source.path.name))


def read_stdin(
    stream: BinaryIO, options: ReadOptions = DEFAULTS, on_bad: OnBad = log_bad, on_note: OnNote = log_note
) -> Iterator[Document]:
    """The documents on a stream: records if it begins with a brace (JSON lines) or with ``<DOC>``, otherwise one
    document with the id "-". The stream is left open. Reports and errors as `read`."""
    source = Source(Path(STDIN), STDIN, 0, 0, Path())
    with open_stream(stream, None, options, keep_open=True) as opened:
        yield from _read(source, OpenSource(source, opened, options, on_bad, on_note), None)


def read_path(
    path: Path | str, options: ReadOptions = DEFAULTS, on_bad: OnBad = log_bad, on_note: OnNote = log_note
) -> Iterator[Document]:
    """The documents of a file or of all files in a folder (see `scan` for which). Reports and errors as `read`."""
    for source in scan([path], log_skip):
        yield from read(source, options, on_bad, on_note)


def _read(source: Source, file: OpenSource, form: str | None) -> Iterator[Document]:
    try:
        yield from reader(form or format_by_content(file.head))(file)
    except BadInput as error:
        if error.where is not None:
            raise
        _refuse(source, file.options, file.report, str(error))


def _refuse(source: Source, options: ReadOptions, on_bad: OnBad, reason: str) -> None:
    if options.strict:
        raise BadInput(reason, where=source.name)
    on_bad(BadRecord(source.name, reason))
