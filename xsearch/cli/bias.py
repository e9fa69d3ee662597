"""`xsearch bias`: does the answer depend on the language of the question?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.progress import say

if TYPE_CHECKING:
    from xsearch.evaluate import BiasReport

MOST_ROWS = 10


def bias(
    source: Annotated[Path, typer.Argument(metavar="INDEX|RUN", help="An index's folder, or a TREC run.")],
    topics: Annotated[
        Path | None, typer.Option("--topics", metavar="FILE", help="The same questions in several languages.")
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option("--qrels", metavar="FILE", help="Judgments, for the ranks of what is relevant.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--hits", min=1, help="How many results to compare.")] = 10,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")] = "table",
) -> None:
    """Put the same questions in several languages and compare the answers; needs no judgments.

    Overlap is the shared part of the first results (1: the language does not matter), correlation Spearman's of their
    ranks. `own language` is the share of results in the question's language.

    \b
    xsearch bias .xsearch --topics topics.jsonl
    xsearch bias run.txt --qrels qrels.txt -k 20 --format json
    """
    from xsearch.core import UsageError
    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.engine import open_index
    from xsearch.evaluate import bias
    from xsearch.evaluate.indexed import answers, document_languages

    judged = None if qrels is None else read_qrels(qrels, say)
    if source.is_file():
        report = bias(read_run(source, say), cutoff=k, qrels=judged)
    elif topics is None:
        raise UsageError("give the questions, each in several languages: xsearch bias INDEX --topics FILE")
    else:
        asked = read_topics(topics)
        with open_index(source) as index:
            run = answers(index, asked, k if judged is None else max(k, 1000))
            report = bias(run, cutoff=k, doc_langs=document_languages(index), qrels=judged)
    if format == "json":
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(report)


def _show(report: BiasReport) -> None:
    from xsearch.cli.display import table

    summary = [
        ("questions in two languages or more", f"{report.topics:,}"),
        (f"overlap of the first {report.cutoff}", f"{report.mean_overlap:.3f}"),
        ("rank correlation", f"{report.mean_correlation:.3f}"),
    ]
    if report.rank_variance is not None:
        summary.append(("variance of the first relevant rank", f"{report.rank_variance:.2f}"))
    table(["over all pairs of languages", "mean"], summary, ["mean"])
    found = [
        (
            lang,
            f"{report.same_language[lang]:.1%}",
            ", ".join(f"{code} {part:.0%}" for code, part in list(shares.items())[:5]),
        )
        for lang, shares in report.shares.items()
    ]
    table(["question", "own language", "results are in"], found, ["own language"])
    least = sorted(report.overlap.items(), key=lambda item: item[1])[:MOST_ROWS]
    rows = [(pair, f"{value:.3f}", f"{report.correlation.get(pair, float('nan')):.3f}") for pair, value in least]
    table(["least alike", "overlap", "correlation"], rows, ["overlap", "correlation"])


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(bias)
