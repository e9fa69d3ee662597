"""What was computed for strings before: running text repeats its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar, cast

T = TypeVar("T")

GENERATION = 1 << 15
"""Strings after which the older half of what is remembered is forgotten."""


class Known(dict[str, T]):
    """Values of strings, remembered. compute: values of many strings, none of them None. generation, longest: strings
    remembered, and how long they may be.

    Two generations: when the younger is full, it becomes the older, which is forgotten. What is asked for again is
    taken over, so that frequent words stay however many rare ones come.
    """

    def __init__(
        self, compute: Callable[[Sequence[str]], Iterable[T]], generation: int = GENERATION, longest: int = 24
    ) -> None:
        super().__init__()
        self._compute, self._generation, self._longest = compute, generation, longest
        self._older: dict[str, T] = {}

    def __missing__(self, key: str) -> T:
        (value,) = self._look_up([key])
        return value

    def of_all(self, keys: Sequence[str]) -> Iterator[T]:
        """The values of many strings. What is not known of them is computed together."""
        # One look-up each, not two: in a large table it is memory that takes the time.
        values = list(map(self.get, keys))
        if None in values:
            missing = [place for place, value in enumerate(values) if value is None]
            unknown = list(dict.fromkeys([keys[place] for place in missing]))
            found = dict(zip(unknown, self._look_up(unknown), strict=True))
            for place in missing:
                values[place] = found[keys[place]]
        return iter(cast(list[T], values))

    def _look_up(self, keys: Sequence[str]) -> list[T]:
        """Values of distinct strings that the younger generation lacks; it has them afterwards, as far as they fit."""
        values = list(map(self._older.get, keys))
        if None in values:
            missing = [place for place, value in enumerate(values) if value is None]
            computed = self._compute([keys[place] for place in missing])
            for place, value in zip(missing, computed, strict=True):
                values[place] = value
        found = cast(list[T], values)
        if len(self) >= self._generation:
            self._older = dict(self)
            self.clear()
        if len(self) + len(keys) <= self._generation and max(map(len, keys), default=0) <= self._longest:
            self.update(zip(keys, found, strict=True))
            return found
        kept = ((key, value) for key, value in zip(keys, found, strict=True) if len(key) <= self._longest)
        self.update(islice(kept, max(0, self._generation - len(self))))
        return found
