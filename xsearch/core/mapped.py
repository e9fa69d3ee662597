"""Files as arrays of bytes, without reading them."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def mapped(path: Path) -> NDArray[np.uint8]:
    """A file's bytes, read-only: uint8 (n,). Raises `OSError` where there is no file, ValueError for an empty one.

    As a plain array: NumPy's class for mapped files takes ten times as long to open, of which an index has hundreds,
    and long to slice.
    """
    with path.open("rb", buffering=0) as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint8)
