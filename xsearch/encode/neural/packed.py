"""Checkpoints with weights of 8 bits: a quarter of the size on disk, the usual network in memory.

Every matrix of `model.safetensors` is kept in `packed.safetensors` as `NAME.int8`, int8 (rows, columns), and
`NAME.scale`, float16 (rows,): row r is scale[r] * int8[r], with the largest of its numbers at ±127. Vectors are kept as
float16.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode.neural.fingerprint import folders

WHOLE, PACKED = "model.safetensors", "packed.safetensors"
LEVELS = 127


def pack(folder: Path) -> None:
    """Replace the weights in a checkpoint's folder, and in those of its modules, by their 8-bit form."""
    library = need("safetensors.numpy", "neural", "packing weights")
    for place in folders(folder):
        if not (place / WHOLE).is_file():
            continue
        packed: dict[str, Any] = {}
        for name, weight in library.load_file(place / WHOLE).items():
            if weight.ndim != 2 or weight.dtype.kind != "f":
                packed[name] = weight.astype(np.float16) if weight.dtype.kind == "f" else weight
                continue
            scale = np.abs(weight).max(axis=1) / LEVELS
            # Rounded up, so that the largest number does not leave int8's range.
            scale = np.nextafter(scale.astype(np.float16), np.float16(np.inf))
            packed[f"{name}.int8"] = np.rint(weight / scale.astype(np.float32)[:, None]).astype(np.int8)
            packed[f"{name}.scale"] = scale
        library.save_file(packed, place / PACKED, {"format": "pt"})
        (place / WHOLE).unlink()


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """A folder with the checkpoint's whole weights while the context lasts: `folder` itself where they are whole."""
    places = [place for place in folders(folder) if (place / PACKED).is_file()]
    if not places:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="xsearch-") as scratch:
        for path in sorted(folder.rglob("*")):
            target = Path(scratch) / path.relative_to(folder)
            if path.is_dir():
                target.mkdir(parents=True)
            elif path.name != PACKED:
                target.symlink_to(path.resolve())
        for place in places:
            _unpack(place / PACKED, Path(scratch) / place.relative_to(folder) / WHOLE)
        yield Path(scratch)


def _unpack(packed: Path, whole: Path) -> None:
    library = need("safetensors.numpy", "neural", "a neural encoder")
    try:
        found = library.load_file(packed)
        weights = {}
        for name, weight in found.items():
            if name.endswith(".int8"):
                scale = found[name.removesuffix(".int8") + ".scale"].astype(np.float32)
                weights[name.removesuffix(".int8")] = weight.astype(np.float32) * scale[:, None]
            elif not name.endswith(".scale"):
                weights[name] = weight.astype(np.float32) if weight.dtype.kind == "f" else weight
    except Exception as error:
        # safetensors raises an error of its own for damaged files.
        raise BadInput(f"not weights of 8 bits: {error}", str(packed)) from error
    library.save_file(weights, whole, {"format": "pt"})
