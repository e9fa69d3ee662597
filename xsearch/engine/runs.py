"""Many topics → a TREC run on disk, resumable: what an interrupted run had finished is not searched again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xsearch.core import Run, ScoredDoc, Topic
from xsearch.corpora.formats.trec_run import write_run
from xsearch.engine.index import Index
from xsearch.storage.files import refusals

TAG = "xsearch"


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
) -> RunDone:
    """Search every topic and write the run to `output`.

    Finished topics are appended to ``OUTPUT.part`` as they come; a later call with the same index state and options
    takes them from there. `output` appears whole, in trec_eval's order, when all are done.
    """
    named = run_topic_ids(topics)
    part = output.with_name(output.name + ".part")
    settings = part_settings(index, k, options)
    done = _read_part(part, settings)
    done = {topic.id: rows for topic in named if (rows := done.get(row_key(topic))) is not None}
    left = [topic for topic in named if topic.id not in done]
    keys = {topic.id: row_key(topic) for topic in named}
    with refusals(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    with refusals(part), part.open("a" if done else "w", encoding="utf-8") as stream:
        if not done:
            stream.write(settings + "\n")

        def keep(topic: str, rows: list[ScoredDoc]) -> None:
            stream.write(
                json.dumps([keys[topic], [[row.document, row.score] for row in rows]], ensure_ascii=False) + "\n"
            )
            done[topic] = rows
            on_progress(len(done))

        index.search_many(left, k, on_topic=keep, **options)
    run = Run.of((row for topic in named for row in done[topic.id]), TAG)
    with refusals(output):
        write_run(output, run)
        part.unlink()
    return RunDone(len(named), len(run), len(named) - len(left))


def part_settings(index: Index, k: int, options: Mapping[str, Any]) -> str:
    """The first line of a ``.part`` file: what its rows were found with."""
    manifest = index.manifest
    state = {"index": str(index.path.resolve()), "commit": manifest.commit, "updated": manifest.updated}
    return json.dumps(
        {**state, "created": manifest.created, "encoder": manifest.encoder, "k": k, **options}, sort_keys=True
    )


def row_key(topic: Topic) -> str:
    """How a ``.part`` file knows a topic: another wording, or language, under the same id is another question."""
    return json.dumps([topic.id, topic.lang, topic.text], ensure_ascii=False)


def _read_part(path: Path, settings: str) -> dict[str, list[ScoredDoc]]:
    """Topics an interrupted run had finished; none when it ran with other settings. A line cut short ends it."""
    done: dict[str, list[ScoredDoc]] = {}
    if not path.is_file():
        return done
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if lines[0] != settings:
        return done
    kept = [lines[0]]
    for line in lines[1:-1]:
        try:
            topic, rows = json.loads(line)
        except ValueError:
            break
        done[topic] = [ScoredDoc(json.loads(topic)[0], document, score) for document, score in rows]
        kept.append(line)
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return done
