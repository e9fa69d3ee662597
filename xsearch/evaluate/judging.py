"""Making judgments: what to look at, and the loop that asks a person and loses nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from xsearch.core import Judgment, Qrels, Run, UsageError
from xsearch.corpora.formats.qrels import read_qrels, write_qrels

Pair = tuple[str, str]
"""A topic's id and a document's."""


def pool(runs: Sequence[Run], depth: int = 100) -> list[Pair]:
    """What the first `depth` results of any run bring up, each once, topics as first seen and documents by id.

    The pooling of Spärck Jones and van Rijsbergen (1975) as TREC does it; ``id@lang`` counts for `id`, since the
    wordings of a topic share their judgments. Raises `UsageError` for a depth below 1.
    """
    if depth < 1:
        raise UsageError(f"the depth of a pool must be at least 1, not {depth}")
    found: dict[str, set[str]] = {}
    for run in runs:
        for topic, rows in run.topics().items():
            name = topic.rpartition("@")[0] or topic
            found.setdefault(name, set()).update(row.document for row in rows[:depth])
    return [(topic, document) for topic, documents in found.items() for document in sorted(documents)]


def unjudged(pairs: Iterable[Pair], qrels: Qrels | None) -> list[Pair]:
    """The pairs without a judgment, in their order."""
    known = {(row.topic, row.document) for row in qrels or ()}
    return [pair for pair in pairs if pair not in known]


def shuffled(pairs: Sequence[Pair], seed: int = 0) -> list[Pair]:
    """Topics in their order, the documents of each in random order, so that an assessor sees no ranks."""
    generator = random.Random(seed)
    topics: dict[str, list[Pair]] = {}
    for pair in pairs:
        topics.setdefault(pair[0], []).append(pair)
    for found in topics.values():
        generator.shuffle(found)
    return [pair for found in topics.values() for pair in found]


def judge(
    pairs: Iterable[Pair], path: str | Path, ask: Callable[[str, str], int | None], *, limit: int | None = None
) -> Iterator[Judgment]:
    """Ask for the grade of every pair that `path` does not judge yet, and append each answer to it at once.

    ask: topic id, document id → grade, or None to leave the pair open. A loop that is left, by an exception or by not
    asking for the next judgment, has kept every answer; starting again goes on with what is open. limit: how many
    judgments to make. Yields them as they are made.
    """
    path = Path(path)
    known = read_qrels(path) if path.is_file() and path.stat().st_size else None
    _end_last_line(path)
    made = 0
    for topic, document in unjudged(pairs, known):
        if limit is not None and made >= limit:
            return
        grade = ask(topic, document)
        if grade is None:
            continue
        made += 1
        judgment = Judgment(topic, document, grade)
        write_qrels(path, Qrels((judgment,)), append=True)
        yield judgment


def _end_last_line(path: Path) -> None:
    if path.is_file() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
