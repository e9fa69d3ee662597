"""Distillation of a teacher's scores."""

from __future__ import annotations

from typing import Any

from torch.nn.functional import kl_div, log_softmax


def distillation(scores: Any, teacher: Any, temperature: float, teacher_temperature: float) -> Any:
    """The mean over queries of KL(softmax(t / τ_t) ‖ softmax(s / τ_s)) over each query's candidates (Yang et al. 2024,
    "Translate-Distill: learning cross-language dense retrieval by translation and distillation", whose teacher reads
    both sides in English and whose student reads them in their own languages).

    scores, teacher: s and t, (n, candidates).
    """
    student_shares = log_softmax(scores / temperature, dim=1)
    teacher_shares = log_softmax(teacher / teacher_temperature, dim=1)
    return kl_div(student_shares, teacher_shares, reduction="batchmean", log_target=True)
