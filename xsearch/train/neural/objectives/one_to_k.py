"""1-to-K: a text before all its translations at once, so that no language is pulled by another's errors."""

from __future__ import annotations

from typing import Any

import torch


def one_to_k(vectors: Any, groups: Any, temperature: float) -> Any:
    """−1/(NK) Σ_a 1/|P(a)| Σ_p∈P(a) log exp(v_a · v_p / τ) / Σ_b≠a exp(v_a · v_b / τ), a over all N K texts and P(a)
    the other languages of a's row (Nie et al. 2024, "Improving the consistency in cross-lingual cross-modal retrieval
    with 1-to-K contrastive learning", which has an image where a text stands here; in the form of Khosla et al. 2020,
    "Supervised contrastive learning", equation 2).

    vectors: (K, n, dim), row i's text in its k-th language. groups: int64 (n,); rows of equal number mean the same.
    """
    count, n, _ = vectors.shape
    flat = vectors.flatten(0, 1)
    owners = groups.repeat(count)
    alone = torch.eye(count * n, dtype=torch.bool, device=flat.device)
    logits = (flat @ flat.T / temperature).masked_fill(alone, float("-inf"))
    log_shares = logits - logits.logsumexp(1, keepdim=True)
    positive = (owners[:, None] == owners[None, :]) & ~alone
    return -(log_shares.masked_fill(~positive, 0.0).sum(1) / positive.sum(1)).mean()
