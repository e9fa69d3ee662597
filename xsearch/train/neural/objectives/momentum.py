"""Contrast with a queue: negatives of many batches, encoded by a slowly moving copy."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize


def contrast_with_queue(queries: Any, keys: Any, queue: Any, temperature: float) -> Any:
    """−1/N Σ_i log exp(q_i · k_i / τ) / (exp(q_i · k_i / τ) + Σ_u∈queue exp(q_i · u / τ)) (Chi et al. 2021, "InfoXLM",
    equation 7, XLCO: the cross-lingual contrast of a text with its translation; He et al. 2020, "MoCo", equation 1).

    queries, keys: (n, dim); queue: (length, dim), keys of earlier batches.
    """
    positive = (queries * keys).sum(1, keepdim=True)
    logits = torch.cat([positive, queries @ queue.T], dim=1) / temperature
    return cross_entropy(logits, torch.zeros(len(queries), dtype=torch.long, device=queries.device))


class Momentum(nn.Module):  # type: ignore[misc]
    """A copy of a network that follows it, θ_k ← m θ_k + (1 − m) θ_q (He et al. 2020, equation 2), and the queue of its
    last vectors, random ones to begin with."""

    def __init__(self, network: Any, dim: int, length: int, momentum: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        self.momentum = momentum
        self.register_buffer("queue", normalize(torch.randn(length, dim), dim=1))
        self.register_buffer("next", torch.zeros((), dtype=torch.long))

    def follow(self, network: Any) -> None:
        """Move towards `network`."""
        with torch.no_grad():
            for own, other in zip(self.network.parameters(), network.parameters(), strict=True):
                own.lerp_(other.to(own.dtype), 1 - self.momentum)

    def push(self, keys: Any) -> None:
        """Put `keys` (n, dim) in the place of the oldest of the queue; of more than it holds, the last."""
        length = len(self.queue)
        kept = keys.detach()[-length:].to(self.queue.dtype)
        places = (self.next + torch.arange(len(kept), device=kept.device)) % length
        self.queue[places] = kept
        self.next.copy_((self.next + len(kept)) % length)
