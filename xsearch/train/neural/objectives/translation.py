"""Translation ranking: a text's translation before all other texts of the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy


def translation_ranking(left: Any, right: Any, groups: Any, temperature: float, margin: float = 0.0) -> Any:
    """−1/N Σ_i log exp((φ_ii − m) / τ) / (exp((φ_ii − m) / τ) + Σ_j≠i exp(φ_ij / τ)) with φ_ij = left_i · right_j, half
    of it in each direction (Li et al. 2023, "Dual-alignment pre-training for cross-lingual sentence embedding",
    equation 5; Feng et al. 2022, "LaBSE", equations 1-3 for the margin m).

    left, right: (n, dim). groups: int64 (n,); rows of equal number mean the same and are no negatives of each other.
    """
    n = len(left)
    same = torch.eye(n, dtype=torch.bool, device=left.device)
    logits = (left @ right.T - margin * same) / temperature
    logits = logits.masked_fill((groups[:, None] == groups[None, :]) & ~same, float("-inf"))
    right_place = torch.arange(n, device=left.device)
    return 0.5 * (cross_entropy(logits, right_place) + cross_entropy(logits.T, right_place))
