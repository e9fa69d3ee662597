"""`xsearch topics`, `xsearch qrels`, `xsearch runs`: the field's files, from one form to another and in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import listed
from xsearch.cli.progress import say

topics = typer.Typer(no_args_is_help=True, help="Topic files: convert, subset.")
qrels = typer.Typer(no_args_is_help=True, help="Judgments: convert, subset.")
runs = typer.Typer(no_args_is_help=True, help="TREC runs: convert, subset, pool, fuse.")

Source = Annotated[Path, typer.Argument(metavar="IN", help="Plain, .gz, .xz or .zst.")]
Target = Annotated[Path, typer.Argument(metavar="OUT")]
Ids = Annotated[str | None, typer.Option("--ids", metavar="a,b|FILE", help="Only these topics; a file has one a line.")]
To = Annotated[str | None, typer.Option("--to", metavar="de,fa", help="Only documents in these (x.de is German).")]


def _ids(given: str | None) -> list[str] | None:
    """Topic ids from ``a,b`` or, where it names a file, from its lines (the first column of each)."""
    if given is None or not Path(given).is_file():
        return listed(given)
    from xsearch.corpora.formats.lines import byte_lines

    return [line.split()[0].decode("utf-8", "replace") for _, line in byte_lines(Path(given))]


@topics.command("convert")
def convert_topics(
    source: Source,
    target: Target,
    lang: Annotated[str | None, typer.Option(metavar="xx", help="Keep this language; or what all are in.")] = None,
    field: Annotated[str, typer.Option(metavar="NAME", help="title, desc or title+desc.")] = "title",
    machine: Annotated[bool, typer.Option("--machine", help="HC4: the machine-translated wordings.")] = False,
) -> None:
    """Write topics (HC4, NeuCLIR, CLEF, TREC, TSV, JSON lines) as JSON lines, or id⇥text for OUT.tsv.

    \b
    xsearch topics convert topics.xml topics.jsonl --field title+desc
    xsearch topics convert hc4.jsonl english.tsv --lang en
    """
    from typing import get_args

    from xsearch.core import UsageError
    from xsearch.core.wording import counted
    from xsearch.corpora.formats.topics import TopicField, read_topics, write_topics

    if field not in get_args(TopicField):
        raise UsageError(f"unknown field '{field}': known are {', '.join(get_args(TopicField))}")
    read = read_topics(source, lang, field=field, source="machine" if machine else "human")  # type: ignore[arg-type]
    write_topics(target, read)
    say(f"{target}: {counted(len(read), 'topic')}")


@topics.command("subset")
def subset_topics_file(
    source: Source,
    target: Target,
    ids: Ids = None,
    lang: Annotated[str | None, typer.Option(metavar="de,fa", help="Only wordings in these languages.")] = None,
) -> None:
    """Keep some topics.

    \b
    xsearch topics subset topics.jsonl few.jsonl --ids d001,d017 --lang de,fa
    """
    from xsearch.corpora.formats.topics import read_topics, write_topics
    from xsearch.evaluate import subset_topics

    wanted = _ids(ids)
    kept = subset_topics(read_topics(source), ids=wanted, langs=listed(lang))
    write_topics(target, kept)
    _lacking(wanted, {topic.id for topic in kept})
    _kept(target, len(kept), "topic")


@qrels.command("convert")
def convert_qrels(source: Source, target: Target) -> None:
    """Write judgments anew: checked, each pair once, unpacked.

    \b
    xsearch qrels convert qrels.txt.xz qrels.txt
    """
    from xsearch.core.wording import counted
    from xsearch.corpora.formats.qrels import read_qrels, write_qrels

    read = read_qrels(source, say)
    write_qrels(target, read)
    say(f"{target}: {counted(len(read), 'judgment')}")


@qrels.command("subset")
def subset_qrels_file(
    source: Source,
    target: Target,
    ids: Ids = None,
    to: To = None,
    grade: Annotated[int | None, typer.Option("--grade", help="Only this grade and higher.")] = None,
) -> None:
    """Keep some judgments.

    \b
    xsearch qrels subset qrels.txt german.txt --to de --grade 1
    """
    from xsearch.corpora.formats.qrels import read_qrels, write_qrels
    from xsearch.evaluate import subset_qrels

    wanted = _ids(ids)
    kept = subset_qrels(read_qrels(source, say), topics=wanted, doc_langs=listed(to), least_grade=grade)
    write_qrels(target, kept)
    _lacking(wanted, {row.topic for row in kept})
    _kept(target, len(kept), "judgment")


@runs.command("convert")
def convert_run(
    source: Source,
    target: Target,
    tag: Annotated[str | None, typer.Option(metavar="NAME", help="A tag in place of the run's.")] = None,
) -> None:
    """Write a run anew: checked, in trec_eval's order, ranks counted, unpacked.

    \b
    xsearch runs convert run.txt.gz run.txt --tag baseline
    """
    from dataclasses import replace

    from xsearch.core.wording import counted
    from xsearch.corpora.formats.trec_run import read_run, write_run

    read = read_run(source, say)
    write_run(target, read if tag is None else replace(read, tag=tag))
    say(f"{target}: {counted(len(read), 'line')}, {counted(len(read.topics()), 'topic')}")


@runs.command("subset")
def subset_run_file(
    source: Source,
    target: Target,
    ids: Ids = None,
    to: To = None,
    depth: Annotated[int | None, typer.Option("-k", "--depth", min=1, help="Then the first of each topic.")] = None,
) -> None:
    """Keep some topics, some documents, the first results.

    \b
    xsearch runs subset run.txt german.txt --to de -k 100
    """
    from xsearch.corpora.formats.trec_run import read_run, write_run
    from xsearch.evaluate import subset_run

    wanted = _ids(ids)
    kept = subset_run(read_run(source, say), topics=wanted, doc_langs=listed(to), depth=depth)
    write_run(target, kept)
    _lacking(wanted, {name for topic in kept.topics() for name in (topic, topic.rpartition("@")[0])})
    _kept(target, len(kept), "line")


@runs.command("pool")
def pool_runs(
    sources: Annotated[list[Path], typer.Argument(metavar="RUN...", help="TREC runs.")],
    depth: Annotated[int, typer.Option("-k", "--depth", help="Results of each run to take.")] = 100,
    judged: Annotated[
        Path | None, typer.Option("--qrels", metavar="FILE", help="Leave out what is judged here.")
    ] = None,
) -> None:
    """Print what needs a judgment, topic⇥document: everything that one of the runs has among its first.

    \b
    xsearch runs pool bm25.txt hybrid.txt -k 20 --qrels qrels.txt > open.tsv
    """
    from xsearch.core.wording import counted
    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.evaluate import pool, unjudged

    known = None if judged is None else read_qrels(judged, say)
    found = unjudged(pool([read_run(source, say) for source in sources], depth), known)
    for topic, document in found:
        typer.echo(f"{topic}\t{document}")
    say(f"{counted(len(found), 'pair')}")


@runs.command("fuse")
def fuse_run_files(
    sources: Annotated[list[Path], typer.Argument(metavar="RUN...", help="TREC runs.")],
    output: Annotated[Path, typer.Option("--output", metavar="RUN", help="Where the fused run goes.")],
    method: Annotated[str, typer.Option(metavar="NAME", help="rrf, zscore, minmax, roundrobin.")] = "rrf",
    weights: Annotated[str | None, typer.Option(metavar="1,0.5", help="One a run.")] = None,
    depth: Annotated[int | None, typer.Option("-k", "--depth", min=1, help="Results to keep of each topic.")] = None,
    tag: Annotated[str, typer.Option(metavar="NAME")] = "fused",
) -> None:
    """Make one run of several.

    \b
    xsearch runs fuse bm25.txt dense.txt --output both.txt --method rrf
    """
    from xsearch.core import UsageError
    from xsearch.core.wording import counted
    from xsearch.corpora.formats.trec_run import read_run, write_run
    from xsearch.evaluate import fuse_runs

    try:
        numbers = None if weights is None else [float(part) for part in listed(weights) or ()]
    except ValueError:
        raise UsageError(f"the weights '{weights}' are not numbers such as 1,0.5") from None
    fused = fuse_runs([read_run(source, say) for source in sources], method, weights=numbers, depth=depth, tag=tag)
    write_run(output, fused)
    say(f"{output}: {counted(len(fused), 'line')}, {counted(len(fused.topics()), 'topic')}")


def _lacking(wanted: list[str] | None, kept: set[str]) -> None:
    """Name topics that were asked for and of which nothing is left."""
    from xsearch.core.wording import counted

    lacking = [name for name in dict.fromkeys(wanted or ()) if name not in kept]
    if lacking:
        say(f"nothing of {counted(len(lacking), 'topic')} asked for: {', '.join(lacking[:5])}")


def _kept(target: Path, number: int, what: str) -> None:
    from xsearch.core.wording import counted

    say(f"{target}: {counted(number, what)} kept")
    if not number:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add this module's groups."""
    app.add_typer(topics, name="topics")
    app.add_typer(qrels, name="qrels")
    app.add_typer(runs, name="runs")
