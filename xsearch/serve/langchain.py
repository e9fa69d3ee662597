"""`XSearchRetriever` for LangChain (extra `langchain`)."""

from __future__ import annotations

from typing import Annotated, Any

from xsearch.core.extras import need
from xsearch.serve.hits import hit_metadata
from xsearch.serve.opened import opened

need("langchain_core", "langchain", "the LangChain retriever")

from langchain_core.callbacks import (  # noqa: E402
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document  # noqa: E402
from langchain_core.retrievers import BaseRetriever  # noqa: E402
from pydantic import BeforeValidator  # noqa: E402


class XSearchRetriever(BaseRetriever):  # type: ignore[misc]
    """Passages for a question in any language.

    index: an open `Index`, or the folder of one. k: documents wanted. options: further arguments of `Index.search`,
    e.g. ``{"to": ["de"]}``. A question can have its own of all these: ``invoke("…", k=3, filter="year >= 2020")``.
    """

    index: Annotated[Any, BeforeValidator(opened)]
    k: int = 10
    options: dict[str, Any] = {}  # noqa: RUF012 (a pydantic field: copied for each instance)

    # LangChain drops what `invoke` is given besides the query, without a word, unless these take it.
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        return [_document(hit) for hit in self.index.search(query, **self._with(options))]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        return [_document(hit) for hit in await self.index.asearch(query, **self._with(options))]

    def _with(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"k": self.k, **self.options, **options}


def _document(hit: Any) -> Document:
    return Document(page_content=hit.text, metadata=hit_metadata(hit), id=hit.id)
