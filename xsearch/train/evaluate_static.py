"""Scores of an encoder on the collections a developer has at hand: Tatoeba accuracy, and nDCG@10 over windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import Encoder
from xsearch.train.rows import read_records

XTREME = (
    "afr", "ara", "ben", "bul", "deu", "ell", "spa", "est", "eus", "pes", "fin", "fra",
    "heb", "hin", "hun", "ind", "ita", "jpn", "jav", "kat", "kaz", "kor", "mal", "mar",
    "nld", "por", "rus", "swh", "tam", "tel", "tgl", "tha", "tur", "urd", "vie", "cmn",
)  # fmt: skip
"""The Tatoeba languages of XTREME (Hu et al. 2020, table 15)."""


def score_folder(encoder: Encoder, folder: Path, by_language: bool = False) -> dict[str, float]:
    """The figures of the collection in `folder`, by name.

    ``docs.jsonl*`` and ``topics.jsonl*`` give nDCG@10 across languages, in the same language, from English and in one
    mixed list; ``pairs.jsonl*`` gives accuracies, foreign to English: the mean over its languages and over those of
    XTREME, and with `by_language` each. Raises `BadInput` where there is neither.
    """
    if pairs := sorted(folder.glob("pairs.jsonl*")):
        found = tatoeba_accuracy(encoder, (record for path in pairs for _, record in read_records(path)))
        means = {
            f"accuracy-{len(found)}": _mean(found.values()),
            "accuracy-xtreme": _mean(found[lang] for lang in XTREME if lang in found),
        }
        return means | found if by_language else means
    collection = read_collection(folder)
    if not collection.documents or not collection.topics:
        raise BadInput("holds neither pairs.jsonl nor docs.jsonl and topics.jsonl", str(folder))
    scores = retrieval_scores(encoder, collection)
    return {"cross": scores.cross, "same": scores.same, "from-english": scores.from_english, "mixed": scores.mixed}


def tatoeba_accuracy(encoder: Encoder, pairs: Iterable[dict[str, Any]]) -> dict[str, float]:
    """By language, the share of sentences whose nearest English sentence of that language's pool is the translation
    (Artetxe and Schwenk 2019). A record has `lang`, `text`, `en`; a pool may hold equal English sentences."""
    by_language: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs:
        by_language[pair["lang"]].append((pair["text"], pair["en"]))
    scores = {}
    for lang, sentences in sorted(by_language.items()):
        foreign, english = zip(*sentences, strict=True)
        nearest = (encoder.encode_queries(foreign) @ encoder.encode_queries(english).T).argmax(axis=1)
        scores[lang] = float(np.mean([english[n] == right for n, right in zip(nearest, english, strict=True)]))
    return scores


@dataclass(frozen=True)
class Collection:
    """Documents and topics in several languages. A document `ID.LANG` answers every wording of the topic `ID`."""

    documents: list[dict[str, Any]]
    topics: list[dict[str, Any]]


def read_collection(folder: Path) -> Collection:
    """`docs.jsonl*` and `topics.jsonl*` of a folder."""
    read = [[record for path in sorted(folder.glob(glob)) for _, record in read_records(path)] for glob in
            ("docs.jsonl*", "topics.jsonl*")]  # fmt: skip
    return Collection(*read)


@dataclass(frozen=True)
class RetrievalScores:
    """nDCG@10 means: over pairs of different languages, over equal ones, from English topics to other languages, and
    over all documents in one list."""

    cross: float
    same: float
    from_english: float
    mixed: float
    by_pair: dict[tuple[str, str], float]


def retrieval_scores(encoder: Encoder, collection: Collection) -> RetrievalScores:
    """nDCG@10 of a document's best window (MaxP), every language pair in a pool of that document language."""
    documents, topics = collection.documents, collection.topics
    windows = encoder.encode_passages([f"{d.get('title') or ''}\n{d['text']}" for d in documents])
    topic_langs = np.array([t["lang"] for t in topics])
    document_langs = np.array([d["lang"] for d in documents])
    document_ids = np.array([d["id"].rsplit(".", 1)[0] for d in documents])
    topic_ids = np.array([t["id"] for t in topics])
    queries = encoder.encode_queries([t["text"] for t in topics])
    by_pair: dict[tuple[str, str], float] = {}
    mixed = []
    for lang in np.unique(topic_langs):
        rows = np.flatnonzero(topic_langs == lang)
        scores = _best_windows(queries[rows], windows.vectors, windows.owners, len(documents))
        relevant = topic_ids[rows][:, None] == document_ids
        mixed += ndcg(scores, relevant).tolist()
        for other in np.unique(document_langs):
            pool = document_langs == other
            answered = relevant[:, pool].any(axis=1)
            if answered.any():
                by_pair[str(lang), str(other)] = float(ndcg(scores[:, pool], relevant[:, pool])[answered].mean())
    return RetrievalScores(
        cross=_mean(v for (a, b), v in by_pair.items() if a != b),
        same=_mean(v for (a, b), v in by_pair.items() if a == b),
        from_english=_mean(v for (a, b), v in by_pair.items() if a == "en" != b),
        mixed=_mean(mixed),
        by_pair=by_pair,
    )


def _best_windows(queries: FloatArray, vectors: FloatArray, owners: Any, documents: int) -> FloatArray:
    """(queries, documents): the highest cosine of a document's windows, -1 for a document without any."""
    scores = np.full((len(queries), documents), -1.0, dtype=np.float32)
    present, starts = np.unique(owners, return_index=True)
    scores[:, present] = np.maximum.reduceat(queries @ vectors.T, starts, axis=1)
    return scores


def ndcg(scores: FloatArray, relevant: Any, depth: int = 10) -> FloatArray:
    """nDCG@10 with binary grades of every row; equal scores by place, 0 for a row without relevant documents."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    discounts = 1 / np.log2(np.arange(2, order.shape[1] + 2))
    gained = np.take_along_axis(relevant, order, axis=1) @ discounts
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant.sum(axis=1), order.shape[1])]
    shares: FloatArray = np.divide(gained, ideal, out=np.zeros(len(scores)), where=ideal > 0).astype(np.float32)
    return shares


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else 0.0
