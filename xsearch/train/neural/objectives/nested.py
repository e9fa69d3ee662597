"""Vectors whose first numbers are vectors too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch.nn.functional import normalize


def matryoshka(loss: Callable[[Any, Any], Any], left: Any, right: Any, cuts: Sequence[int]) -> Any:
    """The mean over the whole dimension and `cuts` m of loss(left_1:m, right_1:m), each cut scaled to length 1 again
    (Kusupati et al. 2022, "Matryoshka representation learning", equation 1 with equal weights).

    left (n, dim), right (p, dim). Cuts as long as the vectors or longer are left out.
    """
    dims = [cut for cut in sorted(set(cuts)) if cut < left.shape[-1]]
    total = loss(left, right)
    for dim in dims:
        total = total + loss(normalize(left[:, :dim], dim=-1), normalize(right[:, :dim], dim=-1))
    return total / (len(dims) + 1)
