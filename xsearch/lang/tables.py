"""The data files of this package, read: tab-separated lines, `#` starts a comment line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parent / "data"


def rows(name: str) -> Iterator[list[str]]:
    """The lines of ``data/<name>`` split at tabs, comments and empty lines left out."""
    for line in (DATA / name).read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            yield line.split("\t")


def code_point_ranges(name: str) -> Iterator[tuple[int, int, list[str]]]:
    """Rows of a table of code point ranges: first and last code point (included), further columns."""
    for first, last, *rest in rows(name):
        yield int(first, 16), int(last, 16), rest
