"""Many topics → a TREC run on disk, resumable: what an interrupted run had finished is not searched again.

``OUTPUT.part`` holds the settings on its first line, then a line a finished topic. Rows go from there into the run a
topic at a time, so that memory does not grow with the number of topics.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from xsearch.core import Run, ScoredDoc, Topic, UnknownLanguage
from xsearch.corpora.compression import text_writer
from xsearch.corpora.formats.trec_run import run_lines
from xsearch.engine.index import Index
from xsearch.engine.search import SearchOptions, rerank_options
from xsearch.lang.codes import UNKNOWN, normalize_code
from xsearch.rank.rerank import Reranker
from xsearch.storage.files import refusals

TAG = "xsearch"
TOPICS_A_WORKER = 250
"""Fewer left to search are not worth another process, which takes a second or two to start."""


@dataclass(frozen=True, slots=True)
class RunDone:
    """Topics and lines of a finished run, and how many topics an earlier attempt had done."""

    topics: int
    rows: int
    resumed: int


def run_topic_ids(topics: Sequence[Topic]) -> list[Topic]:
    """Topics under the ids their run uses: `id`, or `id@lang` for all when some id comes in several languages."""
    counts = Counter(topic.id for topic in topics)
    if max(counts.values(), default=0) < 2:
        return list(topics)
    return [replace(topic, id=f"{topic.id}@{topic.lang or 'und'}") for topic in topics]


def resume_run(
    index: Index,
    topics: Sequence[Topic],
    output: Path,
    k: int,
    options: Mapping[str, Any],
    on_progress: Callable[[int], None] = lambda done: None,
    *,
    workers: int | None = None,
) -> RunDone:
    """Search every topic and write the run to `output`.

    Finished topics are appended to ``OUTPUT.part`` as they come; a later call with the same index state and options
    takes them from there. `output` appears whole, in trec_eval's order, when all are done. workers: processes; None
    stands for one a core, as far as there are topics enough. Raises `UnknownLanguage`, before any is searched, for a
    topic in a language that nobody knows.
    """
    named = run_topic_ids(topics)
    _check_languages(named)
    part = output.with_name(output.name + ".part")
    settings = part_settings(index, k, options)
    with refusals(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    with refusals(part), part.open("a+b") as file:
        places = _finished(file, settings)
        left = [topic for topic in named if row_key(topic) not in places]
        resumed = len(named) - len(left)
        # A device has one driver, and so has what a reranker's time is measured by.
        reranker = reranks(index, options)
        alone = index.snapshot.is_neural or (reranker and (reranker.card.is_neural or options.get("rerank_budget")))
        most = 1 if alone else os.cpu_count() or 1
        count = workers or min(most, max(1, len(left) // TOPICS_A_WORKER))
        for done, (topic, rows) in enumerate(index.search_each(left, k, workers=count, **options), start=1):
            key = row_key(topic)
            places[key] = _append(file, key, rows)
            on_progress(resumed + done)
        lines = _write_run(output, named, file, places)
    with refusals(part):
        part.unlink()
    return RunDone(len(named), lines, resumed)


def _check_languages(topics: Sequence[Topic]) -> None:
    for topic in topics:
        try:
            normalize_code(topic.lang or UNKNOWN)
        except UnknownLanguage as error:
            raise UnknownLanguage(f"topic {topic.id}: {error}") from error


def reranks(index: Index, options: Mapping[str, Any]) -> Reranker | None:
    """The reranker that a search with `options` uses."""
    chosen = rerank_options(index.snapshot, SearchOptions(1, **options))
    return index.rerankers.get(chosen.reranker) if chosen else None


def part_settings(index: Index, k: int, options: Mapping[str, Any]) -> str:
    """The first line of a ``.part`` file: what its rows were found with."""
    asked = {name: value for name, value in options.items() if value}
    manifest = index.manifest
    state: dict[str, Any] = {"index": str(index.path.resolve()), "commit": manifest.commit, "updated": manifest.updated}
    if reranker := reranks(index, options):
        state["reranker"] = [reranker.card.name, reranker.card.fingerprint]
    return json.dumps(
        {**state, "created": manifest.created, "encoder": manifest.encoder, "k": k, **asked}, sort_keys=True
    )


def row_key(topic: Topic) -> str:
    """How a ``.part`` file knows a topic: another wording, or language, under the same id is another question."""
    return json.dumps([topic.id, topic.lang, topic.text], ensure_ascii=False)


def _finished(file: BinaryIO, settings: str) -> dict[str, int]:
    """Where in a ``.part`` file the line of each finished topic begins. A line cut short, and what follows it, is cut
    off; a file of other settings is emptied and begun anew."""
    places: dict[str, int] = {}
    file.seek(0)
    head = settings.encode() + b"\n"
    if file.readline() != head:
        file.truncate(0)
        file.write(head)
        file.flush()
        return places
    start = file.tell()
    for line in file:
        try:
            key, _ = _row(line)
        except ValueError:
            break
        places[key] = start
        start += len(line)
    file.truncate(start)
    return places


def _row(line: bytes) -> tuple[str, list[tuple[str, float]]]:
    """The key and the (document, score) pairs of a line. Raises ValueError for one that is damaged."""
    if not line.endswith(b"\n"):
        raise ValueError("the line is cut short")
    try:
        key, rows = json.loads(line)
        return str(key), [(str(document), float(score)) for document, score in rows]
    except TypeError as error:
        raise ValueError(str(error)) from error


def _append(file: BinaryIO, key: str, rows: Sequence[ScoredDoc]) -> int:
    """Write a topic's line; returns where it begins."""
    line = json.dumps([key, [[row.document, row.score] for row in rows]], ensure_ascii=False)
    start = file.seek(0, os.SEEK_END)
    file.write(line.encode() + b"\n")
    file.flush()
    return start


def _write_run(output: Path, topics: Sequence[Topic], file: BinaryIO, places: Mapping[str, int]) -> int:
    """Write the run beside its place and move it there; returns its lines."""
    count = 0

    def lines() -> Iterator[str]:
        nonlocal count
        for topic in topics:
            file.seek(places[row_key(topic)])
            _, found = _row(file.readline())
            count += len(found)
            rows = Run.of((ScoredDoc(topic.id, document, score) for document, score in found), TAG)
            yield from run_lines(rows, TAG)

    # The name's end says how it is packed.
    beside = output.with_name(f".{output.name}")
    with refusals(output):
        with text_writer(beside) as stream:
            stream.writelines(lines())
        beside.replace(output)
    return count
