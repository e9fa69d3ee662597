"""The encoder of an index: loaded as its recipe names it, refused when it is another than the one recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xsearch.core import EncoderMismatch
from xsearch.encode import Encoder, load_encoder
from xsearch.engine.recipe import parse_stored
from xsearch.storage import Manifest


def index_encoder(manifest: Manifest, root: Path) -> Encoder:
    """The encoder an index was built with. Raises `EncoderMismatch` when the one of that name has changed, and what
    `load_encoder` raises when it is not there."""
    encoder = load_encoder(parse_stored(manifest.recipe).encoder)
    recorded = manifest.encoder or {}
    if recorded.get("fingerprint") != encoder.card.fingerprint:
        raise EncoderMismatch(
            f"{root} was built with encoder {recorded.get('name')} ({recorded.get('fingerprint')}); "
            f"the one here is {encoder.card.fingerprint}: rebuild with `xsearch compact -i {root}`"
        )
    return encoder


def encoder_record(encoder: Encoder | None) -> dict[str, Any] | None:
    """What the manifest keeps of an encoder."""
    return {"name": encoder.card.name, "fingerprint": encoder.card.fingerprint} if encoder else None


def encoder_name(given: str | Path) -> str:
    """How a recipe keeps an encoder: by name, or, where it is a file or folder, by a path that holds anywhere."""
    path = Path(given)
    return str(path.resolve()) if path.exists() else str(given)
