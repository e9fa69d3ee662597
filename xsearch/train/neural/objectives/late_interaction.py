"""Late interaction: a passage's score is the sum, over a query's tokens, of the best token's similarity."""

from __future__ import annotations

from typing import Any

import torch


def max_sim(queries: Any, query_mask: Any, passages: Any, passage_mask: Any) -> Any:
    """Scores of all passages for all queries, (n, p): S(q, d) = mean over tokens i of q of max over tokens j of d of
    q_i · d_j (Khattab and Zaharia 2020, "ColBERT", equation 3, where it is the sum; the mean keeps long queries from
    having sharper softmaxes and ranks alike).

    queries (n, t, dim), query_mask bool (n, t); passages (p, u, dim), passage_mask bool (p, u), each with a token.
    """
    scores = []
    for vectors, mask in zip(queries, query_mask, strict=True):
        # One query at a time: (p, u, t) numbers instead of n times as many.
        similar = (passages @ vectors.T).masked_fill(~passage_mask.unsqueeze(-1), float("-inf"))
        best = similar.amax(1).masked_fill(~mask, 0.0)
        scores.append(best.sum(1) / mask.sum())
    return torch.stack(scores)
