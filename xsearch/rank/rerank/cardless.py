"""Which reranker a model is that has no card beside it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from xsearch.core import BadInput, UsageError
from xsearch.encode import Runtime
from xsearch.encode.known import is_copy
from xsearch.encode.neural.checkpoint import Checkpoint, locate
from xsearch.encode.neural.describe import offers
from xsearch.rank.rerank.card import RerankerCard, known_rerankers
from xsearch.rank.rerank.opened import CLASSIFIER, DECODER, SEQ2SEQ, Task


def card_of_model(given: str | Path, runtime: Runtime) -> RerankerCard:
    """The card that ships for a model of its name, else what its files say. Raises `UsageError` for a language model,
    `BadInput` for what is no reranker, `MissingExtra` where it is not there."""
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
