"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

IndexFolder = Annotated[
    Path, typer.Option("-i", "--index", metavar="DIR", help="The index's folder.", show_default=True)
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="Where neural encoders run: auto, cpu, cuda, cuda:0,cuda:1, mps.")
]
Precision = Annotated[str, typer.Option(metavar="NAME", help="Of neural encoders: auto, fp32, bf16, fp16, int8.")]
Trust = Annotated[
    str | None,
    typer.Option(metavar="REVISION", help="Let the model's checkpoint, at this revision, run code."),
]
TrainingExclude = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="Evaluation text, not to be learnt, instead of the recipe's list; may be repeated."
    ),
]
DEFAULT_INDEX = Path(".xsearch")


def listed(value: str | None) -> list[str] | None:
    """``"de, fa"`` as a list; None stays None."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not parts:
        from xsearch.core.errors import UsageError

        raise UsageError(f"an empty list: {value!r}")
    return parts


def seconds(value: str) -> float:
    """``"200ms"``, ``"1.5s"``, ``"2min"`` as seconds; a bare number is seconds. Raises `UsageError`."""
    import re

    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(ms|s|min)?\s*", value)
    if found is None:
        from xsearch.core.errors import UsageError

        raise UsageError(f"'{value}' is no time: write it as 200ms, 1.5s or 2min")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "min": 60.0}[found[2] or "s"]
