"""Bottleneck adapters and the invertible coupling at the embeddings, as functions of their tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xsearch.core import BadInput
from xsearch.encode.neural.modules.card import AdapterSettings

Tensors = Mapping[str, Any]
Part = Callable[[Any, Any], Any]
"""(h, x) → h, both (tokens, hidden): the block's output before its residual x is added."""
ACTIVATIONS = ("relu", "gelu", "silu", "tanh")


def bottleneck(tensors: Tensors, settings: AdapterSettings, norm: Any, torch: Any) -> Part:
    """What one adapter does behind a block of the base.

    With the block's output h, its residual input x and its layer normalisation N (the block returns N(h + x)):

        h ← h + s · (U a(D n + d) + u),   n = N(h + x) with `norm_before` (Pfeiffer et al. 2020), else h
        (Houlsby et al. 2019)

    so that adapters stack: each takes the h of the one below. tensors: ``down.weight`` (bottleneck, hidden),
    ``down.bias``, ``up.weight`` (hidden, bottleneck), ``up.bias``.
    """
    functional = torch.nn.functional
    activate = activation(settings.activation, torch)
    down, down_bias = tensors["down.weight"], tensors["down.bias"]
    up, up_bias = tensors["up.weight"], tensors["up.bias"]

    def part(hidden: Any, residual: Any) -> Any:
        read = norm(hidden + residual) if settings.norm_before else hidden
        made = functional.linear(activate(functional.linear(read, down, down_bias)), up, up_bias)
        return hidden + (made if settings.scaling == 1 else settings.scaling * made)

    return part


def coupling(tensors: Tensors, settings: AdapterSettings, torch: Any, inverse: bool = False) -> Callable[[Any], Any]:
    """The invertible adapter at the embeddings (Pfeiffer et al. 2020, MAD-X, section 3.3; NICE, Dinh et al. 2015).

    With the halves e = [e1, e2] of an embedding (tokens, hidden):  o1 = e1 + F(e2), o2 = e2 + G(o1);  inverse:
    e2 = o2 − G(o1), e1 = o1 − F(e2). F and G are a linear layer, an activation, a linear layer: ``F.0.weight`` …
    ``G.2.bias``. The inverse stands before the output embeddings when words are predicted.
    """
    functional = torch.nn.functional
    activate = activation(settings.activation, torch)

    def net(name: str, values: Any) -> Any:
        inner = functional.linear(values, tensors[f"{name}.0.weight"], tensors[f"{name}.0.bias"])
        return functional.linear(activate(inner), tensors[f"{name}.2.weight"], tensors[f"{name}.2.bias"])

    half = tensors["F.2.weight"].shape[0]

    def forward(embedded: Any) -> Any:
        first, second = embedded[..., :half], embedded[..., half:]
        first = first + net("F", second)
        return torch.cat([first, second + net("G", first)], -1)

    def backward(made: Any) -> Any:
        first, second = made[..., :half], made[..., half:]
        second = second - net("G", first)
        return torch.cat([first - net("F", second), second], -1)

    return backward if inverse else forward


def activation(name: str, torch: Any) -> Callable[[Any], Any]:
    """torch's function of that name. Raises `BadInput` for one that no adapter here has."""
    if name not in ACTIVATIONS:
        raise BadInput(f"adapters with the activation '{name}' are not read: only {', '.join(ACTIVATIONS)}")
    found: Callable[[Any], Any] = torch.tanh if name == "tanh" else getattr(torch.nn.functional, name)
    return found


def inside(tensors: Tensors, place: str) -> dict[str, Any]:
    """The tensors of one place, without its name; {} where a module has none there."""
    start = f"{place}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
