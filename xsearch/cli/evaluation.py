"""`xsearch evaluate`, `xsearch compare`: what a run is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.progress import say

if TYPE_CHECKING:
    from xsearch.evaluate import Comparison, Evaluation

DEFAULT_MEASURES = ["nDCG@10", "R@100", "AP"]
Measures = Annotated[
    list[str] | None, typer.Option("-m", "--measure", metavar="NAME", help="nDCG@10, R@100, AP, share_same@10 …")
]
QrelsFile = Annotated[Path | None, typer.Option("--qrels", metavar="FILE", help="The judgments (TREC qrels).")]
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")]


def evaluate(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A TREC run.")] = None,
    qrels: QrelsFile = None,
    measure: Measures = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="pair, query_lang or doc_lang.")] = None,
    lang: Annotated[str | None, typer.Option(metavar="xx", help="Language of topics that do not name theirs.")] = None,
    format: Format = "table",
    per_topic: Annotated[bool, typer.Option("--per-topic", help="With json: every topic's values too.")] = False,
    intervals: Annotated[bool, typer.Option("--intervals", help="95 % bootstrap confidence intervals.")] = False,
    check: Annotated[
        Path | None, typer.Option(metavar="BASELINE", help="Fail when below these figures (json output of before).")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="How far below counts as equal.")] = 0.005,
) -> None:
    """Score a run against judgments, also by language pair.

    A topic id `d017@de` is the German wording of topic d017; a document's language is the ending of its id (x.de).
    Each pair a-b is scored in its own pool: questions in a, documents in b.

    \b
    xsearch evaluate run.txt --qrels qrels.txt -m nDCG@10 -m R@100
    xsearch evaluate run.txt --qrels qrels.txt -m nDCG@10 --by pair --format json
    """
    from xsearch.core import UsageError
    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.evaluate import Confidence, evaluate, read_baseline, regressions

    if run is None or qrels is None:
        raise UsageError("give a run and its judgments: xsearch evaluate RUN --qrels FILE")
    result = evaluate(
        read_run(run),
        read_qrels(qrels, say),
        measure or DEFAULT_MEASURES,
        by=by,  # type: ignore[arg-type]  # `evaluate` names the known ones itself
        query_lang=lang,
        confidence=Confidence() if intervals else None,
    )
    for note in result.notes:
        say(note)
    form = result.to_json(per_topic)
    if format == "json":
        typer.echo(json.dumps(form, ensure_ascii=False, indent=1))
    else:
        _show(result)
    if check is not None:
        worse = regressions(form, read_baseline(check), tolerance)
        for one in worse:
            found = "nothing" if one.found is None else f"{one.found:.4f}"
            say(f"{one.where}: expected {one.expected:.4f}, found {found}")
        if worse:
            raise typer.Exit(1)


def _show(result: Evaluation) -> None:
    from xsearch.cli.display import table

    def interval(low_high: tuple[float, float] | None) -> str:
        return f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""

    rows = [(name, f"{value:.4f}", interval(result.intervals.get(name))) for name, value in result.measures.items()]
    table(["measure", f"mean of {result.topics:,} topics", "95 %"], rows, [f"mean of {result.topics:,} topics"])
    for breakdown, groups in result.by.items():
        names = list(result.measures)
        rows_of_groups = [(group, *(f"{values.get(n, 0):.4f}" for n in names)) for group, values in groups.items()]
        table([breakdown, *names], rows_of_groups, names)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="TREC runs; the first is the baseline.")],
    qrels: QrelsFile = None,
    measure: Measures = None,
    format: Format = "table",
) -> None:
    """Compare runs topic by topic, with significance.

    Paired t-test and randomisation test, Holm-corrected, and the topics that moved most.

    \b
    xsearch compare bm25.txt hybrid.txt --qrels qrels.txt -m nDCG@10
    """
    from xsearch.core import UsageError
    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.evaluate import compare

    if qrels is None or len(runs) < 2:
        raise UsageError("give two runs or more and their judgments: xsearch compare RUN RUN --qrels FILE")
    found = compare([read_run(run) for run in runs], read_qrels(qrels, say), measure or ["nDCG@10"])
    if format == "json":
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
    else:
        _show_comparisons(found)


def _show_comparisons(found: list[Comparison]) -> None:
    from xsearch.cli.display import table

    columns = ["measure", "baseline", "mean", "other", "mean ", "win/tie/loss", "p (t)", "p (rand.)", "Holm"]
    table(
        columns,
        [
            (
                one.measure,
                one.baseline,
                f"{one.baseline_mean:.4f}",
                one.other,
                f"{one.other_mean:.4f}",
                f"{one.wins}/{one.ties}/{one.losses}",
                f"{one.t_test:.4f}",
                f"{one.randomisation:.4f}",
                f"{one.randomisation_holm:.4f}",
            )
            for one in found
        ],
        ["mean", "mean ", "p (t)", "p (rand.)", "Holm"],
    )
    for one in found:
        moved = [(m.topic, f"{m.baseline:.3f}", f"{m.other:.3f}", f"{m.other - m.baseline:+.3f}") for m in one.moved]
        table(
            [f"{one.other}: moved most", one.baseline, one.other, "change"], moved, [one.baseline, one.other, "change"]
        )


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(evaluate)
    app.command()(compare)
