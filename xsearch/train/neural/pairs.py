"""Pairs of a query and a passage that answers it, as JSON lines: ``{"query": …, "positive": …, "query_lang"?: …,
"positive_lang"?: …, "negatives"?: ["…", …], "negative_langs"?: […], "scores"?: [positive's, negatives' …]}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from xsearch.core import BadInput
from xsearch.core.data import data_path
from xsearch.core.wording import counted
from xsearch.train.rows import is_excluded, read_records

Item = tuple[str, str]
"""A text and its language."""


class Pair(msgspec.Struct, frozen=True):
    """A query and a passage that answers it; `negatives` do not. scores: a teacher's, of the positive and of each
    negative."""

    query: str
    positive: str
    query_lang: str = ""
    positive_lang: str = ""
    negatives: tuple[str, ...] = ()
    negative_langs: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def scored(self) -> bool:
        """Whether a teacher scored the positive and all negatives."""
        return len(self.scores) == 1 + len(self.negatives)


def read_pairs(path: Path) -> Iterator[tuple[str, Pair]]:
    """(``file:line``, pair) of every line. Raises `BadInput` for one that is none."""
    for where, record in read_records(path):
        try:
            pair = msgspec.convert(record, Pair)
        except msgspec.ValidationError as error:
            raise BadInput(f"not a pair of query and positive: {error}", where) from error
        if not pair.query.strip() or not pair.positive.strip():
            raise BadInput("a pair needs a query and a positive that are not empty", where)
        if pair.negative_langs and len(pair.negative_langs) != len(pair.negatives):
            raise BadInput("negative_langs must be as many as negatives", where)
        yield where, pair


def refuse_evaluation(found: Iterable[tuple[str, Pair]], excluded: frozenset[int]) -> None:
    """Raise `BadInput` for pairs that hold evaluation text (`read_excluded`), named by the first, with how many there
    are."""
    taken = [
        (where, text)
        for where, pair in found
        if (text := next((t for t in (pair.query, pair.positive, *pair.negatives) if is_excluded(t, excluded)), None))
    ]
    if taken:
        where, text = taken[0]
        others = f"; {counted(len(taken) - 1, 'pair')} after it too" if len(taken) > 1 else ""
        raise BadInput(f"this pair is evaluation text, which may not be trained on: {text[:60]!r}{others}", where)


def shipped_evaluation() -> list[Path]:
    """Files of the evaluation collections that ship with texts of more than names."""
    collections = data_path("eval") / "collections"
    return sorted(path for name in ("demo", "everyday") for path in (collections / name).glob("*.jsonl"))
