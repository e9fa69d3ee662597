"""Pieces of SQL that a filter is made of: conditions on JSON values, with their parameters.

A piece is 0 or 1, never NULL: a value's type is tested first, and SQL's ``0 AND NULL`` is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Value = str | int | float | bool | None
Parameter = str | int | float

_JSON_NAMES = {True: "true", False: "false", None: "null"}


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition over the row `documents` of the store. sql: with a ? for each of `parameters`, in order; holds
    nothing of what the user wrote, and is 0 or 1, never NULL."""

    sql: str
    parameters: tuple[Parameter, ...] = ()


def joined(word: str, parts: Sequence[Filter]) -> Filter:
    """The pieces with `word` between them, in brackets where there are several."""
    if len(parts) == 1:
        return parts[0]
    return Filter(f"({word.join(part.sql for part in parts)})", tuple(p for part in parts for p in part.parameters))


def exists(path: Sequence[str | int], test: Filter) -> Filter:
    """Whether the metadata has a field at `path` that passes `test`, which calls it ``field``.

    Keys are compared as decoded values, not put into a JSON path, whose quoting differs between versions of SQLite.
    """
    aliases = [*(f"outer{i}" for i in range(len(path) - 1)), "field"]
    tables = [f"json_each(documents.metadata) AS {aliases[0]}"]
    for outer, alias in pairwise(aliases):
        inside = f"CASE WHEN {outer}.type IN ('object', 'array') THEN {outer}.value END"
        tables.append(f"json_each({inside}) AS {alias}")
    keys = " AND ".join(f"{alias}.key = ?" for alias in aliases)
    return Filter(f"EXISTS (SELECT 1 FROM {', '.join(tables)} WHERE {keys} AND {test.sql})", (*path, *test.parameters))


def among(alias: str, values: Sequence[Value]) -> Filter:
    """Whether a JSON value equals one of `values`, each compared within its own type."""
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    strings = [value for value in values if isinstance(value, str)]
    named = sorted({_JSON_NAMES[value] for value in values if value is None or isinstance(value, bool)})
    tests = []
    if numbers:
        tests.append(Filter(f"({has_type(alias, 0)} AND {alias}.atom IN ({marks(numbers)}))", tuple(numbers)))
    if strings:
        tests.append(Filter(f"({has_type(alias, '')} AND {alias}.atom IN ({marks(strings)}))", tuple(strings)))
    if named:
        tests.append(Filter(f"{alias}.type IN ({marks(named)})", tuple(named)))
    return joined(" OR ", tests)


def all_but(alias: str, values: Sequence[Value]) -> Filter:
    """Whether a JSON value is of a type that one of `values` has, and is none of them. Everything compares to null."""
    types = {has_type(alias, value) for value in values}
    comparable = "1" if None in values else " OR ".join(sorted(types))
    excluded = among(alias, values)
    return Filter(f"(({comparable}) AND NOT {excluded.sql})", excluded.parameters)


def has_type(alias: str, value: Value) -> str:
    """The test whether a JSON value is of the type of `value`."""
    if isinstance(value, bool):
        return f"{alias}.type IN ('true', 'false')"
    if isinstance(value, str):
        return f"{alias}.type = 'text'"
    if value is None:
        return f"{alias}.type = 'null'"
    return f"{alias}.type IN ('integer', 'real')"


def marks(values: Sequence[object]) -> str:
    """A placeholder for each of `values`."""
    return ", ".join("?" * len(values))
