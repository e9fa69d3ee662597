"""The parameters of a module while it is trained."""

from __future__ import annotations

from typing import Any

import torch

from xsearch.core.extras import need
from xsearch.encode.neural.modules.base import Base
from xsearch.encode.neural.modules.card import (
    HEAD,
    AdapterSettings,
    Ia3Settings,
    LoraSettings,
    Settings,
    SparseSettings,
)
from xsearch.encode.neural.modules.composition import EMBEDDINGS, blocks
from xsearch.train.neural.modules.plan import Plan

DEVIATION = 0.02
"""Of fresh weights, as BERT's."""


def settings_of(plan: Plan) -> Settings:
    """A card's settings."""
    if plan.kind == "adapter":
        return AdapterSettings(
            attention=plan.attention,
            norm_before=not plan.attention,
            reduction=plan.reduction,
            invertible=plan.invertible,
        )
    if plan.kind == "sft":
        return SparseSettings(plan.entries)
    return LoraSettings(plan.rank, 2.0 * plan.rank) if plan.kind == "lora" else Ia3Settings()


def fresh_head(base: Base, seed: int) -> dict[str, Any]:
    """The head of a ranking module: float32, by name."""
    return {
        HEAD[0]: torch.nn.Parameter(_normal((1, base.body.config.hidden_size), seed).to(base.device)),
        HEAD[1]: torch.nn.Parameter(torch.zeros(1, device=base.device)),
    }


def fresh_adapter(base: Base, settings: AdapterSettings, seed: int) -> dict[str, Any]:
    """Bottlenecks, and the coupling if there is to be one, that do nothing yet: what comes last in each is 0."""
    hidden = base.body.config.hidden_size
    inner = max(1, int(hidden / settings.reduction))
    sizes: dict[str, tuple[int, ...]] = {}
    for place in blocks(base.body):
        if settings.attention if ".attention." in place else settings.output:
            sizes |= _two_layers(f"{place}.down", f"{place}.up", hidden, inner, hidden)
    if settings.invertible:
        halves = hidden // 2, hidden - hidden // 2
        for net, (made, read) in (("F", halves), ("G", halves[::-1])):
            place = f"{EMBEDDINGS}.{net}"
            sizes |= _two_layers(f"{place}.0", f"{place}.2", read, max(1, read // 2), made)
    found = {}
    for number, (name, size) in enumerate(sizes.items()):
        first = name.endswith((".down.weight", ".0.weight"))
        tensor = _normal(size, seed * 10_000 + number) if first else torch.zeros(size)
        found[name] = torch.nn.Parameter(tensor.to(base.device))
    return found


def injected(base: Base, settings: LoraSettings | Ia3Settings, seed: int) -> tuple[dict[str, Any], Settings]:
    """LoRA's or IA3's parameters as peft puts them into the base, at the layers it knows for its architecture, by the
    names of the module's file; and the settings with these layers."""
    peft = need("peft", "neural", "training LoRA and IA3 modules")
    before = {id(parameter) for parameter in base.body.parameters()}
    if isinstance(settings, LoraSettings):
        config = peft.LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.05)
    else:
        config = peft.IA3Config()
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(config, base.body)
    found = {
        name.replace(".default", ""): parameter
        for name, parameter in base.body.named_parameters()
        if id(parameter) not in before
    }
    targets = tuple(sorted(config.target_modules))
    changed = LoraSettings(settings.rank, settings.alpha, targets) if isinstance(settings, LoraSettings) else None
    return found, changed or Ia3Settings(targets)


def _two_layers(first: str, second: str, read: int, inner: int, made: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{first}.weight": (inner, read),
        f"{first}.bias": (inner,),
        f"{second}.weight": (made, inner),
        f"{second}.bias": (made,),
    }


def _normal(size: tuple[int, ...], seed: int) -> Any:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * DEVIATION
