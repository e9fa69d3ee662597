"""`xsearch evaluate`, `xsearch compare`: what a run is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.progress import say

if TYPE_CHECKING:
    from xsearch.core import Qrels, Run, Topic
    from xsearch.evaluate import Comparison, Evaluation, Regression

DEFAULT_MEASURES = ["nDCG@10", "R@100", "AP"]
DEFAULT_ANSWER_MEASURES = ["R@2kt", "R@5kt", "Answer@100"]
Measures = Annotated[
    list[str] | None, typer.Option("-m", "--measure", metavar="NAME", help="nDCG@10, R@100, AP, share_same@10 …")
]
QrelsFile = Annotated[Path | None, typer.Option("--qrels", metavar="FILE", help="The judgments (TREC qrels).")]
AnswersFile = Annotated[
    Path | None,
    typer.Option("--answers", metavar="FILE", help="For R@2kt, Answer@100: JSON lines with id and answers, or MKQA's."),
]
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
    answers: AnswersFile = None,
    docs: Annotated[
        Path | None, typer.Option(metavar="PATH", help="For these, without an index: documents with the texts.")
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
        Path | None, typer.Option(metavar="BASELINE", help="Fail where a figure, in any group, fell below these.")
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
    collection: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Suite: only this collection.")] = None,
) -> None:
    """Score a run, an index or a suite of collections.

    A topic id `d017@de` is the German wording of topic d017; a document's language comes from the index, or is the
    ending of its id (x.de). Each pair a-b is scored in its own pool: questions in a, documents in b. With --topics a
    wording that got no answer counts as 0; --lang keeps that language's wordings.

    \b
    xsearch evaluate run.txt --qrels qrels.txt -m nDCG@10 -m R@100
    xsearch evaluate run.txt --qrels qrels.txt --topics topics.jsonl -m nDCG@10 --by pair --format json
    xsearch evaluate -i .xsearch --topics topics.jsonl --qrels qrels.txt --intervals -m Judged@10
    xsearch evaluate run.txt --answers xor_dev.jsonl -i .xsearch -m R@2kt -m R@5kt --by query_lang
    xsearch evaluate --suite demo --out results
    """
    from xsearch.core import UsageError
    from xsearch.evaluate import read_baseline, regressions

    if format not in ("table", "json"):
        raise UsageError(f"unknown format '{format}': known are table, json")
    if suite is not None:
        if run or qrels or topics or index or measure or by or answers or docs:
            raise UsageError(
                "a suite names its own topics, judgments and measures; with --suite go --data, --out, --system, "
                "--collection, --check"
            )
        from xsearch.cli.suites import run_named_suite

        only = tuple(system or ()), tuple(collection or ())
        if not run_named_suite(suite, data, out, only, format, check, tolerance):
            raise typer.Exit(1)
        return
    if data or out or system or collection:
        raise UsageError("--data, --out, --system and --collection belong to --suite NAME")
    if (qrels is None and answers is None) or (run is None and (index is None or topics is None)):
        raise UsageError("give a run and its judgments (xsearch evaluate RUN --qrels FILE), an index and its topics "
                         "(-i DIR --topics FILE --qrels FILE), or --suite NAME")  # fmt: skip
    if answers is not None and index is None and docs is None:
        raise UsageError(
            "--answers needs the documents' texts: give the index with -i DIR, or the documents with --docs"
        )
    measures = measure or (DEFAULT_ANSWER_MEASURES if qrels is None else DEFAULT_MEASURES)
    files = _Files(run, qrels, topics, index, answers, docs)
    baseline = None if check is None else read_baseline(check)
    # What the baseline has by language is held against it by language.
    breakdowns = list(dict.fromkeys([*(by or []), *(baseline or {}).get("by", {})]))
    result = _scored(files, k, measures, breakdowns, lang, intervals)
    for note in result.notes:
        say(note)
    form = result.to_json(per_topic)
    if format == "json":
        typer.echo(json.dumps(form, ensure_ascii=False, indent=1))
    else:
        _show(result, per_topic)
    if baseline is not None and not holds(regressions(form, baseline, tolerance)):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Files:
    run: Path | None
    qrels: Path | None
    topics: Path | None
    index: Path | None
    answers: Path | None
    docs: Path | None


def _scored(files: _Files, k: int, measures: list[str], by: list[str], lang: str | None, intervals: bool) -> Evaluation:
    from xsearch.core import Run
    from xsearch.corpora.formats.answers import read_answers
    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.corpora.formats.trec_run import read_run
    from xsearch.evaluate import Confidence, evaluate, parse_measures

    parse_measures(measures)  # A misspelt name should be told before an hour of searching.
    judged = None if files.qrels is None else read_qrels(files.qrels, say)
    answers = None if files.answers is None else read_answers(files.answers)
    known = set(answers or ()) if judged is None else {row.topic for row in judged}
    asked = None if files.topics is None else _judged_only(read_topics(files.topics, lang), known)
    given = read_run(files.run, say) if files.run is not None else None
    languages: dict[str, str] = {}
    if files.index is not None:
        given, languages = _ask_index(files.index, given, asked, judged, k)
    return evaluate(
        given or Run("none", ()),
        judged,
        measures,
        by=by,  # type: ignore[arg-type]  # `evaluate` names the known ones itself
        doc_langs=languages,
        query_lang=lang,
        topics=asked,
        confidence=Confidence() if intervals else None,
        answers=answers,
        texts=_texts(files, given) if answers is not None and given is not None else None,
    )


def _texts(files: _Files, run: Run) -> Callable[[str], str | None]:
    """Texts of the run's documents by id, from the documents' files or else the index."""
    if files.docs is None:
        from xsearch.engine import open_index
        from xsearch.evaluate.indexed import document_texts

        return document_texts(open_index(files.index or ""))
    from xsearch.corpora.reading import read_path

    wanted = {row.document for row in run}
    return {document.id: document.text for document in read_path(files.docs) if document.id in wanted}.get


def _judged_only(topics: list[Topic], judged: set[str]) -> list[Topic]:
    from xsearch.core.wording import counted

    kept = [topic for topic in topics if topic.id in judged]
    if len(kept) < len(topics):
        say(f"no judgments for {len(topics) - len(kept):,} of {counted(len(topics), 'topic')}, left out")
    unasked = judged - {topic.id for topic in topics}
    if unasked:
        say(f"{counted(len(unasked), 'judged topic')} not asked, left out: {', '.join(sorted(unasked)[:5])}")
    return kept


def _ask_index(
    folder: Path, run: Run | None, topics: list[Topic] | None, qrels: Qrels | None, k: int
) -> tuple[Run, dict[str, str]]:
    from xsearch.core.wording import counted
    from xsearch.engine import open_index
    from xsearch.evaluate.indexed import answers, document_languages, unknown_documents

    with open_index(folder) as opened:
        languages = document_languages(opened)
        unknown = unknown_documents(qrels, languages) if qrels is not None else []
        if unknown:
            say(f"{counted(len(unknown), 'relevant document')} not in {folder}: {', '.join(unknown[:5])}")
        return answers(opened, topics or [], k) if run is None else run, languages


def holds(worse: list[Regression]) -> bool:
    """Tell what fell; whether nothing did."""
    for one in worse:
        found = "nothing" if one.found is None else f"{one.found:.4f}"
        say(f"{one.where}: expected {one.expected:.4f}, found {found}")
    return not worse


def _show(result: Evaluation, per_topic: bool) -> None:
    from xsearch.cli.display import table
    from xsearch.core.wording import counted

    def interval(name: str) -> list[str]:
        low_high = result.intervals.get(name)
        return [f"{low_high[0]:.3f} to {low_high[1]:.3f}" if low_high else ""] if result.intervals else []

    rows = [(name, f"{value:.4f}", *interval(name)) for name, value in result.measures.items()]
    mean = f"mean of {counted(result.topics, 'topic')}"
    table(["measure", mean, *(["95 %"] if result.intervals else [])], rows, [mean])
    for breakdown, groups in [*result.by.items(), *([("topic", result.per_topic)] if per_topic else [])]:
        names = [name for name in result.measures if any(name in values for values in groups.values())]
        rows_of_groups = [(group, *(f"{values[n]:.4f}" for n in names)) for group, values in groups.items()]
        if breakdown in result.macro and len(groups) > 1:
            means = result.macro[breakdown]
            rows_of_groups.append(("mean", *(f"{means[n]:.4f}" if n in means else "" for n in names)))
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
    from xsearch.evaluate import compare

    if qrels is None or len(runs) < 2:
        raise UsageError("give two runs or more and their judgments: xsearch compare RUN RUN --qrels FILE")
    judged = read_qrels(qrels, say)
    asked = None if topics is None else _judged_only(read_topics(topics), {row.topic for row in judged})
    found = compare(_told_apart(runs), judged, measure or ["nDCG@10"], topics=asked)
    if format == "json":
        typer.echo(json.dumps([one.to_json() for one in found], ensure_ascii=False, indent=1))
    else:
        _show_comparisons(found)


def _told_apart(paths: list[Path]) -> list[Run]:
    """The runs, under the names of their files where tags would not tell them apart."""
    from dataclasses import replace

    from xsearch.corpora.formats.trec_run import read_run

    runs = [read_run(path, say) for path in paths]
    if len({run.tag for run in runs}) == len({str(path) for path in paths}):
        return runs
    same = len({path.name for path in paths}) < len(paths)
    return [replace(run, tag=str(path) if same else path.name) for run, path in zip(runs, paths, strict=True)]


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
        if not one.moved:
            continue
        moved = [(m.topic, f"{m.baseline:.3f}", f"{m.other:.3f}", f"{m.other - m.baseline:+.3f}") for m in one.moved]
        table(
            [f"{one.other}: moved most", one.baseline, one.other, "change"], moved, [one.baseline, one.other, "change"]
        )


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(evaluate)
    app.command()(compare)
