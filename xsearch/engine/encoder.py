"""The encoders of an index: loaded as its recipe names them, refused when they are others than those recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xsearch import lang as languages
from xsearch.core import Bags, EncoderMismatch, Windows
from xsearch.encode import Encoder, PieceEncoder, has_pieces, load_encoder
from xsearch.engine.parts import FORMS, PIECES, VECTORS, parts_of
from xsearch.engine.recipe import Recipe, parse_stored
from xsearch.storage import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What is made of a batch of passages beside terms, None what no part of the index is made of. forms: of each
    passage, as `PassageBatch` has them."""

    windows: Windows | None = None
    pieces: Bags | None = None
    forms: list[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Encoders:
    """vectors: makes the windows of the dense retriever. pieces: cuts texts into the pieces of one vocabulary, the
    same encoder where it can. None for what no part of the index is made of. forms: whether word forms are wanted."""

    vectors: Encoder | None = None
    pieces: PieceEncoder | None = None
    forms: bool = False

    def encode(self, texts: list[str], langs: list[str]) -> Encoded:
        """Windows, pieces and forms of passages; a text is cut into pieces once."""
        forms = [" ".join(languages.word_forms(text)) for text in texts] if self.forms else None
        pieces = self.pieces.pieces(texts) if self.pieces else None
        if self.pieces and pieces is not None and self.vectors is self.pieces:
            return Encoded(self.pieces.windows(pieces), pieces, forms)
        return Encoded(self.vectors.encode_passages(texts, langs) if self.vectors else None, pieces, forms)


def load_encoders(recipe: Recipe) -> Encoders:
    """The encoders a recipe needs. Where the one it names has no pieces, those of the encoder that ships are indexed.
    Raises what `load_encoder` raises."""
    parts = set(parts_of(recipe.retrievers))
    if not parts & (VECTORS | PIECES):
        return Encoders(forms=parts >= FORMS)
    named = load_encoder(recipe.encoder)
    return Encoders(
        named if parts & VECTORS else None, _with_pieces(named) if parts & PIECES else None, forms=parts >= FORMS
    )


def _with_pieces(named: Encoder) -> PieceEncoder:
    encoder = named if has_pieces(named) else load_encoder()
    if not has_pieces(encoder):
        raise EncoderMismatch(f"encoder {encoder.card.name} has no pieces: no retriever that reads pieces can be used")
    return encoder


def index_encoders(manifest: Manifest, root: Path) -> Encoders:
    """The encoders an index was built with. Raises `EncoderMismatch` when one of that name has changed, and what
    `load_encoder` raises when it is not there."""
    encoders = load_encoders(parse_stored(manifest.recipe))
    _check(manifest.encoder, encoders.vectors or encoders.pieces, root)
    if encoders.vectors and encoders.pieces and encoders.pieces is not encoders.vectors:
        _check((manifest.encoder or {}).get("pieces"), encoders.pieces, root)
    return encoders


def _check(recorded: dict[str, Any] | None, encoder: Encoder | None, root: Path) -> None:
    recorded = recorded or {}
    if encoder is not None and recorded.get("fingerprint") != encoder.card.fingerprint:
        raise EncoderMismatch(
            f"{root} was built with encoder {recorded.get('name')} ({recorded.get('fingerprint')}); "
            f"the one here is {encoder.card.fingerprint}: rebuild with `xsearch compact -i {root}`"
        )


def encoder_record(encoders: Encoders) -> dict[str, Any] | None:
    """What the manifest keeps of the encoders."""
    first = encoders.vectors or encoders.pieces
    if first is None:
        return None
    record: dict[str, Any] = {"name": first.card.name, "fingerprint": first.card.fingerprint}
    if encoders.pieces and encoders.pieces is not first:
        record["pieces"] = {"name": encoders.pieces.card.name, "fingerprint": encoders.pieces.card.fingerprint}
    return record


def encoder_name(given: str | Path) -> str:
    """How a recipe keeps an encoder: by name, or, where it is a file or folder, by a path that holds anywhere."""
    path = Path(given)
    return str(path.resolve()) if path.exists() else str(given)
