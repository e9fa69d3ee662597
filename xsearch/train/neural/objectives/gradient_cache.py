"""Large batches in little memory: representations of all texts, activations of a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


def chunked(encode: Callable[[dict[str, Any]], Any], features: dict[str, Any], chunk: int) -> Any:
    """`encode(features)`, of `chunk` rows at a time, keeping no activations: when gradients by the representations are
    known, each chunk is encoded again and its gradients are added (Gao et al. 2021, "Scaling deep contrastive learning
    batch size under memory limited setup", equations 4-6: ∂L/∂Θ = Σ_chunks Σ_i ∂L/∂f(x_i) ∂f(x_i)/∂Θ). The gradients
    are those of the whole batch; dropout draws the same numbers again.

    features: tensors of n rows each. encode: gives a tensor of n rows or a tuple of such. chunk: 0 for all at once,
    with all activations.
    """
    rows = next(iter(features.values())).shape[0]
    if not chunk or rows <= chunk:
        return encode(features)
    parts = []
    for start in range(0, rows, chunk):
        some = {name: tensor[start : start + chunk] for name, tensor in features.items()}
        parts.append(checkpoint(encode, some, use_reentrant=False))
    if isinstance(parts[0], tuple):
        return tuple(torch.cat(columns) for columns in zip(*parts, strict=True))
    return torch.cat(parts)
