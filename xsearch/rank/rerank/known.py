"""The rerankers that can be loaded, by name or by path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from xsearch.core import BadInput, UsageError
from xsearch.core.data import data_path
from xsearch.core.registry import resolve
from xsearch.encode import Runtime
from xsearch.encode.card import card_files, kind_of
from xsearch.encode.known import is_copy
from xsearch.encode.neural.checkpoint import Checkpoint, locate
from xsearch.encode.neural.describe import offers
from xsearch.rank.rerank.card import RerankerCard, known_rerankers, read_reranker_card, reranker_card
from xsearch.rank.rerank.opened import CLASSIFIER, DECODER, SEQ2SEQ, Task
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
        if cards or (not (path / "config.json").is_file() and not (path / "modules.json").is_file()):
            raise UsageError(f"{path}: holds {len(cards)} cards (*.toml) where one is expected: name the card itself")
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
    """The card of a model without one beside it: that which ships for a model of its name, else what its files say."""
    for card in known_rerankers():
        if card.model and is_copy(given, card.model):
            return msgspec.structs.replace(card, model=str(given))
    checkpoint = locate(given, trusted=runtime.trust is not None)
    name, model = Path(given).name, str(checkpoint.folder)
    if _has_class(checkpoint, CLASSIFIER):
        return RerankerCard(name, "reranker-cross", model=model)
    if _has_class(checkpoint, DECODER) or _has_class(checkpoint, SEQ2SEQ):
        raise UsageError(
            f"{given}: how a language model is asked, and how it answers, its files do not say: write a card (.toml) "
            "of kind reranker-t5, reranker-decoder or reranker-listwise with model and settings, and name that"
        )
    if "multivector" in offers(checkpoint):
        return RerankerCard(name, "reranker-late", model=model)
    raise BadInput(f"{given} is no reranker: it neither scores pairs nor makes vectors of tokens")


def _has_class(checkpoint: Checkpoint, task: Task) -> bool:
    return any(name.endswith(task.ending) for name in checkpoint.architectures)
