"""BM25 by bm25s (Lù 2024) with its own tokenizer: one index over all languages, English stop words and stemming off."""

from __future__ import annotations

import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import bm25s
import plain_files


def main() -> None:
    given = plain_files.parser(__doc__ or "").parse_args()
    docs, topics = plain_files.read(given.docs), plain_files.read(given.topics)
    started = time.perf_counter()
    retriever = bm25s.BM25()
    retriever.index(_tokens([doc["text"] for doc in docs]), show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        retriever.save(folder)
        index_seconds, size = time.perf_counter() - started, plain_files.folder_bytes(Path(folder))
    started = time.perf_counter()
    found, scores = retriever.retrieve(
        _tokens([topic["text"] for topic in topics]), k=min(given.k, len(docs)), show_progress=False
    )
    search_seconds = time.perf_counter() - started
    rows = (
        (topic["id"], docs[int(number)]["id"], float(score))
        for topic, numbers, values in zip(topics, found, scores, strict=True)
        for number, score in zip(numbers, values, strict=True)
        if score > 0
    )
    plain_files.write_run(given.run, rows, "bm25s")
    plain_files.write_times(given.times, f"bm25s {version('bm25s')}", index_seconds, search_seconds, size)


def _tokens(texts: list[str]) -> object:
    return bm25s.tokenize(texts, stopwords=None, show_progress=False)


if __name__ == "__main__":
    main()
