"""`XSearchRetriever` for LlamaIndex (extra `llama-index`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xsearch.core import Hit
from xsearch.core.extras import need
from xsearch.engine import Index
from xsearch.serve.hits import hit_metadata
from xsearch.serve.opened import opened

need("llama_index.core", "llama-index", "the LlamaIndex retriever")

from llama_index.core.retrievers import BaseRetriever  # noqa: E402
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode  # noqa: E402


class XSearchRetriever(BaseRetriever):  # type: ignore[misc]
    """Passages for a question in any language.

    index: an open `Index`, or the folder of one. k: documents wanted. options: further arguments of `Index.search`.
    """

    def __init__(self, index: Index | str | Path, k: int = 10, **options: Any) -> None:
        super().__init__()
        self._search_index, self._k, self._options = opened(index), k, options

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._search_index.search(query_bundle.query_str, self._k, **self._options)
        return [_node(hit) for hit in hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = await self._search_index.asearch(query_bundle.query_str, self._k, **self._options)
        return [_node(hit) for hit in hits]


# LlamaIndex puts metadata before the text in what a model reads: the snippet would be the text twice.
_UNREAD = ["id", "score", "rank", "start", "end", "snippet"]


def _node(hit: Hit) -> NodeWithScore:
    node = TextNode(
        text=hit.text,
        id_=hit.id,
        metadata=hit_metadata(hit),
        excluded_llm_metadata_keys=_UNREAD,
        excluded_embed_metadata_keys=_UNREAD,
    )
    return NodeWithScore(node=node, score=hit.score)
