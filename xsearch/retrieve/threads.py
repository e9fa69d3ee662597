"""How many threads FAISS may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def one_thread(faiss: ModuleType | None) -> Iterator[None]:
    """Keep FAISS in the calling thread: a server searches from several, and one query is not worth waking more; what
    is written must not depend on how many there are."""
    if faiss is None:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
