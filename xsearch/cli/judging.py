"""`xsearch judge`: a person looks at results, one after the other, and every answer is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.options import DEFAULT_INDEX, IndexFolder
from xsearch.cli.progress import say

if TYPE_CHECKING:
    from xsearch.core import Hit, Topic
    from xsearch.engine import Index

SHOWN_CHARACTERS = 600
SKIP, QUIT = "s", "q"


class _Left(Exception):
    """The person has had enough."""


def judge(
    topics: Annotated[Path, typer.Option("--topics", metavar="FILE", help="The questions.")],
    qrels: Annotated[Path, typer.Option("--qrels", metavar="FILE", help="Answers are appended here.")],
    index: IndexFolder = DEFAULT_INDEX,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="RUN", help="Judge what these runs found, in place of the index's own results."),
    ] = None,
    depth: Annotated[int, typer.Option("-k", "--depth", min=1, help="Results per question (and run).")] = 10,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many answers.")] = None,
    grades: Annotated[int, typer.Option(min=1, help="The highest grade.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the order in which documents are shown.")] = 0,
) -> None:
    """Judge results: a question, a document with the passage that was found, and a key for the grade.

    Documents come in random order and without their ranks. What the qrels hold already is not asked again, so the
    loop can be left (q, Ctrl-C) and taken up any time.

    \b
    xsearch judge -i .xsearch --topics topics.jsonl --qrels qrels.txt
    xsearch judge --topics topics.jsonl --qrels qrels.txt --run bm25.txt --run hybrid.txt -k 20 --grades 3
    """
    from xsearch.core.wording import counted
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.engine import open_index
    from xsearch.evaluate import judge, pool, shuffled
    from xsearch.evaluate.indexed import answers

    asked = read_topics(topics)
    with open_index(index) as opened:
        found = [read_run(path, say) for path in run] if run else [answers(opened, asked, depth)]
        pairs = shuffled(pool(found, depth), seed)
        ask = _asker(opened, asked, grades, depth)
        made = 0
        try:
            for _ in judge(pairs, qrels, ask, limit=limit):
                made += 1
        except (_Left, KeyboardInterrupt):
            pass
    say(f"{qrels}: {counted(made, 'judgment')} added")


def _asker(index: Index, topics: Sequence[Topic], highest: int, depth: int) -> Callable[[str, str], int | None]:
    """A question on the terminal: topic, document → grade, None to leave it open; ends with `_Left`."""
    wordings: dict[str, list[Topic]] = {}
    for topic in topics:
        wordings.setdefault(topic.id, []).append(topic)
    hits: dict[str, dict[str, Hit]] = {}

    def ask(topic: str, document: str) -> int | None:
        if topic not in hits:
            hits[topic] = _evidence(index, wordings.get(topic, []), depth)
        _show(topic, wordings.get(topic, []), document, index, hits[topic].get(document))
        return _grade(highest)

    return ask


def _evidence(index: Index, wordings: Sequence[Topic], depth: int) -> dict[str, Hit]:
    """The hits of a topic's wordings by document, each from the wording that placed it best."""
    best: dict[str, Hit] = {}
    for topic in wordings:
        for hit in index.search(topic.text, depth, lang=topic.lang):
            if hit.id not in best or hit.rank < best[hit.id].rank:
                best[hit.id] = hit
    return best


def _show(topic: str, wordings: Sequence[Topic], document: str, index: Index, hit: Hit | None) -> None:
    from rich.text import Text

    from xsearch.cli.display import clean, console, marked, one_line, wrapped

    out = console()
    out.rule()
    # One wording is enough to judge by; the first is the file's own choice.
    question = wordings[0].text if wordings else "(not among the topics)"
    out.print(Text(f"{one_line(topic)}: {one_line(question)}", style="bold"))
    stored = index.document(document)
    if stored is None:
        out.print(Text(f"{one_line(document)}: not in this index"))
        return
    language = (hit.lang if hit else stored.lang) or "und"
    out.print(Text(f"[{language}] {one_line(document)}  {one_line(stored.title or '')}", style="dim"))
    if hit is not None:
        out.print(wrapped(marked(hit.snippet, hit.spans), out.width, out))
        out.print()
    out.print(Text(clean((hit.text if hit else stored.text)[:SHOWN_CHARACTERS])))


def _grade(highest: int) -> int | None:
    prompt = f"grade 0-{highest}, {SKIP} to skip, {QUIT} to stop: "
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        answer = line.strip().lower()
        if not line or answer == QUIT:
            raise _Left
        if answer == SKIP:
            return None
        if answer.isascii() and answer.isdigit() and int(answer) <= highest:
            return int(answer)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(judge)
