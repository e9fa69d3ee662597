"""What neural encoders have made of batches, kept on disk until a run is through: a run that is interrupted and begun
again, with the same files in the same order, goes on where it was.

    <index>/encoded/<hash>.npz    arrays of one batch, NumPy's format; the hash is that of encoders, texts and languages

It is kept through the commits of a run too: begun again, the run reads its files from their start.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.core import SparseVectors, TokenVectors, Windows
from xsearch.engine.encoder import Encoded, Encoders
from xsearch.storage import Files, remove_folder
from xsearch.storage.files import durable_write

FOLDER = "encoded"
KINDS: dict[str, type[Any]] = {"windows": Windows, "weights": SparseVectors, "token_vectors": TokenVectors}


class EncodedBatches:
    """The batches of one index's runs. root: the index's folder. Any file that is damaged counts as missing."""

    def __init__(self, root: Path, files: Files) -> None:
        self.folder, self._files = root / FOLDER, files

    def encode(self, encoders: Encoders, texts: list[str], langs: list[str]) -> Encoded:
        """What the neural ones of `encoders` make of a batch, from the disk where it is there."""
        neural = encoders.neural()
        path = self.folder / f"{_key(neural, texts, langs)}.npz"
        found = _read(path)
        if found is None:
            found = neural.encode(texts, langs)
            self._files.make_folder(self.folder)
            durable_write(self._files, path, _packed(found))
        return found

    def clear(self) -> None:
        """Forget all of it."""
        if self.folder.is_dir():
            remove_folder(self._files, self.folder)


def _key(encoders: Encoders, texts: list[str], langs: list[str]) -> str:
    marks = {name: encoder.card.fingerprint for name, encoder in encoders.by_retriever().items()}
    return hashlib.blake2b(msgspec.json.encode([marks, texts, langs]), digest_size=20).hexdigest()


def _packed(encoded: Encoded) -> bytes:
    arrays = {
        f"{field}.{name}": getattr(part, name)
        for field in KINDS
        if (part := getattr(encoded, field)) is not None
        for name in part.__dataclass_fields__
    }
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _read(path: Path) -> Encoded | None:
    try:
        # Opened here: NumPy leaves a file open that turns out to be no zip.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            fields: dict[str, dict[str, Any]] = {}
            for name in arrays.files:
                field, _, part = name.partition(".")
                fields.setdefault(field, {})[part] = arrays[name]
            return Encoded(**{field: KINDS[field](**parts) for field, parts in fields.items()})
    except Exception:
        # A zip cut short or garbled raises anything; what is not there is made again.
        return None
