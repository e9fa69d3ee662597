"""Streams of the bytes in a file, unpacked on the way and stopped when they unpack to more than they may; and text
packed as its file's name says."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, Protocol, TextIO, cast

from xsearch.core.errors import BadInput
from xsearch.corpora.source import ReadOptions, mebibytes

BUFFER = 1 << 20
RATIO_FROM = 64 << 20
"""Bytes that must have come out before the ratio is looked at: short repetitive files compress well without malice."""

ZSTD_CHUNK = 1024
"""Compressed bytes fed to zstd at once. Its blocks unpack to at most 128 KiB and take at least 4 bytes (RFC 8878,
3.1.1.2), so one chunk yields at most 32 MiB."""


class _Unpacked(Protocol):
    def readinto1(self, buffer: memoryview, /) -> int: ...


class _ZstdFrames:
    """The content of all frames of a zstd file. zstandard's own reader takes a truncated file for a whole one."""

    def __init__(self, packed: BinaryIO) -> None:
        import zstandard

        self._packed = packed
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._started = False
        self._pending = memoryview(b"")

    def readinto1(self, buffer: memoryview, /) -> int:
        while not self._pending:
            chunk = self._packed.read(ZSTD_CHUNK)
            if not chunk:
                if self._started:
                    raise EOFError("the file ends within a frame")
                return 0
            self._pending = memoryview(self._feed(chunk))
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def _feed(self, chunk: bytes) -> bytes:
        parts = []
        while chunk:
            parts.append(self._frame.decompress(chunk))
            self._started = not self._frame.eof
            chunk = b""
            if self._frame.eof:
                chunk = self._frame.unused_data
                self._frame = self._new()
        return b"".join(parts)


def _gzip(packed: BinaryIO) -> _Unpacked:
    return gzip.GzipFile(fileobj=packed, mode="rb")


def _xz(packed: BinaryIO) -> _Unpacked:
    return lzma.LZMAFile(packed)


COMPRESSIONS: dict[str, tuple[str, Callable[[BinaryIO], _Unpacked]]] = {
    ".gz": ("gzip", _gzip),
    ".xz": ("xz", _xz),
    ".zst": ("zstd", _ZstdFrames),
}


def split_compression(name: str) -> tuple[str, str | None]:
    """A file's name without the suffix of its compression, and that suffix: ("a.csv", ".gz"), ("a.csv", None)."""
    suffix = PurePath(name).suffix.lower()
    if suffix in COMPRESSIONS:
        return name[: -len(suffix)], suffix
    return name, None


class _Stream(io.RawIOBase):
    """Fills every buffer to the end, counts, and turns what decompressors and the system raise into `BadInput`.

    An error waits until the bytes before it were handed out, so that the records ahead of a damage are read.
    """

    def __init__(
        self, inner: _Unpacked, packed: BinaryIO | None, kind: str, options: ReadOptions, owned: BinaryIO | None
    ) -> None:
        self._inner = inner
        self._packed = packed
        self._owned = owned
        self._kind = kind
        self._options = options
        self._count = 0
        self._error: BadInput | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        if self._error is not None:
            raise self._error
        view = memoryview(buffer)
        filled = 0
        try:
            while filled < len(view):
                # One read at a time: `readinto` of gzip and lzma loses what it has when the next read fails.
                got = self._inner.readinto1(view[filled:])
                if not got:
                    break
                filled += got
                self._count += got
                self._check()
        except BadInput as error:
            self._error = error
        except Exception as error:
            # zstandard's ZstdError is not imported unless such a file is met; anything it raises means bad data.
            self._error = self._located(error)
        if self._error is not None and not filled:
            raise self._error
        return filled

    def _located(self, error: Exception) -> BadInput:
        if self._packed is not None and not (isinstance(error, OSError) and error.errno):
            return BadInput(f"damaged {self._kind} data: {error}")
        reason = error.strerror if isinstance(error, OSError) else None
        return BadInput(f"cannot be read: {reason or error}")

    def _check(self) -> None:
        if self._packed is None:
            return
        if self._count > self._options.max_bytes:
            limit = mebibytes(self._options.max_bytes)
            raise BadInput(f"unpacks to more than {limit} (max_bytes): the rest is not read")
        if self._count > RATIO_FROM and self._count > self._options.max_ratio * max(1, self._packed.tell()):
            raise BadInput(
                f"unpacks to more than {self._options.max_ratio} times its size (max_ratio), as a decompression bomb "
                "does: the rest is not read"
            )

    def close(self) -> None:
        if self._owned is not None:
            self._owned.close()
        super().close()


def open_stream(
    file: BinaryIO, suffix: str | None, options: ReadOptions, *, keep_open: bool = False
) -> io.BufferedReader:
    """A buffered stream of the file's content, unpacked if `suffix` (".gz", ".xz", ".zst") says so.

    Its `peek` shows the first MiB, or the whole of a smaller file. Reading raises `BadInput` (without a place) for
    damaged data and for a file that unpacks to more than the options allow. Closing it closes `file` unless
    `keep_open`.
    """
    owned = None if keep_open else file
    if suffix is None:
        stream = _Stream(cast(_Unpacked, file), None, "", options, owned)
    else:
        kind, unpack = COMPRESSIONS[suffix]
        stream = _Stream(unpack(file), file, kind, options, owned)
    return io.BufferedReader(stream, BUFFER)


@contextmanager
def text_writer(path: Path) -> Iterator[TextIO]:
    """A new UTF-8 file to write lines to, packed when its name ends in .gz, .xz or .zst. The same text gives the same
    bytes."""
    suffix = split_compression(path.name)[1]
    with ExitStack() as opened:
        packed: BinaryIO = opened.enter_context(path.open("wb"))
        if suffix == ".gz":
            # Neither the time nor the file's name stands in the header.
            packed = cast(BinaryIO, opened.enter_context(gzip.GzipFile("", "wb", fileobj=packed, mtime=0)))
        elif suffix == ".xz":
            packed = cast(BinaryIO, opened.enter_context(lzma.LZMAFile(packed, "wb")))
        elif suffix == ".zst":
            import zstandard

            packed = cast(BinaryIO, opened.enter_context(zstandard.ZstdCompressor().stream_writer(packed)))
        yield opened.enter_context(io.TextIOWrapper(packed, encoding="utf-8", newline="\n"))
