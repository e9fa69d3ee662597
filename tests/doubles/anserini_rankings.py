"""What Anserini's own indexer and searcher answer, for the interpreter that has pyserini: the classes that pyserini
wraps, without the Python around them, whose import takes half a minute.

Input, by standard input: JSON lines with "folder", "lang", "texts", "queries", "k1", "b", "rm3". Output: as many lines
of rankings, each a list of (text number, score).
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    import jnius_config

    jars = Path(find_spec("pyserini").origin).parent / "resources" / "jars"
    jnius_config.set_classpath(*map(str, jars.glob("anserini-*-fatjar.jar")))
    from jnius import autoclass

    indexers, searchers = autoclass("io.anserini.index.SimpleIndexer"), autoclass("io.anserini.search.SimpleSearcher")
    document = autoclass("io.anserini.collection.JsonCollection$Document")
    for line in sys.stdin:
        given = json.loads(line)
        source = ["-input", "", "-collection", "JsonCollection", "-threads", "1", "-storeDocvectors"]
        indexer = indexers([*source, "-index", given["folder"], "-language", given["lang"]])
        for number, text in enumerate(given["texts"]):
            indexer.addJsonDocument(document.fromFields(str(number), text))
        indexer.close()
        searcher = searchers(given["folder"])
        searcher.set_language(given["lang"])
        searcher.set_bm25(given["k1"], given["b"])
        if given["rm3"]:
            # English is the language whose feedback terms Anserini filters by their letters.
            searcher.set_rm3(None, 10, 10, 0.5, False, given["lang"] == "en")
        rankings = [[[int(hit.docid), hit.score] for hit in searcher.search(query, 50)] for query in given["queries"]]
        print("ranking " + json.dumps(rankings), flush=True)


if __name__ == "__main__":
    main()
