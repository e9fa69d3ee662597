"""The rerankers that can be loaded, by name or by path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from xsearch.core import UsageError
from xsearch.core.data import data_path
from xsearch.core.registry import resolve
from xsearch.encode import Runtime
from xsearch.rank.rerank.card import RerankerCard, read_reranker_card, reranker_card
from xsearch.rank.rerank.protocol import Reranker

KINDS: Mapping[str, str] = {
    "reranker-modular": "xsearch.rank.rerank.modular:modular_reranker",
}
"""Kind of a card → the place of its factory. Others come from the entry points ``xsearch.rerankers``."""


class Factory(Protocol):
    """Makes the reranker that a card describes."""

    def __call__(self, card: RerankerCard, folder: Path, runtime: Runtime) -> Reranker:
        """folder: where the card lies; paths in it are relative to that."""


def load_reranker(name_or_path: str | Path, runtime: Runtime | None = None) -> Reranker:
    """The reranker of a name in `encoders/`, of a card file (``.toml``) or of a folder that holds one card.

    runtime: how a neural one is run. Raises `UsageError` for a name or a kind nobody knows, `BadInput` for a card or a
    model that cannot be read, `MissingExtra` where a model or torch is not there.
    """
    card, folder = _described(name_or_path)
    make: Factory = resolve("reranker", card.kind, KINDS)
    return make(card, folder, runtime or Runtime())


def _described(given: str | Path) -> tuple[RerankerCard, Path]:
    """The card that a name or a path leads to, and the folder it lies in."""
    path = Path(given)
    if path.is_dir():
        cards = sorted(path.glob("*.toml"))
        if len(cards) != 1:
            raise UsageError(f"{path}: holds {len(cards)} cards (*.toml) where one is expected: name the card itself")
        path = cards[0]
    if path.suffix == ".toml" and path.is_file():
        return read_reranker_card(path), path.parent
    return reranker_card(str(given)), data_path("encoders")
