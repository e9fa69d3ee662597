"""Denoising word alignment: labels by the network's own states, then learnt back from masked text."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

NONE = -1


def self_labels(left: Any, right: Any, left_mask: Any, right_mask: Any, regularisation: float, rounds: int) -> Any:
    """For every token of `left` the token of `right` that it is aligned with, `NONE` for none; int64 (n, t).

    With S the tokens' similarities, the plan is A = diag(u) exp(S / µ) diag(v) whose rows and columns sum to equal
    shares, found by Sinkhorn's iterations; a token is aligned when it and its best are each other's best in A (Chi et
    al. 2021, "Improving pretrained cross-lingual language models via self-labeled word alignment", section 3.1,
    optimal transport and filtering).

    left (n, t, dim) and right (n, u, dim) of length 1, masks bool; regularisation: µ; rounds of the iterations.
    """
    plan = torch.exp(left.float() @ right.float().transpose(1, 2) / regularisation)
    both = left_mask.unsqueeze(2) & right_mask.unsqueeze(1)
    plan = plan.masked_fill(~both, 0.0)
    rows = left_mask / left_mask.sum(1, keepdim=True).clamp(min=1)
    columns = right_mask / right_mask.sum(1, keepdim=True).clamp(min=1)
    for _ in range(rounds):
        plan = plan * (rows / plan.sum(2).clamp(min=1e-30)).unsqueeze(2)
        plan = plan * (columns / plan.sum(1).clamp(min=1e-30)).unsqueeze(1)
    best, back = plan.argmax(2), plan.argmax(1)
    mutual = back.gather(1, best) == torch.arange(left.shape[1], device=left.device)
    return torch.where(mutual & left_mask, best, NONE)


class Pointer(nn.Module):  # type: ignore[misc]
    """Points from a masked token to the token of the translation that it is aligned with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, states: Any, others: Any) -> Any:
        """Logits (n, t, u): (W_q h_i) · (W_k h_j) / √width (Chi et al. 2021, equation 6)."""
        return self.query(states) @ self.key(others).transpose(1, 2) / states.shape[-1] ** 0.5


def pointed(logits: Any, labels: Any, hidden: Any, other_mask: Any) -> Any:
    """−1/M Σ log softmax(logits_i)_A(i) over the M places that are hidden and aligned (Chi et al. 2021, equation 7).

    logits (n, t, u); labels int64 (n, t), `NONE` where not aligned; hidden bool (n, t); other_mask bool (n, u). 0 where
    nothing is both.
    """
    counted = hidden & (labels != NONE)
    if not counted.any():
        return logits.sum() * 0.0
    shares = logits.float().masked_fill(~other_mask.unsqueeze(1), float("-inf"))
    return cross_entropy(shares[counted], labels[counted])
