"""A smaller student that thinks as its teacher does, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def hidden_states(student: Sequence[Any], teacher: Sequence[Any], mask: Any) -> Any:
    """1/L Σ_l mean over tokens of ‖h_l − H_g(l)‖² / width, with g(l) = round(l T / L): every layer of the student, and
    the embeddings (l = 0), like the one of the teacher at the same depth (Ansell et al. 2023, "Distilling efficient
    language-specific models for cross-lingual transfer": the alignment of hidden states of their general phase, with
    texts of two languages only; Jiao et al. 2020, "TinyBERT", equation 8, without a projection).

    student: L + 1 and teacher: T + 1 tensors (n, t, width); mask (n, t).
    """
    counted = mask.to(student[0].dtype).unsqueeze(-1)
    layers, depth = len(student) - 1, len(teacher) - 1
    total = 0.0
    for layer, states in enumerate(student):
        target = teacher[round(layer * depth / max(layers, 1))]
        total = total + ((states - target).square() * counted).sum() / (counted.sum() * states.shape[-1])
    return total / len(student)
