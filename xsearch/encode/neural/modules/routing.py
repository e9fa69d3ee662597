"""Which stack of modules reads which token: a batch may hold tokens of several languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Routing:
    """Sends each token of a batch through one of several functions."""

    def __init__(self) -> None:
        self._masks: dict[int, Any] = {}
        self._only = 0

    def set(self, slots: Any) -> None:
        """slots: int64 tensor (texts, tokens), the number of each token's stack; None sends all through the first."""
        numbers = [0] if slots is None else slots.unique().tolist()
        self._only = numbers[0]
        self._masks = {} if len(numbers) == 1 else {number: slots == number for number in numbers}

    def apply(self, functions: Sequence[Callable[..., Any]], *inputs: Any) -> Any:
        """What each token's function makes of it. inputs: tensors (texts, tokens, …); where more than one stack is in
        play, functions get the tokens of theirs, (tokens, …)."""
        if not self._masks:
            return functions[self._only](*inputs)
        made = None
        for number, mask in self._masks.items():
            part = functions[number](*(tensor[mask] for tensor in inputs))
            if made is None:
                made = part.new_empty(*mask.shape, part.shape[-1])
            made[mask] = part
        return made
