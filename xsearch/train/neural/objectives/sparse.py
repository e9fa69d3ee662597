"""Learned sparse vectors: how much of each vocabulary entry a text is about, and the price of its entries."""

from __future__ import annotations

from typing import Any

import torch


def word_weights(logits: Any, mask: Any) -> Any:
    """w_j = max over tokens i of log(1 + ReLU(logits_ij)) (Formal et al. 2021, "SPLADE v2", equation 6).

    logits (n, t, vocabulary) of the masked-LM head, mask (n, t), nonzero for what counts. Returns (n, vocabulary).
    """
    activated = torch.log1p(torch.relu(logits.float()))
    return activated.masked_fill(~mask.bool().unsqueeze(-1), 0.0).amax(1)


def flops(weights: Any) -> Any:
    """Σ_j (1/N Σ_i w_ij)², which is about the number of products that scoring takes (Paria et al. 2020, "Minimizing
    FLOPs to learn efficient sparse representations", equation 3). weights (N, vocabulary) of at least 0."""
    return weights.mean(0).square().sum()
