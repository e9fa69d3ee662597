"""Comparable documents: token by token, a document before all others for the one about the same in another language."""

from __future__ import annotations

from typing import Any

import torch

from xsearch.train.neural.objectives.late_interaction import max_sim
from xsearch.train.neural.objectives.softmax import in_batch_softmax


def comparable(left: Any, left_mask: Any, right: Any, right_mask: Any, groups: Any, temperature: float) -> Any:
    """−1/N Σ_i log exp(s(x_i, y_i) / τ) / Σ_j exp(s(x_i, y_j) / τ), half of it in each direction, with s the late
    interaction of tokens' vectors (Yang et al. 2022, "C3: continued pretraining with contrastive weak supervision for
    cross language ad-hoc retrieval", which scores comparable Wikipedia articles so before retrieval is learnt).

    left (n, t, dim), left_mask bool (n, t); right (n, u, dim), right_mask bool (n, u); groups: int64 (n,).
    """
    rivals = (groups[:, None] != groups[None, :]) | torch.eye(len(groups), dtype=torch.bool, device=groups.device)
    there = in_batch_softmax(max_sim(left, left_mask, right, right_mask), rivals, temperature)
    back = in_batch_softmax(max_sim(right, right_mask, left, left_mask), rivals, temperature)
    return 0.5 * (there + back)
