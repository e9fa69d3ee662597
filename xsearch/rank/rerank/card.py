"""Cards of rerankers: TOML files in `encoders/`, beside those of encoders, whose kind begins with "reranker-"."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from xsearch.core import BadInput, UsageError
from xsearch.encode.card import SourceNote, card_files, kind_of

PREFIX = "reranker-"
LANGUAGES = "languages"
"""The folder of language modules beside the card of a reranker that is composed of modules."""
S = TypeVar("S")


class RerankerCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reranker, as its TOML file describes it.

    kind: "reranker-cross", "reranker-t5" … (`known.KINDS`), which says what `settings` may hold. model: a name on the
    hub or the path of a folder, relative to the card. revision: the commit it was seen at. max_length: tokens of query
    and passage that are read at once, 0 for what the model allows. mix: share of the reranker's score in the final one,
    the rest is the fused score (`order.reorder`). depth: documents that are reranked where nobody says how many.
    language_set, languages: as for encoders. fingerprint: of what shapes the scores. scores: measured figures by name.
    """

    name: str
    kind: str
    licence: str = ""
    description: str = ""
    model: str = ""
    revision: str = ""
    max_length: int = 0
    mix: float = 1.0
    depth: int = 100
    remote_code: bool = False
    language_set: str = ""
    fingerprint: str = ""
    settings: dict[str, Any] = {}
    languages: dict[str, float] = {}
    scores: dict[str, float] = {}
    recipe: str = ""
    sources: tuple[SourceNote, ...] = ()

    @property
    def is_neural(self) -> bool:
        """Whether it may need a device, so that one process alone should run it."""
        return self.kind != PREFIX + "small"

    def read_settings(self, type: type[S]) -> S:
        """`settings` as what a kind of rerankers takes. Raises `BadInput` for an unknown key or a wrong type."""
        try:
            return msgspec.convert(self.settings, type)
        except msgspec.ValidationError as error:
            raise BadInput(f"card of reranker '{self.name}', settings: {error}") from error


def read_reranker_card(path: Path) -> RerankerCard:
    """The card in a TOML file. Raises `BadInput` for unknown keys, wrong types and values out of range."""
    try:
        card = msgspec.toml.decode(path.read_bytes(), type=RerankerCard)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        kind = kind_of(path)
        if kind and not kind.startswith(PREFIX):
            raise BadInput(f"not the card of a reranker: its kind is '{kind}'", str(path)) from error
        raise BadInput(str(error), str(path)) from error
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", str(path)) from error
    if not card.kind.startswith(PREFIX):
        raise BadInput(f"not the card of a reranker: its kind is '{card.kind}'", str(path))
    if not 0 < card.mix <= 1 or card.depth < 1:
        raise BadInput("mix must be above 0 and at most 1, depth at least 1", str(path))
    return card


def known_rerankers() -> list[RerankerCard]:
    """The cards of all rerankers that ship or are described, by name."""
    return [read_reranker_card(path) for path in card_files().values() if kind_of(path).startswith(PREFIX)]


def reranker_card(name: str) -> RerankerCard:
    """The card of that name that ships. Raises `UsageError` for a name nobody knows."""
    path = card_files().get(name)
    if path is None or not kind_of(path).startswith(PREFIX):
        known = ", ".join(card.name for card in known_rerankers()) or "none"
        raise UsageError(f"unknown reranker '{name}': known are {known}; or give a card (.toml) or a model's folder")
    return read_reranker_card(path)
