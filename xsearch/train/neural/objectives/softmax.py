"""In-batch softmax: a query's passage before those of the other queries and before mined negatives."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy


def in_batch_softmax(scores: Any, rivals: Any, temperature: float, both: bool = False) -> Any:
    """The mean over queries i of −log exp(s_ii / τ) / Σ_j exp(s_ij / τ), j over the rivals of i (Karpukhin et al. 2020,
    "Dense passage retrieval for open-domain question answering", equation 2; Oord et al. 2018, equation 4).

    scores: (n, p), p ≥ n; passage i answers query i, columns from n on are mined negatives. rivals: bool (n, p), False
    where a passage answers another query's question too; True at (i, i). temperature: τ. both: half of it the other
    way round, −log exp(s_ii / τ) / Σ_k exp(s_ki / τ) over queries k (Yang et al. 2019, equation 5).
    """
    n = scores.shape[0]
    logits = (scores / temperature).masked_fill(~rivals, float("-inf"))
    right = torch.arange(n, device=scores.device)
    loss = cross_entropy(logits, right)
    if both:
        loss = 0.5 * (loss + cross_entropy(logits[:, :n].T, right))
    return loss
