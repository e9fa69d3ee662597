"""What is read: a file as it was found, how it is to be read, and what is said of a record that cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xsearch.core.errors import BadInput, UsageError
from xsearch.corpora.encodings import codec_name

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was found.

    name: its path under the folder that was given, with forward slashes, or the file's own name; "-" for standard
    input. It is the id of a document that is a whole file. size: bytes on disk. mtime_ns: time of the last change,
    nanoseconds since 1970 UTC. root: the folder that was given, or the one the file lies in.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    root: Path


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record, or a whole file, that gives no document. `where` is ``name`` or ``name:line``."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read.

    strict: the first bad record raises `BadInput` and is not only reported. encoding: a codec's name that overrides
    detection (a byte order mark still wins). text_field: the field, or column, that is a record's text, whatever others
    it has. max_document_bytes: the largest document, and the longest line of a
    record file. max_array_bytes: the largest JSON array, which is held in memory whole (JSON lines are streamed).
    max_bytes: what a compressed file may unpack to. max_ratio: how many times its size it may unpack to, looked at
    once 64 MiB came out. Raises `UsageError` for an unknown encoding or a limit below 1.
    """

    strict: bool = False
    encoding: str | None = None
    text_field: str | None = None
    max_document_bytes: int = 64 << 20
    max_array_bytes: int = 1 << 30
    max_bytes: int = 64 << 30
    max_ratio: int = 1000

    def __post_init__(self) -> None:
        if self.encoding is not None:
            name = codec_name(self.encoding)
            if name is None:
                raise UsageError(f"unknown text encoding {self.encoding!r}")
            object.__setattr__(self, "encoding", name)
        for limit in ("max_document_bytes", "max_array_bytes", "max_bytes", "max_ratio"):
            if getattr(self, limit) < 1:
                raise UsageError(f"{limit} must be at least 1, not {getattr(self, limit)}")


OnBad = Callable[[BadRecord], None]
OnNote = Callable[[str], None]


def file_hash(source: Source) -> str:
    """BLAKE2b (256 bits, hex) of the file's bytes as they lie on disk, streamed. Raises `BadInput` if unreadable."""
    try:
        with source.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", where=source.name) from error


def mebibytes(size: int) -> str:
    """A size for a message: "64 MiB", or bytes when it is no whole number of MiB."""
    return f"{size >> 20} MiB" if size and size % (1 << 20) == 0 else f"{size} bytes"
