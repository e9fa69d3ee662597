"""Representation translation: a text's states must suffice to say it in another language."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Translator(nn.Module):  # type: ignore[misc]
    """The head g of Li et al. 2023, "Dual-alignment pre-training for cross-lingual sentence embedding", equation 4:
    transformer layers, begun as the encoder's last, over the source's states followed by a [MASK] for every token of
    the translation; their outputs at the masks are the translation's tokens.

    body: the encoder. layers: K, 2 in the paper. mask_id: number of [MASK].
    """

    def __init__(self, body: Any, layers: int, mask_id: int) -> None:
        super().__init__()
        self.layers = copy.deepcopy(body.encoder.layer[-layers:])
        self.mask_id = mask_id

    def forward(self, states: Any, mask: Any, targets: Any, target_mask: Any, embeddings: Any) -> Any:
        """States at the places of the translation, (n, u, width).

        states (n, t, width) and mask (n, t) of the source, whose first token, the sentence's, is not shown; targets
        int64 (n, u): only how many there are is used. embeddings: of the encoder; they give a mask its place.
        """
        hidden = embeddings(input_ids=torch.full_like(targets, self.mask_id))
        joined = torch.cat([states[:, 1:], hidden.to(states.dtype)], dim=1)
        seen = torch.cat([mask[:, 1:], target_mask], dim=1)[:, None, None, :].bool()
        bias = torch.zeros_like(seen, dtype=joined.dtype).masked_fill(~seen, torch.finfo(joined.dtype).min)
        for layer in self.layers:
            made = layer(joined, bias)
            joined = made[0] if isinstance(made, tuple) else made
        return joined[:, states.shape[1] - 1 :]


def representation_translation(logits: Any, targets: Any, counted: Any) -> Any:
    """1/S Σ_i CE(g(f_*(x), y)_i, y_i) (Li et al. 2023, equation 6): the mean over the translation's S tokens.

    logits (S, vocabulary), targets int64 (n, u), counted bool (n, u) with S true: without padding and the tokens that
    begin and end a text.
    """
    return cross_entropy(logits.float(), targets[counted])
