"""Figures that must not get worse: an evaluation held against an earlier one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xsearch.core import BadInput


@dataclass(frozen=True, slots=True)
class Regression:
    """A figure that fell by more than the tolerance; `found` is None where it is missing now. `where` reads
    "nDCG@10" or "pair de-fa nDCG@10"."""

    where: str
    expected: float
    found: float | None


def read_baseline(path: str | Path) -> dict[str, Any]:
    """A baseline file: what `Evaluation.to_json` gave. Raises `BadInput` when it is not of that form."""
    try:
        form = json.loads(Path(path).read_text(encoding="utf-8"))
        list(_figures(form))
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadInput(
            f"no baseline ({error}); expected the output of 'xsearch evaluate --format json'", where=str(path)
        ) from error
    return dict(form)


def regressions(found: Mapping[str, Any], baseline: Mapping[str, Any], tolerance: float = 0.005) -> list[Regression]:
    """The figures of `baseline` that `found` falls short of by more than `tolerance` (absolute), or lacks.

    Both in the form of `Evaluation.to_json`. What `found` has beyond the baseline is not looked at; a gain is none of
    its business.
    """
    now = dict(_figures(found))
    return [
        Regression(where, expected, now.get(where))
        for where, expected in _figures(baseline)
        if where not in now or expected - now[where] > tolerance
    ]


def row_regressions(
    found: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]], tolerance: float = 0.005
) -> list[Regression]:
    """As `regressions`, of a suite's rows against the newest stored row of the same collection and system: over all
    and group by group, so that a fall in one language shows even where the mean holds. A row that was not stored
    before has nothing to fall behind."""
    before = {(row["collection"], row["system"]): row for row in stored}
    return [
        Regression(f"{row['collection']} {row['system']} {one.where}", one.expected, one.found)
        for row in found
        if (known := before.get((row["collection"], row["system"])))
        for one in regressions(row, known, tolerance)
    ]


def _figures(form: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in form["measures"].items():
        yield name, float(value)
    for by, groups in form.get("by", {}).items():
        for group, measures in groups.items():
            for name, value in measures.items():
                yield f"{by} {group} {name}", float(value)
