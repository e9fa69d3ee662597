"""`xsearch evaluate --suite` and `xsearch results`: whole collections, and the pages made of what they scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.progress import say

if TYPE_CHECKING:
    from xsearch.evaluate.suites import Row


def run_named_suite(
    name: str,
    data: Path | None,
    out: Path | None,
    only: tuple[tuple[str, ...], tuple[str, ...]],
    format: str,
    check: Path | None = None,
    tolerance: float = 0.005,
) -> bool:
    """Run a suite and show a line a collection and system; with `out` keep the rows and render the page. Whether no
    figure fell behind those stored in `check`, results as `out` keeps them. only: systems and collections, all where
    empty."""
    from xsearch.cli.evaluation import holds
    from xsearch.evaluate.baseline import row_regressions
    from xsearch.evaluate.results import render
    from xsearch.evaluate.suite import load_suite
    from xsearch.evaluate.suites import SuiteOptions, read_rows, run_suite

    suite = load_suite(name)
    # Read before the suite appends to it.
    stored = [] if check is None else read_rows(check)
    results = None if out is None else out / f"{suite.name}.jsonl"
    rows = run_suite(suite, SuiteOptions(data, results, systems=only[0], collections=only[1], on_note=say))
    if format == "json":
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        _show(rows)
    if out is not None:
        say(f"{render(out)}: rendered from {results} and the results beside it")
    return holds(row_regressions(rows, stored, tolerance))


def _show(rows: list[Row]) -> None:
    from xsearch.cli.display import table

    measures = list(dict.fromkeys(name for row in rows for name in row["measures"]))
    lines = [
        (
            row["collection"],
            row["system"],
            *(f"{row['measures'][name]:.4f}" if name in row["measures"] else "" for name in measures),
            f"{row['ms_per_query']:.1f}",
        )
        for row in rows
    ]
    table(["collection", "system", *measures, "ms/query"], lines, [*measures, "ms/query"])


def results(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of results, as `--out` makes it.")],
    readme: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put the summary between this file's results markers, too.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with 1 where a page is not up to date.")
    ] = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw the plots anew (extra `plots`).")] = True,
) -> None:
    """Render results (JSON lines) as a page with tables and plots.

    The summary table also goes into another page, between the lines `<!-- results -->` and `<!-- /results -->`.

    \b
    xsearch results eval/results --readme README.md
    xsearch results eval/results --readme README.md --check
    """
    from xsearch.evaluate.results import drifted, render, with_summary

    if check:
        stale = drifted(folder, readme)
        for path in stale:
            say(f"{path}: not what the results say; run `xsearch results {folder}`")
        if stale:
            raise typer.Exit(1)
        return
    say(f"{render(folder, plots)}: rendered")
    if readme is not None:
        readme.write_text(with_summary(folder, readme), encoding="utf-8")
        say(f"{readme}: summary table replaced")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(results)
