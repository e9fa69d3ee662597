"""The process that runs Lucene, in whatever interpreter has pyserini: nothing of xsearch is imported here.

Started as a script by `lucene_process`. Requests come by standard input, answers go by standard output, each as four
bytes of length (little-endian) and that much JSON in UTF-8; at the input's end, which is the parent's too, it ends. The
first answer, to no request, says whether Lucene runs here. pyserini brings the jar of Anserini with all of Lucene, and
pyjnius to call it; its own Python modules are not imported, since they bring torch along.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections import Counter
from importlib import metadata
from importlib.util import find_spec
from math import fsum, log1p
from pathlib import Path
from typing import Any, BinaryIO

LENGTH = struct.Struct("<I")
CONTENTS, NUMBER = "contents", "pk"
"""Fields of a Lucene document: the passage's text, under the name that Anserini gives it, and the passage's number."""
MOST_CLAUSES = 1 << 20
BUFFER_MB = 16.0
"""Postings of a language that are collected before Lucene makes a segment of them."""

Reply = dict[str, Any] | list[Any] | None


class Unusable(Exception):
    """Lucene cannot run in this interpreter. The first argument says why, in a word that the parent knows."""


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message, None at the stream's end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    body = stream.read(size)
    return json.loads(body) if len(body) == size else None


def write(stream: BinaryIO, message: object) -> None:
    """Send a message."""
    body = json.dumps(message, separators=(",", ":")).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def start_java() -> dict[str, str]:
    """Start Java in this process with Anserini's jar; the versions of what runs. Raises `Unusable`."""
    spec = find_spec("pyserini")
    if spec is None or spec.origin is None or find_spec("jnius") is None:
        raise Unusable("pyserini")
    jars = sorted((Path(spec.origin).parent / "resources" / "jars").glob("anserini-*-fatjar.jar"))
    if not jars:
        raise Unusable("pyserini")
    import jnius_config

    jnius_config.set_classpath(*map(str, jars))
    # Signals are the parent's business.
    jnius_config.add_options("-Xrs", "--enable-native-access=ALL-UNNAMED")
    try:
        system = java("java.lang.System")
    except BaseException as error:
        # pyjnius says with whatever comes to hand that there is no Java, or none that starts.
        raise Unusable("java", str(error)) from error
    versions = {
        "pyserini": metadata.version("pyserini"),
        "java": system.getProperty("java.version"),
        "home": system.getProperty("java.home"),
    }
    try:
        java("io.anserini.analysis.AnalyzerUtils")
        java("org.apache.lucene.index.IndexWriter")
        versions["lucene"] = java("org.apache.lucene.util.Version").LATEST.toString()
    except Exception as error:
        raise Unusable("version", versions) from error
    java("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(MOST_CLAUSES)
    return versions


def java(name: str) -> Any:
    """A class of Java's by its full name; known ones come from a table of pyjnius's."""
    from jnius import autoclass

    return autoclass(name)


def lucene(name: str) -> Any:
    """A class of Lucene's."""
    return java(f"org.apache.lucene.{name}")


def make_analyzer(name: str) -> Any:
    """An analyzer by its class. Anserini's for English is made by a method."""
    made = java(name)
    return made.newDefaultInstance() if name.startswith("io.anserini.") else made()


def open_folder(path: str) -> Any:
    """A folder as Lucene knows it."""
    return lucene("store.FSDirectory").open(java("java.io.File")(path).toPath())


class LanguageWriter:
    """Appends passages of one language to the Lucene index in a folder. vectors: keep each passage's terms, which
    relevance feedback reads."""

    def __init__(self, folder: str, analyzer: str, vectors: bool) -> None:
        from jnius import cast

        config = lucene("index.IndexWriterConfig")(make_analyzer(analyzer))
        config.setRAMBufferSizeMB(BUFFER_MB)
        # In this thread, so that a commit is at rest when it is answered; three files a segment, however large.
        config.setMergeScheduler(lucene("index.SerialMergeScheduler")())
        config.getMergePolicy().setNoCFSRatio(1.0)
        self._folder = open_folder(folder)
        self._writer = lucene("index.IndexWriter")(self._folder, config)
        kind = lucene("document.FieldType")(lucene("document.TextField").TYPE_NOT_STORED)
        kind.setStoreTermVectors(vectors)
        # One document whose values change: what Lucene recommends for many.
        self._document = lucene("document.Document")()
        self._contents = lucene("document.Field")(
            CONTENTS, cast("java.lang.CharSequence", java("java.lang.String")("")), kind
        )
        self._point = lucene("document.LongPoint")(NUMBER, 0)
        self._value = lucene("document.NumericDocValuesField")(NUMBER, 0)
        for field in (self._contents, self._point, self._value):
            self._document.add(field)

    def add(self, numbers: list[int], texts: list[str]) -> None:
        """Append passages."""
        for number, text in zip(numbers, texts, strict=True):
            self._contents.setStringValue(text)
            self._point.setLongValue(number)
            self._value.setLongValue(number)
            self._writer.addDocument(self._document)

    def commit(self) -> None:
        """Make a commit of what was appended and let go of the folder."""
        self._writer.commit()
        self._writer.close()
        self._folder.close()


class LanguageReader:
    """One commit of a language's Lucene index, scored by BM25."""

    def __init__(self, folder: str, analyzer: str, k1: float, b: float) -> None:
        from jnius import cast

        self.analyzer = make_analyzer(analyzer)
        self._k1 = k1
        directory = open_folder(folder)
        self._reader = lucene("index.DirectoryReader").open(directory)
        directory.close()
        self._searcher = lucene("search.IndexSearcher")(cast("org.apache.lucene.index.IndexReader", self._reader))
        self._searcher.setSimilarity(lucene("search.similarities.BM25Similarity")(k1, b))
        sort_field, kinds = lucene("search.SortField"), lucene("search.SortField$Type")
        self._order = lucene("search.Sort")(sort_field.FIELD_SCORE, sort_field(NUMBER, kinds.LONG))

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def search(self, wanted: dict[str, Any], limit: int, listed: list[int] | None) -> dict[str, Any]:
        """The best `limit` passages, by score, then number.

        wanted: "text" to analyze into words, or their "weights"; "phrases", texts to analyze. listed: numbers of the
        only passages that may be found. In the answer "weights" are those searched with, "worth" is what a passage of
        average length scores that has each term once, and "docs" are Lucene's own numbers.
        """
        from jnius import cast

        weights = wanted["weights"] or dict(Counter(self._tokens(wanted["text"])))
        phrases = [query for text in wanted["phrases"] if (query := self._phrase(text)) is not None]
        worth, known = self._worth(weights)
        answer: dict[str, Any] = {
            "weights": weights,
            "worth": worth,
            "numbers": [],
            "scores": [],
            "docs": [],
            "all": True,
        }
        if not known and not phrases:
            return answer
        query = self._among(self._query(weights, phrases), listed)
        limit = max(1, min(limit, self._reader.maxDoc()))
        found = self._searcher.search(query, limit, self._order, True).scoreDocs
        fields = [cast("org.apache.lucene.search.FieldDoc", hit).fields for hit in found]
        return answer | {
            "numbers": [number for _, number in fields],
            "scores": [score for score, _ in fields],
            "docs": [hit.doc for hit in found],
            "all": len(found) < limit or limit == self._reader.maxDoc(),
        }

    def expand(self, tokens: list[str], docs: list[int], scores: list[float], rm3: dict[str, Any]) -> dict[str, float]:
        """Terms with weights: the query's own and those of the passages that answered it best (`docs`, with their
        scores), by Anserini's RM3."""
        score_doc, hits = lucene("search.ScoreDoc"), lucene("search.TotalHits")
        relation = lucene("search.TotalHits$Relation").EQUAL_TO
        best = lucene("search.TopDocs")(
            hits(len(docs), relation), [score_doc(doc, score) for doc, score in zip(docs, scores, strict=True)]
        )
        words = java("java.util.ArrayList")()
        for token in tokens:
            words.add(token)
        settings = java("io.anserini.search.SearchCollection$Args")()
        settings.hits = 1
        own = self._query(dict.fromkeys(tokens, 1.0), [])
        context = java("io.anserini.rerank.RerankerContext")(
            self._searcher, None, own, None, " ".join(tokens), words, None, settings
        )
        reranker = java("io.anserini.rerank.lib.Rm3Reranker")(
            self.analyzer, None, CONTENTS, rm3["terms"], rm3["docs"], rm3["weight"], False, rm3["filter"]
        )
        reranker.rerank(java("io.anserini.search.ScoredDocs").fromTopDocs(best, self._searcher), context)
        return {str(entry.getKey()): float(entry.getValue()) for entry in context.feedbackTerms.entrySet().toArray()}

    def _tokens(self, text: str) -> list[str]:
        analyzed = java("io.anserini.analysis.AnalyzerUtils").analyze(self.analyzer, text)
        return [str(token) for token in analyzed.toArray()]

    def _query(self, weights: dict[str, float], phrases: list[Any]) -> Any:
        """Any of the terms, each with its weight, or phrases; what Anserini makes of a bag of words."""
        made = lucene("search.BooleanQuery$Builder")()
        should = lucene("search.BooleanClause$Occur").SHOULD
        for term, weight in weights.items():
            query = lucene("search.TermQuery")(lucene("index.Term")(CONTENTS, term))
            made.add(lucene("search.BoostQuery")(query, weight), should)
        for phrase in phrases:
            made.add(phrase, should)
        return made.build()

    def _among(self, query: Any, listed: list[int] | None) -> Any:
        if listed is None:
            return query
        occur = lucene("search.BooleanClause$Occur")
        both = lucene("search.BooleanQuery$Builder")()
        both.add(query, occur.MUST)
        both.add(lucene("document.LongPoint").newSetQuery(NUMBER, *listed), occur.FILTER)
        return both.build()

    def _phrase(self, text: str) -> Any:
        return lucene("util.QueryBuilder")(self.analyzer).createPhraseQuery(CONTENTS, text)

    def _worth(self, weights: dict[str, float]) -> tuple[float, bool]:
        """Σ weight · idf / (1 + k1) over the terms, and whether the index has any of them."""
        term = lucene("index.Term")
        statistics = self._searcher.collectionStatistics(CONTENTS)
        count = statistics.docCount() if statistics is not None else 0
        having = [self._reader.docFreq(term(CONTENTS, word)) for word in weights]
        idfs = (log1p((count - df + 0.5) / (df + 0.5)) for df in having)
        return fsum(w * idf for w, idf in zip(weights.values(), idfs, strict=True)) / (1 + self._k1), any(having)


class Worker:
    """What the process holds: writers by folder, opened indexes by the name the parent gives them."""

    def __init__(self) -> None:
        self._writers: dict[str, LanguageWriter] = {}
        self._opened: dict[str, dict[str, LanguageReader]] = {}

    def answer(self, request: dict[str, Any]) -> Reply:
        """Do what a request asks."""
        asked = request.pop("op")
        for index in request.pop("dropped"):
            self.do_close(index)
        reply: Reply = getattr(self, f"do_{asked}")(**request)
        return reply

    def do_add(self, folder: str, analyzer: str, vectors: bool, numbers: list[int], texts: list[str]) -> None:
        """Append passages to the index in a folder."""
        if folder not in self._writers:
            self._writers[folder] = LanguageWriter(folder, analyzer, vectors)
        self._writers[folder].add(numbers, texts)

    def do_commit(self, folder: str) -> None:
        """Commit a folder's index and let go of it."""
        self._writers.pop(folder).commit()

    def do_open(self, index: str, views: dict[str, dict[str, str]], k1: float, b: float) -> None:
        """Open the indexes of some languages under one name. views: by language, folder and analyzer."""
        self.do_close(index)
        self._opened[index] = {lang: LanguageReader(v["folder"], v["analyzer"], k1, b) for lang, v in views.items()}

    def do_close(self, index: str) -> None:
        """Let go of what was opened under a name."""
        for reader in self._opened.pop(index, {}).values():
            reader.close()

    def do_search(self, index: str, wanted: dict[str, Any], limits: dict[str, int], listed: list[int] | None) -> Reply:
        """The best passages of each language in `wanted`; None where nothing is open under this name."""
        if index not in self._opened:
            return None
        readers = self._opened[index]
        return {lang: readers[lang].search(query, limits[lang], listed) for lang, query in wanted.items()}

    def do_expand(self, index: str, feedback: dict[str, dict[str, Any]]) -> Reply:
        """The expanded query of each language in `feedback`; None where nothing is open under this name."""
        if index not in self._opened:
            return None
        return {lang: self._opened[index][lang].expand(**given) for lang, given in feedback.items()}


def main() -> None:
    """Answer until the parent is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    # What Java's libraries print must not get between the answers.
    os.dup2(2, 1)
    try:
        versions = start_java()
    except Unusable as error:
        write(answers, {"unusable": list(error.args)})
        return
    write(answers, {"ready": versions})
    worker = Worker()
    while (request := read(sys.stdin.buffer)) is not None:
        try:
            reply: dict[str, Any] = {"reply": worker.answer(request)}
        except Exception as error:
            # Of a Java exception the first line says it, the others where in Lucene.
            said = str(error).partition("\n")[0]
            reply = {"error": f"{type(error).__name__}: {said}", "class": getattr(error, "classname", None) or ""}
        write(answers, reply)
    # Java's own threads would keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
