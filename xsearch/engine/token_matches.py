"""What each token of a query met in the passages of hits: the evidence of late interaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xsearch import lang as languages
from xsearch import retrieve
from xsearch.core import TokenMatch
from xsearch.encode import locates
from xsearch.engine.search import Found
from xsearch.engine.snapshot import Snapshot
from xsearch.storage import StoredPassage

if TYPE_CHECKING:
    from xsearch.retrieve import Met


def token_matches(snapshot: Snapshot, found: Found, passages: Sequence[StoredPassage]) -> list[tuple[TokenMatch, ...]]:
    """Of each hit's passage what the retrievers of late interaction that returned it compared, in the query's order.

    `colbert`: the passages are encoded again, since the index keeps neither words nor places; similarities are those of
    the vectors before they were made codes.
    """
    matches: list[tuple[TokenMatch, ...]] = [()] * len(passages)
    for name in ("late", "colbert"):
        part = found.fused.parts.get(name)
        rows = [] if part is None else [at for at, row in enumerate(found.rows.tolist()) if part.rank[row]]
        if not rows:
            continue
        chosen = [passages[at] for at in rows]
        for at, passage, met in zip(rows, chosen, _met(snapshot, name, found, chosen), strict=True):
            matches[at] += tuple(_match(name, found.query.text, passage, one) for one in met)
    return matches


def _met(snapshot: Snapshot, name: str, found: Found, passages: Sequence[StoredPassage]) -> list[list[Met]]:
    texts = [_head(passage) + passage.text for passage in passages]
    retriever = snapshot.retrievers[name]
    if isinstance(retriever, retrieve.Late):
        return retriever.evidence(found.query, [snapshot.pieces.query_pieces(text) for text in texts])
    encoder = snapshot.encoders.tokens
    if encoder is None or not locates(encoder):
        return [[] for _ in passages]
    asked = encoder.locate_queries([found.query.text], [found.query.lang])[0]
    held = encoder.locate_passages(texts, [languages.base_language(passage.lang) for passage in passages])
    return [retrieve.met_tokens(asked, one) for one in held]


def _head(passage: StoredPassage) -> str:
    """What encoders read before a passage's own text (`engine.prepare`)."""
    return f"{passage.title}\n" if passage.title else ""


def _match(name: str, query: str, passage: StoredPassage, met: Met) -> TokenMatch:
    head = len(_head(passage))
    in_title = met.found[0] < head
    start, end = met.found if in_title else (met.found[0] - head, met.found[1] - head)
    text = passage.title or "" if in_title else passage.text
    return TokenMatch(
        retriever=name,
        query=query[met.asked[0] : met.asked[1]],
        asked_start=met.asked[0],
        asked_end=met.asked[1],
        word=text[start:end],
        start=start,
        end=end,
        similarity=round(met.similarity, 4),
        in_title=in_title,
    )
