"""Masked language modelling, of one text or of a text with its translation behind it."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy


def mask_tokens(ids: Any, maskable: Any, mask_id: int, vocabulary: int, share: float = 0.15) -> tuple[Any, Any]:
    """Token numbers with some hidden, and which: of those chosen with probability `share`, 80 % become `mask_id`, 10 %
    any of the `vocabulary`, 10 % stay (Devlin et al. 2019, "BERT", section 3.1). Draws from torch's generator.

    ids: int64 (n, t). maskable: bool (n, t). Returns int64 (n, t) and bool (n, t).
    """
    chance = torch.rand(ids.shape, device=ids.device)
    chosen = maskable & (chance < share)
    hidden = torch.where(chance < 0.8 * share, mask_id, ids)
    other = torch.randint(vocabulary, ids.shape, device=ids.device)
    hidden = torch.where((chance >= 0.8 * share) & (chance < 0.9 * share), other, hidden)
    return torch.where(chosen, hidden, ids), chosen


def masked_words(logits: Any, ids: Any) -> Any:
    """−1/M Σ log p(x_i | the rest) over the M hidden places (Devlin et al. 2019; over a text and its translation it is
    the translation language model of Conneau and Lample 2019, section 3.3). logits (M, vocabulary) at the hidden
    places, ids int64 (M,) what stood there; 0 where none is hidden."""
    if not len(ids):
        return logits.sum() * 0.0
    return cross_entropy(logits.float(), ids)
