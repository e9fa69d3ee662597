"""`XSearchRetriever` for Haystack (extra `haystack`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xsearch.core.extras import need
from xsearch.engine import Index
from xsearch.serve.hits import hit_metadata
from xsearch.serve.opened import opened

need("haystack", "haystack", "the Haystack retriever")

from haystack import Document, component, default_from_dict, default_to_dict  # noqa: E402


@component
class XSearchRetriever:
    """Passages for a question in any language.

    index: an open `Index`, or the folder of one. top_k: documents wanted. options: further arguments of
    `Index.search`, e.g. ``{"lang": "de"}``. A pipeline file is read with
    ``Pipeline.loads(text, allowed_modules=["xsearch.serve.haystack"])``.
    """

    def __init__(self, index: Index | str | Path, top_k: int = 10, options: dict[str, Any] | None = None) -> None:
        self.index = opened(index)
        self.top_k = top_k
        self.options = options or {}

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(
        self, query: str, top_k: int | None = None, to: list[str] | None = None, filter: str | None = None
    ) -> dict[str, list[Document]]:
        """Documents for `query`; `to` and `filter` as for `Index.search`, where given instead of those in `options`."""
        given = {"k": top_k, "to": to, "filter": filter}
        asked = {"k": self.top_k, **self.options, **{name: value for name, value in given.items() if value is not None}}
        hits = self.index.search(query, **asked)
        return {
            "documents": [
                Document(id=hit.id, content=hit.text, score=hit.score, meta=hit_metadata(hit)) for hit in hits
            ]
        }

    def to_dict(self) -> dict[str, Any]:
        """The component as a pipeline file keeps it."""
        data: dict[str, Any] = default_to_dict(self, index=str(self.index.path), top_k=self.top_k, options=self.options)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> XSearchRetriever:
        """The component from a pipeline file."""
        made: XSearchRetriever = default_from_dict(cls, data)
        return made
