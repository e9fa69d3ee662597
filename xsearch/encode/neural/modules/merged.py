"""Modules that are changes of the base's weights: sparse fine-tuning, LoRA, IA3. Each is one equation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from xsearch.encode.neural.modules.card import HEAD, LoraSettings, Module


class Change(Protocol):
    """What a module does to one layer. Nothing that is handed in is written to."""

    def fits(self, layer: Any) -> bool:
        """Whether the layer has the size the change was made for."""

    def apply(self, weight: Any, bias: Any) -> tuple[Any, Any]:
        """A linear layer's weight (out, in) and bias (out,) or None, changed."""


@dataclass(frozen=True, eq=False)
class Sparse:
    """w + Δ with Δ zero but at some places of the flat tensor (Ansell et al. 2022). parts: "weight" and "bias" → places
    (int32) and values."""

    parts: Mapping[str, tuple[Any, Any]]

    def fits(self, layer: Any) -> bool:
        """Whether no place lies behind the layer's end."""
        return all(
            getattr(layer, name, None) is not None and (not len(at) or int(at.max()) < getattr(layer, name).numel())
            for name, (at, _) in self.parts.items()
        )

    def apply(self, weight: Any, bias: Any) -> tuple[Any, Any]:
        """Both with what is added to them."""
        return self._added("weight", weight), bias if bias is None else self._added("bias", bias)

    def rows(self, numbers: Any, table: Any) -> Any:
        """Rows of a table of vectors with what is added to them. numbers: (n,) ascending, which rows; table: (n,
        width), what the base has there: a vocabulary is not copied for the few words of a batch."""
        import torch

        places, values = self.parts["weight"]
        width = table.shape[1]
        row, column = places.long() // width, places.long() % width
        at = torch.searchsorted(numbers, row).clamp(max=len(numbers) - 1)
        found = numbers[at] == row
        flat = (at * width + column)[found]
        return table.flatten().index_add(0, flat, values[found].to(table.dtype)).view_as(table)

    def _added(self, name: str, base: Any) -> Any:
        if name not in self.parts:
            return base
        places, values = self.parts[name]
        return base.flatten().index_add(0, places, values.to(base.dtype)).view_as(base)


@dataclass(frozen=True, eq=False)
class LowRank:
    """W + s B A with B (out, r), A (r, in), s = α / r (Hu et al. 2022)."""

    down: Any
    up: Any
    scale: float

    def fits(self, layer: Any) -> bool:
        """Whether B A has the weight's shape."""
        return tuple(layer.weight.shape) == (self.up.shape[0], self.down.shape[1])

    def apply(self, weight: Any, bias: Any) -> tuple[Any, Any]:
        """The weight with what is added to it, the bias as it is."""
        return weight + (self.scale * (self.up @ self.down)).to(weight.dtype), bias


@dataclass(frozen=True, eq=False)
class Scaled:
    """What a layer makes, or what it reads, times l (Liu et al. 2022): rows and bias for l of shape (out, 1), columns
    for l of shape (1, in)."""

    factors: Any

    def fits(self, layer: Any) -> bool:
        """Whether there is a factor for each row, or for each column."""
        return tuple(self.factors.shape) in ((layer.weight.shape[0], 1), (1, layer.weight.shape[1]))

    def apply(self, weight: Any, bias: Any) -> tuple[Any, Any]:
        """Weight and bias, scaled."""
        factors = self.factors.to(weight.dtype)
        of_rows = factors.shape[1] == 1
        return weight * factors, bias if bias is None or not of_rows else bias * factors[:, 0]


def changes(module: Module) -> dict[str, Change]:
    """Layer → what a module of the kind sft, lora or ia3 does to it."""
    tensors = {name: tensor for name, tensor in module.tensors.items() if name not in HEAD}
    settings = module.card.read_settings()
    if isinstance(settings, LoraSettings):
        layers = sorted({name.partition(".lora_")[0] for name in tensors})
        scale = settings.alpha / settings.rank
        return {
            layer: LowRank(tensors[f"{layer}.lora_A.weight"], tensors[f"{layer}.lora_B.weight"], scale)
            for layer in layers
        }
    if module.card.kind == "ia3":
        return {name.removesuffix(".ia3_l"): Scaled(tensor) for name, tensor in sorted(tensors.items())}
    found: dict[str, dict[str, tuple[Any, Any]]] = {}
    for name in sorted(tensors):
        parameter, _, what = name.rpartition(".")
        if what == "indices":
            layer, _, part = parameter.rpartition(".")
            found.setdefault(layer, {})[part] = tensors[name], tensors[f"{parameter}.values"]
    return {layer: Sparse(parts) for layer, parts in found.items()}
