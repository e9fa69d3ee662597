"""`xsearch evaluate`, `xsearch compare`: what a run is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xsearch.cli.progress import say

if TYPE_CHECKING:
    from xsearch.core import Qrels, Run, Topic
    from xsearch.evaluate import Comparison, Evaluation

DEFAULT_MEASURES = ["nDCG@10", "R@100", "AP"]
Measures = Annotated[
    list[str] | None, typer.Option("-m", "--measure", metavar="NAME", help="nDCG@10, R@100, AP, share_same@10 …")
]
QrelsFile = Annotated[Path | None, typer.Option("--qrels", metavar="FILE", help="The judgments (TREC qrels).")]
TopicsFile = Annotated[
    Path | None,
    typer.Option("--topics", metavar="FILE", help="The topics that were asked: what is unanswered scores 0."),
]
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")]


def evaluate(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A TREC run.")] = None,
    qrels: QrelsFile = None,
    topics: TopicsFile = None,
    index: Annotated[
        Path | None,
        typer.Option("-i", "--index", metavar="DIR", help="Ask this index the topics, in place of RUN; or name RUN's."),
    ] = None,
    measure: Measures = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="pair, query_lang or doc_lang; may be repeated.")
    ] = None,
    lang: Annotated[str | None, typer.Option(metavar="xx", help="Language of topics that do not name theirs.")] = None,
    k: Annotated[int, typer.Option("-k", "--hits", help="With an index and no run: documents per topic.")] = 1000,
    format: Format = "table",
    per_topic: Annotated[bool, typer.Option("--per-topic", help="Every topic's values too.")] = False,
    intervals: Annotated[bool, typer.Option("--intervals", help="95 % bootstrap confidence intervals.")] = False,
    check: Annotated[
        Path | None, typer.Option(metavar="BASELINE", help="Fail when below these figures (json output of before).")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="How far below counts as equal.")] = 0.005,
    suite: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Index, search and score the collections of a suite.")
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="ROOT", help="Suite: where the collections' files are.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Suite: append results here and render tables and plots.")
    ] = None,
    system: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Suite: only this system.")] = None,
) -> None:
    """Score a run, an index or a suite of collections.

    A topic id `d017@de` is the German wording of topic d017; a document's language comes from the index, or is the
    ending of its id (x.de). Each pair a-b is scored in its own pool: questions in a, documents in b. With --topics a
    wording that got no answer counts as 0; --lang keeps that language's wordings.

    \b
    xsearch evaluate run.txt --qrels qrels.txt -m nDCG@10 -m R@100
    xsearch evaluate run.txt --qrels qrels.txt --topics topics.jsonl -m nDCG@10 --by pair --format json
    xsearch evaluate -i .xsearch --topics topics.jsonl --qrels qrels.txt --intervals -m Judged@10
    xsearch evaluate --suite demo --out results
    """
    from xsearch.core import UsageError

    if format not in ("table", "json"):
        raise UsageError(f"unknown format '{format}': known are table, json")
    if suite is not None:
        if run or qrels or topics or index or measure or by or check:
            raise UsageError(
                "a suite names its own topics, judgments and measures; with --suite go --data, --out, --system"
            )
        from xsearch.cli.suites import run_named_suite

        run_named_suite(suite, data, out, tuple(system or ()), format)
        return
    if data or out or system:
        raise UsageError("--data, --out and --system belong to --suite NAME")
    if qrels is None or (run is None and (index is None or topics is None)):
        raise UsageError("give a run and its judgments (xsearch evaluate RUN --qrels FILE), an index and its topics "
                         "(-i DIR --topics FILE --qrels FILE), or --suite NAME")  # fmt: skip
    result = _scored(run, qrels, topics, index, k, measure or DEFAULT_MEASURES, by or [], lang, intervals)
    for note in result.notes:
        say(note)
    form = result.to_json(per_topic)
    if format == "json":
        typer.echo(json.dumps(form, ensure_ascii=False, indent=1))
    else:
        _show(result, per_topic)
    if check is not None and not _holds(form, check, tolerance):
        raise typer.Exit(1)


def _scored(
    run: Path | None,
    qrels: Path,
    topics: Path | None,
    index: Path | None,
    k: int,
    measures: list[str],
    by: list[str],
    lang: str | None,
    intervals: bool,
) -> Evaluation:
    from xsearch.core import Run
    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.evaluate import Confidence, evaluate, parse_measures

    parse_measures(measures)  # A misspelt name should be told before an hour of searching.
    judged = read_qrels(qrels, say)
    asked = None if topics is None else _judged_only(read_topics(topics, lang), judged)
    given = read_run(run, say) if run is not None else None
    languages: dict[str, str] = {}
    if index is not None:
        given, languages = _ask_index(index, given, asked, judged, k)
    return evaluate(
        given or Run("none", ()),
        judged,
        measures,
        by=by,  # type: ignore[arg-type]  # `evaluate` names the known ones itself
        doc_langs=languages,
        query_lang=lang,
        topics=asked,
        confidence=Confidence() if intervals else None,
    )


def _judged_only(topics: list[Topic], qrels: Qrels) -> list[Topic]:
    judged = {row.topic for row in qrels}
    kept = [topic for topic in topics if topic.id in judged]
    if len(kept) < len(topics):
        say(f"{len(topics) - len(kept):,} of {len(topics):,} topics have no judgments and are left out")
    unasked = judged - {topic.id for topic in topics}
    if unasked:
        say(f"{len(unasked):,} judged topics are not asked and are left out: {', '.join(sorted(unasked)[:5])}")
    return kept


def _ask_index(
    folder: Path, run: Run | None, topics: list[Topic] | None, qrels: Qrels, k: int
) -> tuple[Run, dict[str, str]]:
    from xsearch.engine import open_index
    from xsearch.evaluate.indexed import answers, document_languages, unknown_documents

    with open_index(folder) as opened:
        languages = document_languages(opened)
        unknown = unknown_documents(qrels, languages)
        if unknown:
            say(f"{len(unknown):,} relevant documents are not in {folder}: {', '.join(unknown[:5])}")
        return answers(opened, topics or [], k) if run is None else run, languages


def _holds(form: dict[str, Any], baseline: Path, tolerance: float) -> bool:
    from xsearch.evaluate import read_baseline, regressions

    worse = regressions(form, read_baseline(baseline), tolerance)
    for one in worse:
        found = "nothing" if one.found is None else f"{one.found:.4f}"
        say(f"{one.where}: expected {one.expected:.4f}, found {found}")
    return not worse


def _show(result: Evaluation, per_topic: bool) -> None:
    from xsearch.cli.display import table

    def interval(low_high: tuple[float, float] | None) -> str:
        return f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""

    rows = [(name, f"{value:.4f}", interval(result.intervals.get(name))) for name, value in result.measures.items()]
    table(["measure", f"mean of {result.topics:,} topics", "95 %"], rows, [f"mean of {result.topics:,} topics"])
    for breakdown, groups in [*result.by.items(), *([("topic", result.per_topic)] if per_topic else [])]:
        names = [name for name in result.measures if any(name in values for values in groups.values())]
        rows_of_groups = [(group, *(f"{values[n]:.4f}" for n in names)) for group, values in groups.items()]
        table([breakdown, *names], rows_of_groups, names)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="TREC runs; the first is the baseline.")],
    qrels: QrelsFile = None,
    topics: TopicsFile = None,
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
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.evaluate import compare

    if qrels is None or len(runs) < 2:
        raise UsageError("give two runs or more and their judgments: xsearch compare RUN RUN --qrels FILE")
    judged = read_qrels(qrels, say)
    asked = None if topics is None else _judged_only(read_topics(topics), judged)
    found = compare([read_run(run, say) for run in runs], judged, measure or ["nDCG@10"], topics=asked)
    if format == "json":
        typer.echo(json.dumps([one.to_json() for one in found], ensure_ascii=False, indent=1))
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
