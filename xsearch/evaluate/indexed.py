"""What evaluation asks of an index: its documents' languages, and its answers to many topics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from xsearch.core import Qrels, Run, Topic
from xsearch.engine import Index
from xsearch.engine.runs import run_topic_ids


def document_languages(index: Index) -> dict[str, str]:
    """Language code by document id, of every document that has text: the language of its first passage."""
    snapshot = index.snapshot
    passages = np.flatnonzero(snapshot.alive).astype(np.int64)
    documents, first = np.unique(snapshot.columns.document_of(passages), return_index=True)
    codes = snapshot.columns.language_of(passages[first])
    ids = snapshot.store.ids(documents)
    return {name: snapshot.manifest.languages[code] for name, code in zip(ids, codes, strict=True)}


def document_texts(index: Index) -> Callable[[str], str | None]:
    """A lookup of documents' texts by id, as `evaluate` takes it."""

    def text(name: str) -> str | None:
        found = index.document(name)
        return found.text if found else None

    return text


def answers(index: Index, topics: Sequence[Topic], k: int = 1000) -> Run:
    """The index's run over `topics`, `k` documents each; its topics read ``id@lang`` where one id has several
    wordings."""
    return index.search_many(run_topic_ids(topics), k)


def unknown_documents(qrels: Qrels, languages: Mapping[str, str]) -> list[str]:
    """Relevant documents of the qrels that are not among `languages`: nothing can find them."""
    return sorted({row.document for row in qrels if row.grade > 0 and row.document not in languages})
