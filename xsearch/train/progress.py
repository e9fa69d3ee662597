"""What a training run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Where training is. stage: "read", "vocabulary", "tokenise", "align" or "train"; done of total texts, languages
    or steps. loss and pairs_per_second: of the last steps, while training."""

    stage: str
    done: int = 0
    total: int = 1
    loss: float = 0.0
    pairs_per_second: float = 0.0


OnProgress = Callable[[Progress], None]
