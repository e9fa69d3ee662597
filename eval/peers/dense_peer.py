"""Plain dense search: one vector a document, exact inner product, nothing else.

Without --model the encoder that ships embeds each document's first window; with it any sentence-transformers model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import plain_files

BLOCK = 256
"""Queries scored at once."""

Embed = Callable[[Sequence[str]], np.ndarray]


def main() -> None:
    made = plain_files.parser(__doc__ or "")
    made.add_argument("--model", help="name or folder of a sentence-transformers model")
    made.add_argument("--query-prefix", default="")
    made.add_argument("--passage-prefix", default="")
    given = made.parse_args()
    docs, topics = plain_files.read(given.docs), plain_files.read(given.topics)
    name, of_queries, of_documents = _sentence_transformers(given.model) if given.model else _shipped()
    started = time.perf_counter()
    vectors = of_documents([given.passage_prefix + doc["text"] for doc in docs])
    index_seconds = time.perf_counter() - started
    started = time.perf_counter()
    queries = of_queries([given.query_prefix + topic["text"] for topic in topics])
    rows = []
    for first in range(0, len(topics), BLOCK):
        scores = queries[first : first + BLOCK] @ vectors.T
        best = np.argsort(-scores, axis=1, kind="stable")[:, : given.k]
        for topic, numbers, values in zip(topics[first : first + BLOCK], best, scores, strict=True):
            rows += [(topic["id"], docs[number]["id"], float(values[number])) for number in numbers]
    search_seconds = time.perf_counter() - started
    plain_files.write_run(given.run, rows, "dense")
    plain_files.write_times(given.times, name, index_seconds, search_seconds, vectors.nbytes)


def _shipped() -> tuple[str, Embed, Embed]:
    from xsearch.encode import load_encoder

    encoder = load_encoder(None)

    def of_documents(texts: Sequence[str]) -> np.ndarray:
        windows = encoder.encode_passages(texts)
        _, first = np.unique(windows.owners, return_index=True)
        vectors = np.zeros((len(texts), windows.vectors.shape[1]), dtype=np.float32)
        vectors[windows.owners[first]] = windows.vectors[first]
        return vectors

    return encoder.card.name, encoder.encode_queries, of_documents


def _sentence_transformers(model: str) -> tuple[str, Embed, Embed]:
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(model)

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(loaded.encode(list(texts), normalize_embeddings=True), dtype=np.float32)

    return model, embed, embed


if __name__ == "__main__":
    main()
