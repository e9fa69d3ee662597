"""The encoders of an index: loaded as its recipe names them, refused when they are others than those recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from xsearch import lang as languages
from xsearch.core import Bags, EncoderMismatch, MissingExtra, SparseVectors, TokenVectors, UsageError, Windows
from xsearch.encode import (
    AnyEncoder,
    Encoder,
    MultiVectorEncoder,
    PieceEncoder,
    Runtime,
    SparseEncoder,
    has_pieces,
    load_encoder,
    load_multivector,
    load_sparse,
)
from xsearch.engine.parts import FORMS, PIECES, TOKEN_VECTORS, VECTORS, WEIGHTS
from xsearch.engine.recipe import Recipe, languages_asked, parse_stored, recipe_parts
from xsearch.engine.tables import find_tables
from xsearch.storage import Manifest

if TYPE_CHECKING:
    from xsearch.engine.expected import ExpectedCounts

NEURAL_RETRIEVERS = frozenset({"sparse", "colbert"})
"""Retrievers whose encoders are always neural."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What encoders make of a batch of passages, None what no part of the index is made of."""

    windows: Windows | None = None
    pieces: Bags | None = None
    forms: list[str] | None = None
    weights: SparseVectors | None = None
    token_vectors: TokenVectors | None = None
    expected: SparseVectors | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Encoders:
    """vectors: makes the windows of the dense retriever. pieces: cuts texts into the pieces of one vocabulary, the
    same encoder where it can. weights, tokens: neural encoders of the kinds "sparse" and "multivector". None for what
    no part of the index is made of. forms: whether word forms are wanted. expected: translates passages as they are
    indexed."""

    vectors: Encoder | None = None
    pieces: PieceEncoder | None = None
    weights: SparseEncoder | None = None
    tokens: MultiVectorEncoder | None = None
    forms: bool = False
    expected: ExpectedCounts | None = None

    def encode(self, texts: list[str], langs: list[str]) -> Encoded:
        """What the parts of an index are made of; a text is cut into pieces once."""
        pieces = self.pieces.pieces(texts) if self.pieces else None
        if self.pieces is not None and pieces is not None and self.vectors is self.pieces:
            windows: Windows | None = self.pieces.windows(pieces)
        else:
            windows = self.vectors.encode_passages(texts, langs) if self.vectors else None
        return Encoded(
            windows,
            pieces,
            languages.joined_forms(texts, langs) if self.forms else None,
            self.weights.encode_passages(texts, langs) if self.weights else None,
            self.tokens.encode_passages(texts, langs) if self.tokens else None,
            self.expected.of(pieces, langs) if self.expected and pieces is not None else None,
        )

    def neural(self) -> Encoders:
        """Those that torch runs: one process drives a device."""
        vectors = None if self._has_static_vectors else self.vectors
        return replace(self, vectors=vectors, pieces=None, forms=False, expected=None)

    def static(self) -> Encoders:
        """The others."""
        return replace(self, vectors=self.vectors if self._has_static_vectors else None, weights=None, tokens=None)

    @property
    def _has_static_vectors(self) -> bool:
        return self.vectors is not None and has_pieces(self.vectors)

    def by_retriever(self) -> dict[str, AnyEncoder]:
        """Retriever → its encoder, of those that have one."""
        all_of_them = {"dense": self.vectors, "sparse": self.weights, "colbert": self.tokens}
        return {name: encoder for name, encoder in all_of_them.items() if encoder is not None}


class LazyEncoders:
    """Encoders that are loaded when they are first asked for, once, whichever threads ask."""

    def __init__(self, load: Callable[[], Encoders]) -> None:
        self._load, self._lock = load, threading.Lock()
        self._found: Encoders | None = None

    def __call__(self) -> Encoders:
        """The encoders. Raises what loading them raises, every time."""
        with self._lock:
            if self._found is None:
                self._found = self._load()
            return self._found

    @property
    def are_loaded(self) -> bool:
        """Whether they have been asked for."""
        return self._found is not None


def load_encoders(recipe: Recipe, runtime: Runtime | None = None) -> Encoders:
    """The encoders a recipe needs. Where none it names has pieces, those of the encoder that ships are indexed.
    Raises what `load_encoder` raises, `UsageError` for a retriever that has no encoder unless one is named."""
    parts = set(recipe_parts(recipe))
    vectors = load_encoder(recipe.encoder_of("dense"), runtime, recipe.dense.dim) if parts & VECTORS else None
    weights = load_sparse(_named(recipe, "sparse"), runtime) if parts & WEIGHTS else None
    tokens = load_multivector(_named(recipe, "colbert"), runtime) if parts & TOKEN_VECTORS else None
    pieces = _piece_encoder(recipe, vectors) if parts & PIECES else None
    expected = _expected(recipe, pieces) if pieces and "expected" in parts else None
    return Encoders(vectors, pieces, weights, tokens, parts >= FORMS, expected)


def _expected(recipe: Recipe, pieces: PieceEncoder) -> ExpectedCounts:
    from xsearch.engine.expected import ExpectedCounts

    tables = find_tables(recipe.tables, pieces)
    if tables is None:
        raise UsageError(
            f"recipe '{recipe.name}' translates passages, and there are no translation tables for the pieces of "
            f"encoder {pieces.card.name}: install xsearch again, or name some in the recipe"
        )
    return ExpectedCounts(tables, languages_asked(recipe))


def _named(recipe: Recipe, retriever: str) -> str:
    name = recipe.encoder_of(retriever)
    if name is None:
        raise UsageError(
            f"recipe '{recipe.name}' needs an encoder for '{retriever}': name one with --encoder NAME|PATH"
        )
    return name


def _piece_encoder(recipe: Recipe, vectors: Encoder | None) -> PieceEncoder:
    taken = recipe.encoder is not None and set(recipe.retrievers) & NEURAL_RETRIEVERS
    named = vectors or load_encoder(None if taken else recipe.encoder)
    encoder = named if has_pieces(named) else load_encoder()
    if not has_pieces(encoder):
        raise EncoderMismatch(f"encoder {encoder.card.name} has no pieces: no retriever that reads pieces can be used")
    return encoder


def index_encoders(manifest: Manifest, root: Path, runtime: Runtime | None = None) -> Encoders:
    """The encoders an index was built with. Raises `EncoderMismatch` when one of that name has changed, `MissingExtra`
    when one is not there."""
    recorded = manifest.encoder or {}
    recipe = parse_stored(manifest.recipe)
    check_place(recorded, root)
    encoders = load_encoders(recipe, vouched(recorded, runtime))
    first = _first(encoders)
    _check(recorded, first, root)
    if encoders.pieces is not first:
        _check(recorded.get("pieces"), encoders.pieces, root)
    for name, encoder in encoders.by_retriever().items():
        if encoder is not first:
            _check(recorded.get(name), encoder, root)
    made_by = recorded.get("tables")
    if encoders.expected and made_by != encoders.expected.fingerprint:
        raise EncoderMismatch(
            f"{root} was built with translation tables {made_by}; those here are {encoders.expected.fingerprint}: "
            f"rebuild with `xsearch compact -i {root}`"
        )
    return encoders


def vouched(recorded: Mapping[str, Any], runtime: Runtime | None) -> Runtime:
    """`runtime`, trusting, where it names no checkpoint itself, the one that the user vouched for when the index was
    made: `recorded` keeps the hash of its files."""
    runtime = runtime or Runtime()
    return runtime if runtime.trust else replace(runtime, trust=recorded.get("trusted"))


def static_encoders(manifest: Manifest, root: Path) -> Encoders:
    """Those of `index_encoders` that need neither torch nor a device, for processes that help to prepare."""
    if not is_neural(manifest):
        return index_encoders(manifest, root)
    recipe = parse_stored(manifest.recipe)
    dense = "kind" in (manifest.encoder or {})
    # Where the encoder of vectors is neural, pieces are those of the encoder that ships; where it is not, the neural
    # ones' vectors are all that is made elsewhere.
    static = msgspec.structs.replace(
        recipe,
        retrievers=tuple(name for name in recipe.retrievers if name not in NEURAL_RETRIEVERS),
        encoder=None if dense else recipe.encoder,
    )
    found = load_encoders(static)
    return replace(found, vectors=None) if dense else found


def familiarity(encoder: AnyEncoder, lang: str) -> float:
    """How well an encoder knows a language, 0 to 1; one that it does not know, as well as its macrolanguage."""
    return float(encoder.supports(lang) or encoder.supports(languages.macrolanguage(lang)))


def is_neural(manifest: Manifest) -> bool:
    """Whether torch runs an encoder of an index."""
    retrievers = parse_stored(manifest.recipe).retrievers
    return "kind" in (manifest.encoder or {}) or bool(set(retrievers) & NEURAL_RETRIEVERS)


def _first(encoders: Encoders) -> AnyEncoder | None:
    return next(iter(encoders.by_retriever().values()), encoders.pieces)


def check_place(recorded: Mapping[str, Any], root: Path) -> None:
    """Raise `MissingExtra` when the model that an index was built with is gone."""
    path = recorded.get("path")
    if path and not Path(path).exists():
        model, revision = recorded.get("model") or recorded.get("name"), recorded.get("revision")
        at = f" at revision {revision}" if revision else ""
        raise MissingExtra(f"{root} was built with the model {model}{at}, which is no longer at {path}: put it there")


def _check(recorded: dict[str, Any] | None, encoder: AnyEncoder | None, root: Path) -> None:
    recorded = recorded or {}
    if encoder is not None and recorded.get("fingerprint") != encoder.card.fingerprint:
        raise EncoderMismatch(
            f"{root} was built with encoder {recorded.get('name')} ({recorded.get('fingerprint')}); "
            f"the one here is {encoder.card.fingerprint}: rebuild with `xsearch compact -i {root}`"
        )


def encoder_record(encoders: Encoders) -> dict[str, Any] | None:
    """What the manifest keeps of the encoders: the first one's record, and within it those of the others, by what they
    are for."""
    first = _first(encoders)
    if first is None:
        return None
    record = _record(first)
    if encoders.pieces and encoders.pieces is not first:
        record["pieces"] = _record(encoders.pieces)
    for name, encoder in encoders.by_retriever().items():
        if encoder is not first:
            record[name] = _record(encoder)
    if encoders.expected:
        record["tables"] = encoders.expected.fingerprint
    return record


def _record(encoder: AnyEncoder) -> dict[str, Any]:
    card = encoder.card
    record: dict[str, Any] = {"name": card.name, "fingerprint": card.fingerprint}
    if card.kind != "static":
        known = {"kind": card.kind, "path": card.files, "model": card.model, "revision": card.revision}
        record |= {key: value for key, value in known.items() if value}
        if card.trusted:
            record["trusted"] = card.trusted
    return record


def encoder_name(given: str | Path) -> str:
    """How a recipe keeps an encoder: by name, or, where it is a file or folder, by a path that holds anywhere."""
    path = Path(given)
    return str(path.resolve()) if path.exists() else str(given)
