"""Numbers found by 64-bit keys, many at a time: numpy's gathers wait for memory at many places at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 by the golden ratio: multiplied by it, keys that differ little fall far apart (Knuth 1998, section 6.4)."""
NONE = np.uint64(2**64 - 1)
"""No key: marks a free slot."""
FIRST_SLOTS = 1 << 12
FEW = 16
"""So few that have not found their slot are followed one by one: a round over all takes as long for one as for
hundreds, and of thousands some have far to go."""

Integers = NDArray[np.int64]
Keys = NDArray[np.uint64]


class KeyTable:
    """Numbers of keys, by open addressing with linear probing; a third of the slots at most are taken.

    keys: distinct, none of them `NONE`: key i has number i.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        self._count = 0
        self._make(FIRST_SLOTS)
        if keys is not None:
            self.add(keys, np.arange(len(keys)))

    def find(self, keys: Keys) -> Integers:
        """The number of every key, -1 for one that is not there."""
        found = np.full(len(keys), -1)
        waiting, slots = np.arange(len(keys)), self._slots(keys)
        while len(waiting) > FEW:
            held = self._keys.take(slots)
            same = held == keys
            here = np.flatnonzero(same)
            found[waiting.take(here)] = self._numbers.take(slots.take(here))
            left = np.flatnonzero(~same & (held != NONE))
            waiting, keys, slots = waiting.take(left), keys.take(left), (slots.take(left) + 1) & self._last
        for place, key, slot in zip(waiting.tolist(), keys.tolist(), slots.tolist(), strict=True):
            at = self._followed(key, slot)
            if self._keys.item(at) == key:
                found[place] = self._numbers.item(at)
        return found

    def add(self, keys: Keys, numbers: Integers) -> None:
        """Give keys that are not there, each another, numbers."""
        self._count += len(keys)
        if 3 * self._count > len(self._keys):
            taken = self._keys != NONE
            keys, numbers = np.append(self._keys[taken], keys), np.append(self._numbers[taken], numbers)
            self._make(1 << (3 * self._count).bit_length())
        waiting, slots = np.arange(len(keys)), self._slots(keys)
        while len(waiting) > FEW:
            free = np.flatnonzero(self._keys.take(slots) == NONE)
            # Of several keys for a slot, one gets it.
            self._numbers[slots.take(free)] = numbers.take(waiting.take(free))
            self._keys[slots.take(free)] = keys.take(waiting.take(free))
            left = np.flatnonzero(self._keys.take(slots) != keys.take(waiting))
            waiting, slots = waiting.take(left), (slots.take(left) + 1) & self._last
        for place, slot in zip(waiting.tolist(), slots.tolist(), strict=True):
            at = self._followed(keys.item(place), slot)
            self._keys[at], self._numbers[at] = keys[place], numbers[place]

    def _make(self, slots: int) -> None:
        self._keys, self._numbers = np.full(slots, NONE), np.zeros(slots, dtype=np.int64)
        self._last, self._shift = slots - 1, np.uint64(65 - slots.bit_length())

    def _slots(self, keys: Keys) -> Integers:
        """Where each key is looked for first."""
        return ((keys * SPREAD) >> self._shift).astype(np.int64)

    def _followed(self, key: int, slot: int) -> int:
        """The slot that a key is in, or the first free one where it would be put, from a slot on."""
        none = int(NONE)
        while (held := self._keys.item(slot)) != key and held != none:
            slot = (slot + 1) & self._last
        return slot
