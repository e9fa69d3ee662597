"""`xsearch train pairs`: pairs to train on from one's own documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.progress import Progress, say

if TYPE_CHECKING:
    from xsearch.train.mining import MiningReport


def register(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command()(pairs)


def pairs(
    source: Annotated[Path, typer.Argument(metavar="INDEX|PATH", help="An index, or files to be indexed for this.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="Where the pairs go: JSON lines.")] = Path("pairs.jsonl"),
    origin: Annotated[
        list[str] | None, typer.Option(help="title, heading, question, comparable, aligned; all where none is named.")
    ] = None,
    least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Score that comparable documents have at least.")
    ] = None,
    found: Annotated[
        int, typer.Option(min=0, help="Keep a pair whose query finds its document among so many; 0 keeps all.")
    ] = 10,
    link: Annotated[str, typer.Option(metavar="FIELD", help="Metadata that documents on one thing share.")] = "",
    exclude: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="JSON lines whose texts must stay out; may be repeated.")
    ] = None,
) -> None:
    """Mine pairs of queries and passages, to train on. What is done stays: the same command again goes on.

    \b
    xsearch train pairs .xsearch --output pairs.jsonl
    xsearch train pairs ./docs --origin comparable --origin aligned --exclude topics.jsonl
    """
    from dataclasses import replace

    from xsearch.core import UsageError
    from xsearch.engine import open_index
    from xsearch.storage import has_index
    from xsearch.train.mining import ORIGINS, MiningOptions, mine_pairs

    if unknown := [name for name in origin or () if name not in ORIGINS]:
        raise UsageError(f"unknown origin '{unknown[0]}': known are {', '.join(ORIGINS)}")
    chosen = tuple(name for name in ORIGINS if name in (origin or ORIGINS))
    options = MiningOptions(chosen, found=found, link=link, exclude=tuple(exclude or ()))
    if least is not None:
        options = replace(options, least=least)
    progress = Progress("documents")

    def on_progress(stage: str, done: int, total: int) -> None:
        progress.total = total
        progress.update(done, f" ({stage})")

    with open_index(source if has_index(source) else _indexed(source, output, progress)) as index:
        report = mine_pairs(index, output, options, on_progress)
    progress.clear()
    _say(output, report)
    raise typer.Exit(0 if report.pairs else 1)


def _say(output: Path, report: MiningReport) -> None:
    from xsearch.core.wording import counted

    counts = ", ".join(f"{count:,} {name}" for name, count in report.pairs.items())
    say(f"{output}: {counted(report.pairs.total(), 'pair')}{f' ({counts})' if counts else ''}")
    if report.comparable:
        say(f"  {counted(report.comparable, 'pair')} of comparable documents")
    for why, count in sorted(report.dropped.items()):
        say(f"  {count:,} dropped: {why}")
    if report.excluded:
        say(f"  {counted(report.excluded, 'document')} left out: they hold excluded text")
    for note in report.notes:
        say(f"  {note}")


def _indexed(source: Path, output: Path, progress: Progress) -> Path:
    """The index of files beside the output, brought up to date where it is there already."""
    from xsearch.corpora import scan
    from xsearch.engine import create_index, index_paths, open_index
    from xsearch.engine.ingest import Listener
    from xsearch.storage import has_index

    # A path that does not exist must not leave an empty index behind.
    scan([source], lambda path, reason: None)
    folder = output.with_name(f"{output.name}.index")
    with open_index(folder) if has_index(folder) else create_index(folder) as index:
        listener = Listener(lambda text: say(text, progress), lambda done, files: progress.update(done, " (indexed)"))
        index_paths(index, [source], listener=listener)
    return folder
