"""The encoders that can be loaded by name."""

from __future__ import annotations

from pathlib import Path

from xsearch.core import UsageError
from xsearch.core.registry import resolve
from xsearch.encode.card import EncoderCard, card_files, read_card
from xsearch.encode.protocol import Encoder
from xsearch.encode.static import load_static

DEFAULT = "xsearch-static-v1"
KINDS = {"static": load_static}
"""Kind of a card → what loads it, given the card and the folder of its files."""


def known_encoders() -> list[EncoderCard]:
    """The cards of all encoders that ship, by name."""
    return [read_card(path) for path in card_files().values()]


def card(name: str) -> EncoderCard:
    """The card of an encoder. Raises `UsageError` for a name nobody knows."""
    path = _card_file(name)
    return read_card(path) if path else _registered(name).card


def load_encoder(name_or_path: str | Path | None = None) -> Encoder:
    """The encoder with a name, or of a card file (``.toml``), or of a folder that holds one card; None for the
    shipped default. A name that does not ship is looked up among the entry points ``xsearch.encoders``, whose objects
    are called without arguments.

    Raises `UsageError` for a name nobody knows, `BadInput` for a card that cannot be read, `IndexDamaged` for files
    that cannot.
    """
    path = _card_file(DEFAULT if name_or_path is None else name_or_path)
    if path is None:
        return _registered(str(name_or_path))
    found = read_card(path)
    loader = KINDS.get(found.kind)
    if loader is None:
        raise UsageError(f"{path}: encoders of kind '{found.kind}' are unknown: known are {', '.join(KINDS)}")
    return loader(found, path.parent / found.files)


def _registered(name: str) -> Encoder:
    encoder: Encoder = resolve("encoder", name, dict.fromkeys(card_files(), ""))()
    return encoder


def _card_file(name: str | Path) -> Path | None:
    """Where a name, a file or a folder leads; None for a name that does not ship."""
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    if path.is_dir():
        cards = sorted(path.glob("*.toml"))
        if len(cards) != 1:
            raise UsageError(f"{path}: holds {len(cards)} cards (*.toml) where one is expected: name the card itself")
        return cards[0]
    return card_files().get(str(name))
