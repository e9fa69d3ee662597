"""The encoders that can be loaded, by name or by path."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

from xsearch.core import BadInput, UsageError
from xsearch.core.registry import resolve
from xsearch.encode.card import EncoderCard, card_files, kind_of, read_card
from xsearch.encode.neural import Runtime
from xsearch.encode.protocol import AnyEncoder, Encoder, MultiVectorEncoder, SparseEncoder
from xsearch.encode.static import StaticEncoder, load_static

DEFAULT = "xsearch-static-v2"
NEURAL = ("dense", "multivector", "sparse")
"""Kinds of cards whose encoders torch runs."""
ENCODERS = ("static", *NEURAL)
"""Kinds of cards that are encoders'; others lie beside them."""


def known_encoders() -> list[EncoderCard]:
    """The cards of all encoders that ship or are described, by name. Cards of other things (translation tables) lie
    beside them."""
    return [read_card(path) for path in card_files().values() if kind_of(path) in ENCODERS]


def card(name: str) -> EncoderCard:
    """The card of an encoder. Raises `UsageError` for a name nobody knows."""
    path = _card_file(name)
    return read_card(path) if path else _described(name) or _registered(name).card


def checkpoint_named(name: str) -> str:
    """The model's name on the hub where `name` is that of a neural encoder's card, else `name` as it is: what training
    may begin from."""
    path = card_files().get(name)
    return read_card(path).model or name if path is not None and kind_of(path) in NEURAL else name


def load_encoder(name_or_path: str | Path | None = None, runtime: Runtime | None = None, dim: int = 0) -> Encoder:
    """The encoder, of a vector a text, with a name, or of a card file (``.toml``), or of a folder that holds one card
    or a model in the form of transformers or sentence-transformers; None for the shipped default. A name that does not
    ship is looked up among the entry points ``xsearch.encoders``, whose objects are called without arguments; one with
    a slash is a model's on the hub.

    runtime: how a neural encoder is run. dim: what its vectors are cut to, 0 for all of it.

    Raises `UsageError` for a name nobody knows or an encoder of another kind, `BadInput` for a card or a model that
    cannot be read, `IndexDamaged` for files that cannot, `MissingExtra` where a model or torch is not there.
    """
    return cast("Encoder", _load(DEFAULT if name_or_path is None else name_or_path, "dense", runtime, dim))


def load_multivector(name_or_path: str | Path, runtime: Runtime | None = None) -> MultiVectorEncoder:
    """The encoder of a vector a token; as `load_encoder`."""
    return cast("MultiVectorEncoder", _load(name_or_path, "multivector", runtime))


def load_sparse(name_or_path: str | Path, runtime: Runtime | None = None) -> SparseEncoder:
    """The encoder of sparse weights; as `load_encoder`."""
    return cast("SparseEncoder", _load(name_or_path, "sparse", runtime))


def _load(given: str | Path, kind: str, runtime: Runtime | None, dim: int = 0) -> AnyEncoder:
    """The encoder of a kind: a checkpoint may offer several (BGE-M3 all three)."""
    path = _card_file(given)
    if path is not None:
        if kind_of(path).startswith("reranker-"):
            raise UsageError(f"{given} is no encoder but a reranker: use it with --rerank")
        found = read_card(path)
        shipped = path in card_files().values()
        encoder = _of_card(found, path, None if shipped else found, kind, runtime, dim)
    elif Path(given).is_dir() or "/" in str(given):
        encoder = _neural(given, kind, runtime, known=_described(given), dim=dim)
    elif described := _described(given):
        encoder = _neural(described.model, kind, runtime, known=described, dim=dim)
    else:
        encoder = _registered(str(given))
    offered = "dense" if encoder.card.kind == "static" else encoder.card.kind
    if offered != kind:
        raise UsageError(f"{given} makes {encoder.card.kind} vectors, not {kind}: choose another encoder or recipe")
    return encoder


def _of_card(
    found: EncoderCard, path: Path, own: EncoderCard | None, kind: str, runtime: Runtime | None, dim: int
) -> AnyEncoder:
    """The encoder a card describes. own: the card again if it is the user's."""
    if found.kind == "static":
        if not (found.files and found.vocabulary and found.window):
            raise BadInput("a static encoder's card needs files, vocabulary and window", str(path))
        # What ships does not change: its vocabulary, and what it remembers of words, is there once for all.
        return load_static(found, path.parent / found.files) if own else _shipped(path)
    if found.kind not in NEURAL:
        raise UsageError(f"{path}: encoders of kind '{found.kind}' are unknown: known are static, {', '.join(NEURAL)}")
    if not found.model:
        raise BadInput("a neural encoder's card needs model, its folder or its name on the hub", str(path))
    beside = path.parent / found.model
    model = beside if own and beside.is_dir() else found.model
    return _neural(model, kind, runtime, own=own, known=None if own else found, dim=dim)


def _neural(
    name: str | Path,
    kind: str,
    runtime: Runtime | None,
    own: EncoderCard | None = None,
    known: EncoderCard | None = None,
    dim: int = 0,
) -> AnyEncoder:
    from xsearch.encode.neural.load import load_neural

    return load_neural(name, kind, runtime, own, known, dim)


@cache
def _shipped(path: Path) -> StaticEncoder:
    card = read_card(path)
    return load_static(card, path.parent / card.files)


def _described(given: str | Path) -> EncoderCard | None:
    """The card that ships for a model."""
    return next((found for found in known_encoders() if found.model and is_copy(given, found.model)), None)


def is_copy(given: str | Path, model: str) -> bool:
    """Whether a name or a folder leads to a model: it is the model's name on the hub or its last part, which is what
    the folder of a copy is called, or lies in the hub's cache under that name."""
    path = Path(given)
    cached = {folder.name.removeprefix("models--").replace("--", "/") for folder in path.absolute().parents}
    return model in {str(given), path.name} | cached or model.rpartition("/")[2] == path.name


def _registered(name: str) -> AnyEncoder:
    described = (stem for stem, path in card_files().items() if kind_of(path) in ENCODERS)
    encoder: AnyEncoder = resolve("encoder", name, dict.fromkeys(described, ""))()
    return encoder


def card_folder(name_or_path: str | Path | None) -> Path | None:
    """Where the card of an encoder lies that does not ship; None for one that ships or has no card."""
    path = None if name_or_path is None else _card_file(name_or_path)
    return path.parent if path is not None and path not in card_files().values() else None


def _card_file(name: str | Path) -> Path | None:
    """Where a name, a file or a folder of one card leads; None for a model's folder and a name that does not ship.
    Raises `UsageError` for a file that is not there, and for a folder of several."""
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise UsageError(f"{path}: no such card")
        return path
    if path.is_dir():
        cards = sorted(path.glob("*.toml"))
        if not cards and ((path / "config.json").is_file() or (path / "modules.json").is_file()):
            return None
        if not cards:
            raise UsageError(f"{path} is no encoder: it holds neither a model (config.json) nor a card (*.toml)")
        if len(cards) > 1:
            raise UsageError(f"{path}: holds {len(cards)} cards (*.toml) where one is expected: name the card itself")
        return cards[0]
    return card_files().get(str(name))
