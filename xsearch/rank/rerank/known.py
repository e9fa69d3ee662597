"""The rerankers that can be loaded, by name or by path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from xsearch.core import UsageError
from xsearch.core.data import data_path
from xsearch.core.registry import resolve
from xsearch.encode import Runtime
from xsearch.encode.card import card_files, kind_of
from xsearch.rank.rerank.card import LANGUAGES, RerankerCard, read_reranker_card, reranker_card
from xsearch.rank.rerank.protocol import Reranker

KINDS: Mapping[str, str] = {
    "reranker-cross": "xsearch.rank.rerank.cross:load",
    "reranker-t5": "xsearch.rank.rerank.t5:load",
    "reranker-decoder": "xsearch.rank.rerank.decoder:load",
    "reranker-listwise": "xsearch.rank.rerank.listwise:load",
    "reranker-late": "xsearch.rank.rerank.late:load",
    "reranker-small": "xsearch.rank.rerank.small:small_reranker",
    "reranker-modular": "xsearch.rank.rerank.modular:modular_reranker",
}
"""Kind of a card → the place of its factory. Others come from the entry points ``xsearch.rerankers``."""


ALIASES: Mapping[str, str] = {"small": "xsearch-rerank-small"}
"""Short name → that of the card."""


class Factory(Protocol):
    """Makes the reranker that a card describes."""

    def __call__(self, card: RerankerCard, folder: Path, runtime: Runtime) -> Reranker:
        """folder: where the card lies; paths in it are relative to that."""


def load_reranker(name_or_path: str | Path, runtime: Runtime | None = None) -> Reranker:
    """The reranker of a name in `encoders/` (a multi-vector encoder has one too), of a card file (``.toml``), of a
    folder that holds one card or a model in the form of transformers or sentence-transformers, or of a name on the hub
    (it has a slash).

    runtime: how a neural one is run. Raises `UsageError` for a name or a kind nobody knows, `BadInput` for a card or a
    model that cannot be read or is no reranker, `MissingExtra` where a model or torch is not there.
    """
    runtime = runtime or Runtime()
    card, folder = _described(name_or_path, runtime)
    make: Factory = resolve("reranker", card.kind, KINDS)
    return make(card, folder, runtime)


def _described(given: str | Path, runtime: Runtime) -> tuple[RerankerCard, Path]:
    """The card that a name or a path leads to, and the folder it lies in."""
    path = Path(given)
    if path.suffix == ".toml" and path.is_file():
        return read_reranker_card(path), path.parent
    if path.is_dir():
        cards = sorted(path.glob("*.toml"))
        if len(cards) == 1:
            return read_reranker_card(cards[0]), path
        if cards:
            raise UsageError(f"{path}: holds {len(cards)} cards (*.toml) where one is expected: name the card itself")
        if (path / LANGUAGES).is_dir():
            raise UsageError(
                f"{path}: holds modules of languages and none for ranking: `xsearch train reranker --pairs FILE --out "
                f"{path}` with the same --base and --module makes it"
            )
        if not (path / "config.json").is_file() and not (path / "modules.json").is_file():
            raise UsageError(f"{path} is no reranker: it holds neither a model (config.json) nor a card (*.toml)")
        return _of_model(path, runtime), Path()
    if path.exists():
        raise UsageError(f"{path} is neither a card (.toml) nor a folder")
    if "/" in str(given):
        return _of_model(given, runtime), Path()
    folder = data_path("encoders")
    name = ALIASES.get(str(given), str(given))
    shipped = card_files().get(name)
    if shipped is not None and kind_of(shipped) == "multivector":
        return RerankerCard(name, "reranker-late", model=name), folder
    return reranker_card(name), folder


def _of_model(given: str | Path, runtime: Runtime) -> RerankerCard:
    # What knows checkpoints takes long to import, and most rerankers have a card.
    from xsearch.rank.rerank.cardless import card_of_model

    return card_of_model(given, runtime)
