"""What a training run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """Where training is. stage: "read", "vocabulary", "tokenise", "align", "train", "evaluate", "mine", …; done of
    total texts, languages or steps. loss and pairs_per_second: of the last steps, while training; parts: of that loss
    by objective. measures: of an evaluation, by name. within: the recipe's stage. note: something to be said."""

    stage: str
    done: int = 0
    total: int = 1
    loss: float = 0.0
    pairs_per_second: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    within: str = ""
    note: str = ""


OnProgress = Callable[[Progress], None]
