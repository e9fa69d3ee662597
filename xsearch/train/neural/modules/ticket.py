"""Which weights a sparse module changes: lottery-ticket selection (Ansell et al. 2022, "Composable sparse fine-tuning
for cross-lingual transfer", after Frankle and Carbin 2019).

The base is fitted as a whole; the k weights that moved farthest are kept; everything goes back to where it was; then
those k alone are fitted. A module holds how far they moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from xsearch.encode.neural.modules.base import Base

MOST = 0.1
"""Share of the weights that may change."""


def candidates(base: Base) -> dict[str, Any]:
    """The parameters a sparse module may change, by name: the encoder's linear layers with their biases and the table
    of words. Layer normalisation stays, since it holds for all languages (Ansell et al. 2022)."""
    found: dict[str, Any] = {}
    for name, layer in base.body.named_modules():
        if name.startswith("encoder.") and isinstance(layer, torch.nn.Linear):
            found |= {f"{name}.{part}": value for part, value in layer.named_parameters(recurse=False)}
    table = base.body.get_input_embeddings()
    names = {id(layer): name for name, layer in base.body.named_modules()}
    return found | {f"{names[id(table)]}.weight": table.weight}


def untie(base: Base) -> None:
    """Give the head that predicts words a table of its own, which does not move with the one that is read."""
    decoder = base.model.get_output_embeddings()
    if decoder is not None and decoder.weight is base.body.get_input_embeddings().weight:
        decoder.weight = torch.nn.Parameter(decoder.weight.detach().clone(), requires_grad=False)


def distance(named: Mapping[str, Any], start: Mapping[str, Any]) -> Any:
    """The mean over all weights of |w − w₀|, what the first fit is held back by."""
    total = sum((named[name] - start[name]).abs().sum() for name in named)
    return total / sum(value.numel() for value in start.values())


def farthest(named: Mapping[str, Any], start: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The places of the `count` weights of all that moved farthest from `start`: name → int32, ascending places in the
    flat tensor. Names without any are left out."""
    moved = torch.cat([(named[name].detach() - start[name]).abs().flatten() for name in named])
    chosen = moved.topk(min(count, len(moved))).indices.sort().values
    found, begin = {}, 0
    for name, value in start.items():
        end = begin + value.numel()
        first, last = (int(torch.searchsorted(chosen, bound)) for bound in (begin, end))
        if last > first:
            found[name] = (chosen[first:last] - begin).to(torch.int32)
        begin = end
    return found
