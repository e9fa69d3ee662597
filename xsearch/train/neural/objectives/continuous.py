"""Continuous weights: texts that nearly mean the same are nearly positives."""

from __future__ import annotations

from typing import Any


def continuously_weighted(left: Any, right: Any, weights: Any, temperature: float) -> Any:
    """−1/N Σ_i 1/(Σ_j w_ij) Σ_j w_ij log exp(l_i · r_j / τ) / Σ_k exp(l_i · r_k / τ) (Srinivasa et al. 2023, "CWCL:
    cross-modal transfer with continuously weighted contrastive loss", equation 2).

    left, right: (n, dim). weights: w, (n, n) in 0..1, from a frozen encoder's vectors p as w_ij = p_i · p_j / 2 + 0.5.
    """
    logits = left @ right.T / temperature
    log_shares = logits - logits.logsumexp(1, keepdim=True)
    return -((weights * log_shares).sum(1) / weights.sum(1)).mean()
