"""Where files that ship beside the code are found."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from xsearch.core.errors import XSearchError

PACKAGE = "xsearch"


def data_path(relative: str) -> Path:
    """The path of a shipped file or folder, e.g. ``encoders/xsearch-static-v2.toml``.

    An installed wheel carries them under ``xsearch/_data/``; in a checkout they stand beside the package. Raises
    `XSearchError` where neither holds it.
    """
    package = Path(str(resources.files(PACKAGE)))
    for root in (package / "_data", package.parent):
        path = root / relative
        if path.exists():
            return path
    raise XSearchError(f"'{relative}' is missing from this installation ({package}): install xsearch again")
