"""xsearch: ask in one language, find what was written in another.

import xsearch

index = xsearch.create("idx")
with index.writer() as w:
    w.add(xsearch.Document(id="1", text="Die Präsidentschaftswahl im Iran …"))
for hit in index.search("presidential elections in Iran"):
    print(hit.rank, hit.lang, hit.id, hit.snippet)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xsearch.core import (
        BadInput,
        Document,
        EncoderMismatch,
        FilterError,
        Hit,
        IndexDamaged,
        IndexLocked,
        MissingExtra,
        Run,
        Topic,
        UnknownLanguage,
        UsageError,
        XSearchError,
    )
    from xsearch.engine import Index
    from xsearch.engine import create_index as create
    from xsearch.engine import open_index as open

__version__ = "0.1.0"

__all__ = [
    "BadInput",
    "Document",
    "EncoderMismatch",
    "FilterError",
    "Hit",
    "Index",
    "IndexDamaged",
    "IndexLocked",
    "MissingExtra",
    "Run",
    "Topic",
    "UnknownLanguage",
    "UsageError",
    "XSearchError",
    "create",
    "open",
]

_ENGINE = {"Index": "Index", "create": "create_index", "open": "open_index"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import xsearch` alone must cost next to nothing.
    if name not in __all__:
        raise AttributeError(f"module 'xsearch' has no attribute '{name}'")
    if name in _ENGINE:
        return getattr(importlib.import_module("xsearch.engine"), _ENGINE[name])
    return getattr(importlib.import_module("xsearch.core"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
