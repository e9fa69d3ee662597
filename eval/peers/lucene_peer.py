"""Lucene's BM25 through pyserini (Lin et al., SIGIR 2021): an index a language with Lucene's analyzer for it.

A topic is put to every language's index under that index's analyzer; the lists are merged by raw score, which is the
best that BM25 alone can do with several languages.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import plain_files
from pyserini.index.lucene import LuceneIndexer
from pyserini.search.lucene import LuceneSearcher

LANGUAGES = "ar bn da de en es fi fr hi hu id it ja ko nl no pt ru sv te th tr zh"
ANALYZERS = frozenset(LANGUAGES.split())


def main() -> None:
    made = plain_files.parser(__doc__ or "")
    made.add_argument("--k1", type=float, default=0.9)
    made.add_argument("--b", type=float, default=0.4)
    given = made.parse_args()
    docs, topics = plain_files.read(given.docs), plain_files.read(given.topics)
    by_language = defaultdict(list)
    for doc in docs:
        by_language[doc["lang"]].append(doc)
    # Lucene's query parser and writers see numbers: ids may hold anything.
    numbers = {doc["id"]: str(number) for number, doc in enumerate(docs)}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        for lang, own in by_language.items():
            base = lang.partition("-")[0]
            analyzer = ["-language", base] if base in ANALYZERS else ["-pretokenized"]
            indexer = LuceneIndexer(args=["-index", f"{folder}/{lang}", "-threads", "1", *analyzer])
            for doc in own:
                indexer.add_doc_dict({"id": numbers[doc["id"]], "contents": doc["text"]})
            indexer.close()
        index_seconds, size = time.perf_counter() - started, plain_files.folder_bytes(Path(folder))
        searchers = {lang: _searcher(f"{folder}/{lang}", lang, given.k1, given.b) for lang in by_language}
        started = time.perf_counter()
        rows = [row for topic in topics for row in _search(searchers, topic, docs, given.k)]
        search_seconds = time.perf_counter() - started
    plain_files.write_run(given.run, rows, "lucene")
    plain_files.write_times(given.times, f"pyserini {version('pyserini')}", index_seconds, search_seconds, size)


def _searcher(path: str, lang: str, k1: float, b: float) -> LuceneSearcher:
    searcher = LuceneSearcher(path)
    base = lang.partition("-")[0]
    if base in ANALYZERS:
        searcher.set_language(base)
    else:
        searcher.set_analyzer(_whitespace())
    searcher.set_bm25(k1, b)
    return searcher


def _whitespace() -> object:
    from pyserini.analysis import JWhiteSpaceAnalyzer

    return JWhiteSpaceAnalyzer()


def _search(
    searchers: dict[str, LuceneSearcher], topic: dict[str, str], docs: list[dict[str, str]], k: int
) -> list[tuple[str, str, float]]:
    hits = [hit for searcher in searchers.values() for hit in searcher.search(topic["text"], k)]
    hits.sort(key=lambda hit: -hit.score)
    return [(topic["id"], docs[int(hit.docid)]["id"], float(hit.score)) for hit in hits[:k]]


if __name__ == "__main__":
    main()
