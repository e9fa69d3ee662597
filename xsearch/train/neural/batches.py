"""What a step reads: texts with their languages, and how they belong together. Plain data, so that a batch that spoils
a run can be written down and looked at."""

from __future__ import annotations

import msgspec


class Side(msgspec.Struct, frozen=True):
    """Texts and the language of each, "" where it is not known."""

    texts: tuple[str, ...]
    langs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


class Plain(msgspec.Struct, frozen=True):
    """Texts on their own."""

    texts: Side

    def __len__(self) -> int:
        return len(self.texts)


class Parallel(msgspec.Struct, frozen=True):
    """n rows of K texts that mean the same: columns[k].texts[i] is row i's k-th. groups: n numbers; rows of equal
    number are no negatives of each other."""

    columns: tuple[Side, ...]
    groups: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.groups)


class Ranked(msgspec.Struct, frozen=True):
    """n queries and p ≥ n passages: passage i answers query i, those behind n are mined negatives.

    groups: of every query, owners: of every passage; a passage answers all queries of its owner's number, -1 for a
    negative. candidates: of every query the passages whose `scores` a teacher gave, the positive first; empty where
    none did.
    """

    queries: Side
    passages: Side
    groups: tuple[int, ...]
    owners: tuple[int, ...]
    candidates: tuple[tuple[int, ...], ...] = ()
    scores: tuple[tuple[float, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.groups)
