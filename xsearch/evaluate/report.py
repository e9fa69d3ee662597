"""Results for people: Markdown tables and, with the ``plots`` extra, pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import UsageError
from xsearch.core.extras import need
from xsearch.evaluate.fairness import pair_matrix

Row = dict[str, Any]
MOST_GROUPS = 100
"""A breakdown into more groups than a reader takes in is shown as a heat map only."""


def latest(rows: Sequence[Row]) -> list[Row]:
    """The last row of each collection and system, in the order in which they first came."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        found[str(row["collection"]), str(row["system"])] = row
    return list(found.values())


def markdown(rows: Sequence[Row]) -> str:
    """A table a collection: a line a system, a column a measure with its interval, cost beside it, the best in bold;
    below, each breakdown by the first measure."""
    collections = dict.fromkeys(str(row["collection"]) for row in rows)
    parts = [_section(name, [row for row in latest(rows) if row["collection"] == name]) for name in collections]
    return "\n\n".join(parts) + "\n"


def _section(name: str, rows: Sequence[Row]) -> str:
    measures = list(dict.fromkeys(measure for row in rows for measure in row["measures"]))
    # More of the question's own language is not better.
    best = {m: max(row["measures"].get(m, 0.0) for row in rows) for m in measures if not m.startswith("share_same")}
    table = [["system", *measures, "ms/query", "index MB"]]
    for row in rows:
        cells = [_cell(row, measure, best.get(measure, 0.0)) for measure in measures]
        table.append([str(row["system"]), *cells, _number(row.get("ms_per_query"), 1), _megabytes(row)])
    text = (
        f"## {name}\n\n{rows[0]['topics']} topics, {rows[0].get('documents', '?')} documents\n\n{markdown_table(table)}"
    )
    for by in dict.fromkeys(by for row in rows for by in row.get("by", {})):
        if max(len(row.get("by", {}).get(by, {})) for row in rows) > MOST_GROUPS:
            continue
        text += f"\n\n### {name}, {measures[0]} by {by.replace('_', ' ')}\n\n{_breakdown(rows, by, measures[0])}"
    return text


def _breakdown(rows: Sequence[Row], by: str, measure: str) -> str:
    groups = sorted({group for row in rows for group in row["by"].get(by, {})})
    table = [[by.replace("_", " "), *(str(row["system"]) for row in rows)]]
    values = [[_number(row["by"].get(by, {}).get(group, {}).get(measure), 3) for row in rows] for group in groups]
    return markdown_table([*table, *([group, *cells] for group, cells in zip(groups, values, strict=True))])


def _cell(row: Row, measure: str, best: float) -> str:
    value = row["measures"].get(measure)
    text = _number(value, 3)
    if value is not None and value == best and best > 0:
        text = f"**{text}**"
    interval = row.get("intervals", {}).get("measures", {}).get(measure)
    return f"{text} ({interval[0]:.3f}–{interval[1]:.3f})" if interval else text


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _megabytes(row: Row) -> str:
    size = row.get("index_bytes")
    return "–" if size is None else f"{size / 1e6:.1f}"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first row as its head, every column but the first flush right."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "| --- |" + " ---: |" * (len(rows[0]) - 1)
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def plot_all(rows: Sequence[Row], folder: str | Path, measure: str) -> list[Path]:
    """Draw what the rows hold into `folder` as PNG: for each collection effectiveness against latency, bars by query
    and by document language, and a heat map of the pairs of its best system. Returns the files.
    Raises `MissingExtra` without matplotlib, `UsageError` when no row has `measure`."""
    rows = [row for row in latest(rows) if measure in row["measures"]]
    if not rows:
        raise UsageError(f"no result has the measure '{measure}'")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for name in dict.fromkeys(str(row["collection"]) for row in rows):
        own = [row for row in rows if row["collection"] == name]
        for what, figure in _figures(own, measure):
            path = folder / f"{name}.{what}.png".replace("/", "-").replace(":", "-")
            # Without its version in it matplotlib gives the same file for the same figures.
            figure.savefig(path, metadata={"Software": None}, bbox_inches="tight", dpi=80)
            made.append(path)
    return made


def _figures(rows: Sequence[Row], measure: str) -> Iterator[tuple[str, Any]]:
    if any(row.get("ms_per_query") for row in rows):
        yield "latency", _latency(rows, measure)
    for by in ("query_lang", "doc_lang"):
        if any(by in row.get("by", {}) for row in rows):
            yield by, _bars(rows, by, measure)
    paired = [row for row in rows if any(row.get("by", {}).get("pair", {}).values())]
    if paired:
        best = max(paired, key=lambda row: row["measures"][measure])
        yield "pairs", _heat_map(best, measure)


def _new_figure(width: float, height: float) -> tuple[Any, Any]:
    # The object interface: no global state, no display.
    figure: Any = need("matplotlib.figure", "plots", "drawing results").Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _latency(rows: Sequence[Row], measure: str) -> Any:
    figure, axes = _new_figure(6, 4)
    for row in (row for row in rows if "ms_per_query" in row):
        axes.scatter(row["ms_per_query"], row["measures"][measure])
        place = (row["ms_per_query"], row["measures"][measure])
        axes.annotate(str(row["system"]), place, xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", xlabel="ms per query", ylabel=measure, title=str(rows[0]["collection"]))
    ticker = need("matplotlib.ticker", "plots", "drawing results")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.margins(0.15)
    return figure


def _bars(rows: Sequence[Row], by: str, measure: str) -> Any:
    groups = sorted({group for row in rows for group in row["by"].get(by, {})})
    figure, axes = _new_figure(min(20.0, max(6.0, 0.12 * len(groups) * len(rows))), 4)
    width = 0.8 / len(rows)
    for i, row in enumerate(rows):
        values = [row["by"].get(by, {}).get(group, {}).get(measure, 0.0) for group in groups]
        axes.bar(np.arange(len(groups)) + i * width, values, width, label=str(row["system"]))
    axes.set_xticks(np.arange(len(groups)) + 0.4 - width / 2, groups, rotation=90)
    axes.set(ylabel=measure, title=f"{rows[0]['collection']}, by {by.replace('_', ' ')}")
    axes.margins(x=0.01)
    axes.legend(ncols=len(rows), fontsize=8)
    return figure


def _heat_map(row: Row, measure: str) -> Any:
    # Of pairs a suite keeps its first measure alone, which need not be the one that is drawn elsewhere.
    held = {name: None for values in row["by"]["pair"].values() for name in values}
    measure = measure if measure in held else next(iter(held))
    pairs = {name: values[measure] for name, values in row["by"]["pair"].items() if measure in values}
    asked, written, matrix = pair_matrix(pairs)
    figure, axes = _new_figure(2 + 0.25 * len(written), 1.5 + 0.25 * len(asked))
    image = axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(len(written)), written, rotation=90)
    axes.set_yticks(range(len(asked)), asked)
    axes.set(xlabel="document", ylabel="question", title=f"{row['collection']}, {row['system']}: {measure}")
    figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    return figure
