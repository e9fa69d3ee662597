"""What a RAG framework's configuration can hold in place of an open index: the path of its folder."""

from __future__ import annotations

from pathlib import Path

from xsearch.core.errors import UsageError
from xsearch.engine import Index, open_index


def opened(index: Index | str | Path) -> Index:
    """An open `Index` as it is; the index in a folder, opened for reading as it is now. What is written later is seen
    after `Index.refresh()`: hand over an `Index` where it grows while the retriever lives.

    Raises `UsageError` for anything else, and what `open_index` raises (`BadInput` where there is no index).
    """
    if isinstance(index, str | Path):
        return open_index(index)
    if not isinstance(index, Index):
        raise UsageError(f"the retriever takes an open index or the path of its folder, not {type(index).__name__}")
    return index
