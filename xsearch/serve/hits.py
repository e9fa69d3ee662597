"""A hit as the RAG frameworks carry it: a text with metadata."""

from __future__ import annotations

from typing import Any

from xsearch.core import Hit


def hit_metadata(hit: Hit) -> dict[str, Any]:
    """The document's own metadata, with what the search knows under keys of its own: id, title, lang, score, rank,
    start, end (the passage's place in the document), snippet. The search's keys win."""
    return {
        **hit.metadata,
        "id": hit.id,
        "title": hit.title,
        "lang": hit.lang,
        "score": hit.score,
        "rank": hit.rank,
        "start": hit.start,
        "end": hit.end,
        "snippet": hit.snippet,
    }
