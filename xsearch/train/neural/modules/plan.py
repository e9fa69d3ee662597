"""What a module, or a whole cross-encoder, is trained with; recipes of it as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from xsearch.core import UsageError
from xsearch.encode.neural.modules.card import KINDS

LEARNING_RATES = {"adapter": (1e-4, 2e-5), "sft": (5e-5, 2e-5), "lora": (1e-4, 1e-4), "ia3": (1e-3, 1e-3)}
"""Of a language module and of a ranking module. Adapters and masks: Litschko et al. 2022; the others: peft's habits."""
REDUCTIONS = (2.0, 16.0)
ENTRIES = (7_387_776, 451_872)
STEPS = {"language": 250_000, "ranking": 625_000, "sft language": 100_000, "sft ranking": 187_500}
"""Litschko et al. 2022, of MS MARCO and Wikipedia: with data of one's own fewer do."""


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to train. A number that is 0 stands for the published one, which `published` fills in.

    kind: of the module, "" for a whole cross-encoder. lang: the module's language, or that of the pairs. steps: of the
    fit, full_steps: of the first, dense fit of a sparse module. batch: texts or queries a step. negatives: passages
    beside the positive that a query is shown with. length: tokens of a text or a pair, no more than the base reads.
    reduction, attention, invertible: of adapters (`AdapterSettings`). rank: of LoRA. entries: how many weights a sparse
    module changes, at most a tenth of those it may. l1: weight of the distance from the base in its first fit (Ansell
    et al. 2022). average: the mean of the last so many of ten moments.
    """

    kind: str = ""
    lang: str = ""
    name: str = ""
    steps: int = 0
    full_steps: int = 0
    batch: int = 32
    negatives: int = 4
    length: int = 256
    learning_rate: float = 0.0
    warmup: float = 0.1
    reduction: float = 0.0
    attention: bool = False
    invertible: bool = True
    rank: int = 8
    entries: int = 0
    l1: float = 0.1
    average: int = 0
    evaluate_every: int = 0
    seed: int = 1
    licence: str = ""

    def published(self, role: str) -> Plan:
        """With the published numbers where none is given. role: "language" or "ranking". Raises `UsageError` for an
        unknown kind."""
        if self.kind and self.kind not in KINDS:
            raise UsageError(f"unknown kind of module '{self.kind}': known are {', '.join(KINDS)}")
        place = 0 if role == "language" else 1
        rates: Mapping[str, tuple[float, float]] = LEARNING_RATES | {"": (2e-5, 2e-5)}
        wanted: dict[str, Any] = {
            "steps": STEPS[role],
            "full_steps": STEPS[f"sft {role}"],
            "learning_rate": rates[self.kind][place],
            "reduction": REDUCTIONS[place],
            "entries": ENTRIES[place],
        }
        missing = {name: value for name, value in wanted.items() if not getattr(self, name)}
        if role == "ranking":
            missing["invertible"] = False
        return msgspec.structs.replace(self, **missing)


class RerankerRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A training of a reranker as a file (`read_recipe`). base: the checkpoint to begin from. setting: whose module
    reads a pair (`ModularRanker`). paper: whose recipe it is."""

    name: str = ""
    plan: Plan = Plan()
    base: str = ""
    setting: str = "document"
    description: str = ""
    paper: str = ""
