"""Plain text: a file is a document."""

from __future__ import annotations

from collections.abc import Iterator

from xsearch.core.document import Document
from xsearch.corpora.opened import OpenSource


def read_plain(file: OpenSource) -> Iterator[Document]:
    """The file as one document without a title."""
    yield file.document(file.read_text())
