"""Pairs from a collection's judgments: a document judged relevant answers its topic, one judged otherwise does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xsearch.core import BadInput
from xsearch.corpora import read_path
from xsearch.corpora.formats.qrels import read_qrels
from xsearch.corpora.formats.topics import read_topics
from xsearch.train.neural.pairs import Pair


@dataclass(frozen=True)
class Judgments:
    """qrels, topics: files in any form that `evaluate` and `query --topics` take. docs: as `index` takes them."""

    qrels: Path
    topics: Path
    docs: Path


def judged_pairs(judgments: Judgments, lang: str) -> Iterator[tuple[str, Pair]]:
    """(where it comes from, pair) for every relevant document of a topic; its negatives are the documents that the
    same topic's judges turned down. lang: of the topics' wordings; "" for all, each then being a topic of its own.
    Raises `BadInput` where no judged document is found."""
    grades = read_qrels(judgments.qrels).topics()
    wanted = {document for judged in grades.values() for document in judged}
    texts = {
        each.id: f"{each.title}\n{each.text}" if each.title else each.text
        for each in read_path(judgments.docs)
        if each.id in wanted
    }
    if not texts:
        raise BadInput(f"none of its {len(wanted):,} documents is in {judgments.docs}", str(judgments.qrels))
    for topic in read_topics(judgments.topics, lang or None):
        judged = grades.get(topic.id, {})
        turned_down = tuple(texts[d] for d, grade in judged.items() if grade <= 0 and d in texts)
        for document, grade in judged.items():
            if grade > 0 and document in texts:
                where = f"{judgments.qrels}, topic {topic.id}"
                yield where, Pair(topic.text, texts[document], topic.lang or "", "", turned_down)
