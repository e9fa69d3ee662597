"""Numbered lines of small text files (topics, qrels, runs), plain or compressed, with their faults collected.

Line ends are ``\\n`` and ``\\r\\n`` only: Unicode's other line separators may stand inside a topic or an id.
"""

from __future__ import annotations

import gzip
import io
import logging
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from xsearch.core import BadInput

_LOG = logging.getLogger(__name__)
_BOM = b"\xef\xbb\xbf"
_SHOWN = 20
"""Bad lines quoted in one message; the rest are counted."""

Note = Callable[[str], None]
"""Takes a one-line remark about a file."""


def note_to_log(message: str) -> None:
    """The default `Note`: a warning in the log."""
    _LOG.warning("%s", message)


def _open(path: Path) -> BinaryIO:
    """The file's bytes; the caller closes it."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(path))
    if suffix == ".xz":
        return cast(BinaryIO, lzma.LZMAFile(path))
    if suffix == ".zst":
        return io.BufferedReader(_ZstdFile(path))
    return path.open("rb")


class _ZstdFile(io.RawIOBase):
    """Decompressed bytes of all frames of a file. The package's own reader takes a cut-off file for a whole one; this
    one raises EOFError, as gzip and lzma do."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._frame: Any = None
        self._input = b""
        self._output = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not self._output:
            self._input = self._input or self._file.read(1 << 20)
            if not self._input and self._frame is None:
                return 0
            if not self._input:
                raise EOFError("the last frame is cut off")
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._output = self._frame.decompress(self._input)
            self._input = self._frame.unused_data if self._frame.eof else b""
            self._frame = None if self._frame.eof else self._frame
        size = min(len(buffer), len(self._output))
        buffer[:size], self._output = self._output[:size], self._output[size:]
        return size


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line without its end) of a file, decompressed by its suffix (.gz, .xz, .zst).

    Blank lines are left out and a byte order mark is dropped. Raises `BadInput` when the file cannot be opened or
    its compression is broken; what came before the break has been yielded by then.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, line in enumerate(stream, start=1):
                stripped = (line.removeprefix(_BOM) if number == 1 else line).rstrip(b"\r\n")
                if stripped.strip():
                    yield number, stripped
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except (EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
        raise BadInput(f"the compressed data is damaged after line {number}: {error}", where=str(path)) from error


class Faults:
    """Collects what is wrong with a file, so that all of it is reported at once.

    With `on_bad` each fault goes there and reading continues without the line; without it, `close` raises.
    """

    def __init__(self, path: Path, on_bad: Note | None = None) -> None:
        self._path = path
        self._on_bad = on_bad
        self._shown: list[tuple[int, str]] = []
        self._count = 0

    def add(self, line: int, reason: str) -> None:
        """Record that `line` cannot be used."""
        self._count += 1
        if self._on_bad is not None:
            self._on_bad(f"{self._path}:{line}: {reason}")
        elif len(self._shown) < _SHOWN:
            self._shown.append((line, reason))

    def close(self) -> None:
        """Raise `BadInput` that lists the faults, unless there are none or they were handed to `on_bad`."""
        if not self._shown:
            return
        first, reason = self._shown[0]
        message = reason
        if self._count > 1:
            rest = [f"  {self._path}:{line}: {text}" for line, text in self._shown[1:]]
            if self._count > len(self._shown):
                rest.append(f"  and {self._count - len(self._shown)} more")
            message = "\n".join([f"{reason} ({self._count} bad lines in all)", *rest])
        raise BadInput(message, where=f"{self._path}:{first}")
