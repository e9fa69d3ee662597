"""A source while it is read: what a format's reader is handed, and where it reports."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora import encodings
from xsearch.corpora.compression import BUFFER
from xsearch.corpora.source import STDIN, BadRecord, OnBad, OnNote, ReadOptions, Source, mebibytes


class OpenSource:
    """One source, open.

    A reader reports a record that gives no document with `bad` and goes on; it raises `BadInput` without a place
    where the whole file is of no use. Under ``options.strict`` `bad` raises.
    """

    def __init__(
        self, source: Source, stream: io.BufferedReader, options: ReadOptions, on_bad: OnBad, on_note: OnNote
    ) -> None:
        self.name = source.name
        self.options = options
        self.stream = stream
        self.metadata = file_metadata(source)
        self.report = on_bad
        self.bad_records = 0
        self._on_note = on_note
        self._noted: set[str] = set()

    def bad(self, reason: str, line: int | None = None) -> None:
        """Report a record that cannot be used. Raises `BadInput` if reading is strict."""
        where = self.name if line is None else f"{self.name}:{line}"
        self.bad_records += 1
        if self.options.strict:
            raise BadInput(reason, where=where)
        self.report(BadRecord(where, reason))

    def note(self, remark: str, line: int | None = None) -> None:
        """Remark on something that was put right; each remark once a file, at the first place."""
        if remark not in self._noted:
            self._noted.add(remark)
            self._on_note(f"{self.name}: {remark}" if line is None else f"{self.name}:{line}: {remark}")

    @cached_property
    def encoding(self) -> str:
        """The codec of a file that is read line by line, from its first MiB. Raises `BadInput` for binary data."""
        head = self.stream.peek(BUFFER)
        if not head:
            raise BadInput("the file is empty")
        return self._encoding_of(head, complete=len(head) < BUFFER)

    @cached_property
    def head(self) -> str:
        """The first MiB as text, without a byte order mark; nothing is taken from the stream."""
        return encodings.decode(self.stream.peek(BUFFER), self.encoding)[0]

    def read_bytes(self, limit: int | None = None) -> bytes:
        """The whole content. Raises `BadInput` if there is none or more than `limit` (`max_document_bytes`)."""
        most = limit or self.options.max_document_bytes
        data = self.stream.read(most + 1)
        if not data:
            raise BadInput("the file is empty")
        if len(data) > most:
            option = "max_array_bytes" if limit else "max_document_bytes"
            raise BadInput(f"larger than {mebibytes(most)}, the limit for one document ({option})")
        return data

    def read_text(self, limit: int | None = None) -> str:
        """The whole content as clean text (see `clean`)."""
        data = self.read_bytes(limit)
        return self.clean(self._decode(data, self._encoding_of(data, complete=True)))

    def read_utf8(self, limit: int) -> bytes:
        """The whole content in UTF-8 without a byte order mark, up to `limit` bytes (`max_array_bytes`). What is
        already UTF-8 is not decoded: bad bytes may be left in it."""
        data = self.read_bytes(limit)
        codec = self._encoding_of(data[:BUFFER], complete=len(data) <= BUFFER)
        if codec == encodings.UTF8:
            return data.removeprefix(codecs.BOM_UTF8)
        return self._decode(data, codec).encode()

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Numbered lines in UTF-8 with their ends, streamed. A line beyond `max_document_bytes` is a bad record."""
        most = self.options.max_document_bytes
        codec = self.encoding
        if codec == encodings.UTF8:
            yield from self._byte_lines(most)
            return
        text = io.TextIOWrapper(self.stream, codec, errors="replace", newline="\n")
        try:
            yield from self._text_lines(text, codec, most)
        finally:
            # A wrapper that is not detached closes the stream under it when it goes.
            text.detach()

    def _text_lines(self, text: io.TextIOWrapper, codec: str, most: int) -> Iterator[tuple[int, bytes]]:
        number = 0
        while line := text.readline(most + 1):
            number += 1
            if len(line) > most:
                while not line.endswith("\n") and (line := text.readline(BUFFER)):
                    pass
                self._bad_length(number)
                continue
            if "�" in line:
                self._note_replaced(codec, number)
            yield number, (line.removeprefix("\ufeff") if number == 1 else line).encode()

    def _byte_lines(self, most: int) -> Iterator[tuple[int, bytes]]:
        if self.stream.peek(3).startswith(b"\xef\xbb\xbf"):
            self.stream.read(3)
        readline = self.stream.readline
        number = 0
        while line := readline(most + 1):
            number += 1
            if len(line) > most:
                while not line.endswith(b"\n") and (line := readline(BUFFER)):
                    pass
                self._bad_length(number)
                continue
            yield number, line

    def text_lines(self) -> Iterator[tuple[int, str]]:
        """As `lines`, decoded: bad bytes are U+FFFD and noted."""
        for number, line in self.lines():
            yield number, self.decode_line(line, number)

    def decode_line(self, line: bytes, number: int) -> str:
        """A line of UTF-8 as text; bad bytes are U+FFFD and noted."""
        try:
            return line.decode()
        except UnicodeDecodeError:
            self._note_replaced(encodings.UTF8, number)
            return line.decode(errors="replace")

    def clean(self, text: str, line: int | None = None) -> str:
        """The text with line ends as ``\\n`` and without NUL, which C programs take for the end; that is noted."""
        if "\0" in text:
            self.note("NUL characters were dropped", line)
            text = text.replace("\0", "")
        return encodings.normalize_newlines(text)

    def document(
        self,
        text: str,
        title: str | None = None,
        lang: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> Document:
        """The document that this file is. Raises `BadInput` if there is neither text nor title in it."""
        text = encodings.well_formed(text)
        title = " ".join(encodings.well_formed(title).split()) if title else None
        if not title and not text.strip():
            raise BadInput("there is no text in it")
        return Document(self.name, text, title or None, lang or None, {**(metadata or {}), **self.metadata})

    def _decode(self, data: bytes, codec: str) -> str:
        text, bad_line = encodings.decode(data, codec)
        if bad_line is not None:
            self._note_replaced(codec, bad_line)
        return text

    def _encoding_of(self, data: bytes, complete: bool) -> str:
        codec = self.options.encoding
        marked = any(data.startswith(mark) for mark, _ in encodings.BOMS)
        if codec is None or marked:
            codec = encodings.detect_encoding(data, encodings.declared_encoding(data), complete)
        if codec != encodings.UTF8:
            self.note(f"read as {encodings.encoding_name(codec)}")
        return codec

    def _note_replaced(self, codec: str, line: int) -> None:
        self.note(f"not valid {encodings.encoding_name(codec)}: bad bytes were replaced by U+FFFD", line)

    def _bad_length(self, line: int) -> None:
        self.bad(f"longer than {mebibytes(self.options.max_document_bytes)} (max_document_bytes)", line)


def file_metadata(source: Source) -> dict[str, str]:
    """What every document knows of its file: "path" (under the root), "file" (its name), "modified" (ISO 8601, UTC,
    to the second). Standard input has a path only."""
    if source.name == STDIN:
        return {"path": STDIN}
    metadata = {"path": source.name, "file": source.name.rsplit("/", 1)[-1]}
    try:
        moment = datetime.fromtimestamp(source.mtime_ns // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        # File systems hold times that calendars do not.
        return metadata
    return {**metadata, "modified": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}
