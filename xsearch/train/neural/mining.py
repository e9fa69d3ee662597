"""Hard negatives and a teacher's scores, by the engine itself: passages of the training data are indexed with the
retrievers that ship and asked for each query's positive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import BadInput, Document, Topic
from xsearch.engine import create_index
from xsearch.engine.rerank import NONE
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.pairs import Item, Pair, read_pairs
from xsearch.train.neural.recipe import Mining
from xsearch.train.progress import OnProgress, Progress

BLOCK = 2000
"""Passages a commit."""


def mine(corpus: Corpus, settings: Mining, seed: int, work: Path, on_progress: OnProgress) -> list[Pair]:
    """Queries of `corpus` with their positives, `settings.negatives` hard negatives each, and the fused scores of all.

    A passage that scores above the positive less `settings.margin` of it is taken for an answer that nobody marked and
    left out, as are other languages' versions of the positive (Moreira et al. 2024, "NV-Retriever", TopK-PercPos: a
    share of the positive's score as threshold; de Souza et al. name .95). Queries whose positive is not found, or that
    keep too few negatives, are dropped. What is mined is kept in `work`, and read from there when it is.
    """
    path = work / "mined.jsonl"
    if path.is_file():
        return [pair for _, pair in read_pairs(path)]
    rng = np.random.default_rng([seed, 17])
    questions = corpus.questions(settings.queries, rng)
    passages, owners = _passages(corpus, questions, settings.passages, rng)
    folder = work / "mining-index"
    shutil.rmtree(folder, ignore_errors=True)
    index = create_index(folder, settings.recipe)
    for start in range(0, len(passages), BLOCK):
        with index.writer() as writer:
            for number, (text, lang) in enumerate(passages[start : start + BLOCK], start):
                writer.add(Document(str(number), text, lang=lang or None))
        on_progress(Progress("mine", start, len(passages) + len(questions)))
    number_of = {item: number for number, item in enumerate(passages)}
    topics = [Topic(str(n), query[0], query[1] or None) for n, (query, _, _) in enumerate(questions)]
    mined = []
    for done, (topic, found) in enumerate(index.search_each(topics, settings.depth, rerank=NONE)):
        query, positive, owner = questions[int(topic.id)]
        scores = {int(row.document): row.score for row in found}
        right = scores.get(number_of[positive])
        if right is None:
            continue
        limit = right - settings.margin * abs(right)
        others = (n for n in scores if owners[n] != owner and n != number_of[positive])
        rivals = [n for n in others if scores[n] <= limit][: settings.negatives]
        if len(rivals) == settings.negatives:
            mined.append(
                Pair(
                    *(query[0], positive[0], query[1], positive[1]),
                    negatives=tuple(passages[n][0] for n in rivals),
                    negative_langs=tuple(passages[n][1] for n in rivals),
                    scores=(right, *(scores[n] for n in rivals)),
                )
            )
        if done % 100 == 0:
            on_progress(Progress("mine", len(passages) + done, len(passages) + len(questions)))
    shutil.rmtree(folder)
    if not mined:
        raise BadInput(f"no query of {len(questions)} has {settings.negatives} negatives: ask for fewer, or more depth")
    part = path.with_suffix(".part")
    part.write_bytes(b"".join(msgspec.json.encode(pair) + b"\n" for pair in mined))
    os.replace(part, path)
    return mined


def _passages(
    corpus: Corpus, questions: list[tuple[Item, Item, int]], most: int, rng: np.random.Generator
) -> tuple[list[Item], list[int]]:
    """Passages to index, positives first, and which question's group each answers: texts of one section share it."""
    owner_of: dict[Item, int] = {}
    for _, positive, owner in questions:
        owner_of.setdefault(positive, owner)
    for row in rng.permutation(len(corpus.bodies.texts)).tolist():
        if len(owner_of) >= most:
            break
        if corpus.bodies.weights[row]:
            owner_of.setdefault(corpus.bodies.pick(row, 1, rng)[0], row)
    return list(owner_of), list(owner_of.values())
