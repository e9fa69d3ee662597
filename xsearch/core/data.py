"""Where files that ship beside the code are found."""

from __future__ import annotations

from pathlib import Path

from xsearch.core.errors import XSearchError

PACKAGE = Path(__file__).parents[1]
"""The folder of the package `xsearch`."""


def data_path(relative: str) -> Path:
    """The path of a shipped file or folder, e.g. ``encoders/xsearch-static-v2.toml``.

    An installed wheel carries them under ``xsearch/_data/``; in a checkout they stand beside the package. Raises
    `XSearchError` where neither holds it.
    """
    for root in (PACKAGE / "_data", PACKAGE.parent):
        path = root / relative
        if path.exists():
            return path
    raise XSearchError(f"'{relative}' is missing from this installation ({PACKAGE}): install xsearch again")
