"""Which passages are alive: one bit each, one file per commit.

File ``live-NNNNNN.bits``, little-endian: a header of 32 bytes (magic ``XSLIVE\\0\\1``, int64 high-water mark, int64
passages alive, uint32 CRC-32 of what follows, 4 bytes zero), then ceil(high-water / 8) bytes; passage `p` is bit
``p % 8`` (least significant first) of byte ``p // 8``. Bits past the high-water mark are zero.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray, Mask
from xsearch.storage.files import Files, durable_write

MAGIC = b"XSLIVE\0\1"
_HEADER = struct.Struct("<8sqqI4x")


def live_name(commit: int) -> str:
    """The file's name as of a commit: ``live-000007.bits``."""
    return f"live-{commit:06d}.bits"


@dataclass(frozen=True, slots=True, eq=False)
class Liveness:
    """bits: uint8 (ceil(high_water / 8),), packed as in the file. high_water: passage numbers given so far.
    count: passages alive."""

    bits: NDArray[np.uint8]
    high_water: int
    count: int

    @staticmethod
    def empty() -> Liveness:
        """Of an index without passages."""
        return Liveness(np.zeros(0, np.uint8), 0, 0)

    @staticmethod
    def open(path: Path) -> Liveness:
        """Read `path`. Raises `IndexDamaged` when it is missing, cut short or altered."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise IndexDamaged(f"{path}: {error.strerror}: run `xsearch check`") from error
        if len(content) < _HEADER.size:
            raise IndexDamaged(f"{path} is cut short: run `xsearch check`")
        magic, high_water, count, checksum = _HEADER.unpack_from(content)
        bits = np.frombuffer(content, np.uint8, offset=_HEADER.size)
        intact = magic == MAGIC and len(bits) == (high_water + 7) // 8
        if not intact or zlib.crc32(bits.data) != checksum or int(np.bitwise_count(bits).sum()) != count:
            raise IndexDamaged(f"{path} was altered or cut short: run `xsearch check`")
        return Liveness(bits, high_water, count)

    @staticmethod
    def of(mask: Mask) -> Liveness:
        """From one bool a passage number."""
        return Liveness(np.packbits(mask, bitorder="little"), len(mask), int(np.count_nonzero(mask)))

    def changed(self, high_water: int, dead: IntArray) -> Liveness:
        """As of the next commit: the passages numbered from here up to `high_water` alive, those in `dead` (int64,
        any order, old or new) not."""
        mask = np.ones(high_water, np.bool_)
        mask[: self.high_water] = self.mask()
        mask[dead] = False
        return Liveness.of(mask)

    def mask(self) -> Mask:
        """bool (high_water,), a copy of its own."""
        return np.unpackbits(self.bits, count=self.high_water, bitorder="little").view(np.bool_)

    def write(self, files: Files, path: Path) -> None:
        """Write to `path`; durable when it returns."""
        bits = self.bits.tobytes()
        durable_write(files, path, [_HEADER.pack(MAGIC, self.high_water, self.count, zlib.crc32(bits)), bits])
