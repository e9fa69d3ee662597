"""How good a model in training is: does it find what belongs together among texts that were kept from training?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xsearch.core import BadInput
from xsearch.train.evaluate_static import Collection, ndcg, read_collection
from xsearch.train.neural.batches import Side
from xsearch.train.neural.corpus import Corpus, side
from xsearch.train.neural.pairs import Item

TRANSLATIONS, ANSWERS = "translations", "passages"
BATCH = 32
LEAST_POOL = 10


class Held:
    """Questions of texts kept from training, drawn once: the translation of a row among the other rows' ones
    ("translations"), the passage of a query among the other queries' ("passages")."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        rng = np.random.default_rng([seed, 13])
        rows = [corpus.rows.pick(row, 2, rng) for row in corpus.held_rows]
        answers = [corpus.section(row, rng) for row in corpus.held_sections]
        for number in corpus.held_pairs:
            pair = corpus.pairs[number]
            answers.append(((pair.query, pair.query_lang), (pair.positive, pair.positive_lang)))
        self._pools: dict[str, list[tuple[Item, Item]]] = {
            TRANSLATIONS: [(texts[0], texts[1]) for texts in rows if len(texts) == 2],
            ANSWERS: answers,
        }

    def measure(self, student: Any) -> dict[str, float]:
        """Mean reciprocal ranks by pool; pools of fewer than ten are left out."""
        return {name: float(np.mean(found)) for name, found in self._ranks(student).items()}

    def by_language(self, student: Any) -> dict[str, float]:
        """The mean reciprocal rank of questions in each language, all pools together, for the card."""
        found: dict[str, list[float]] = defaultdict(list)
        for name, ranks in self._ranks(student).items():
            for ((_, lang), _), value in zip(self._pools[name], ranks, strict=True):
                found[lang].append(value)
        return {lang: round(float(np.mean(values)), 3) for lang, values in sorted(found.items()) if lang}

    def _ranks(self, student: Any) -> dict[str, list[float]]:
        before = student.training
        student.eval()
        try:
            with torch.no_grad():
                return {
                    name: reciprocal_ranks(student, [q for q, _ in pool], [p for _, p in pool])
                    for name, pool in self._pools.items()
                    if len(pool) >= LEAST_POOL
                }
        finally:
            student.train(before)


class Measures:
    """What is measured at every evaluation: `held` texts, and nDCG@10 over all documents of each collection in one
    list, by its folder's name. A document is read up to the length of a passage; one of ID.LANG answers every wording
    of topic ID."""

    def __init__(self, held: Held, collections: Sequence[Path] = ()) -> None:
        self.held = held
        self._collections = {folder.name: read_collection(folder) for folder in collections}
        for folder, found in zip(collections, self._collections.values(), strict=True):
            if not found.documents or not found.topics:
                raise BadInput("holds no docs.jsonl and topics.jsonl to be measured with", str(folder))

    def measure(self, student: Any) -> dict[str, float]:
        """Figures by name."""
        found = self.held.measure(student)
        for name, collection in self._collections.items():
            found[f"{name} nDCG@10"] = searched(student, collection)
        return found


def searched(student: Any, collection: Collection) -> float:
    """Mean nDCG@10 of a collection's topics over all its documents."""
    documents = [(f"{d.get('title') or ''}\n{d['text']}", d["lang"]) for d in collection.documents]
    owners = np.array([d["id"].rsplit(".", 1)[0] for d in collection.documents])
    before = student.training
    student.eval()
    try:
        with torch.no_grad():
            encoded = [student.represent(part, "document") for part in _batches(documents)]
            means = []
            for start, asked in enumerate(_batches([(t["text"], t["lang"]) for t in collection.topics])):
                queries = student.represent(asked, "query")
                scores = torch.cat([student.scores(queries, some) for some in encoded], dim=1).float().cpu().numpy()
                topics = np.array([t["id"] for t in collection.topics[start * BATCH : start * BATCH + len(asked)]])
                means += ndcg(scores, topics[:, None] == owners).tolist()
    finally:
        student.train(before)
    return float(np.mean(means))


def reciprocal_ranks(student: Any, queries: list[Item], passages: list[Item]) -> list[float]:
    """1 / rank of passages[i] for queries[i] among all passages; equal scores and equal texts count half."""
    encoded = [student.represent(part, "document") for part in _batches(passages)]
    found: list[float] = []
    texts = np.array([text for text, _ in passages])
    start = 0
    for part in _batches(queries):
        asked = student.represent(part, "query")
        scores = torch.cat([student.scores(asked, some) for some in encoded], dim=1).float().cpu().numpy()
        for row, values in enumerate(scores, start):
            others = texts != texts[row]
            above, equal = (values > values[row])[others].sum(), (values == values[row])[others].sum()
            found.append(float(1 / (1 + above + equal / 2)))
        start += len(part)
    return found


def _batches(items: list[Item]) -> list[Side]:
    return [side(items[start : start + BATCH]) for start in range(0, len(items), BATCH)]
