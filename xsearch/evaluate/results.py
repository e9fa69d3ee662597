"""A folder of results as a page for people: a summary, a table a collection, plots; and a check that it is current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from xsearch.core import BadInput
from xsearch.evaluate.published import published_section
from xsearch.evaluate.report import Row, latest, markdown, markdown_table, plot_all
from xsearch.evaluate.suite import Suite, known_suites, load_suite
from xsearch.evaluate.suites import read_rows

PAGE, PUBLISHED = "README.md", "published.md"
MEASURE = "nDCG@10"
START, END = "<!-- results -->", "<!-- /results -->"


def read_results(folder: str | Path) -> list[Row]:
    """The newest row of each collection and system in a folder's ``*.jsonl``, files by name, ``peers.jsonl`` last.
    Files that hold no measures at all (those of benchmarks of speed) are left alone. Raises `BadInput` where there is
    no row."""
    files = sorted(Path(folder).glob("*.jsonl"), key=lambda path: (path.stem == "peers", path.name))
    scored = [path for path in files if '"measures"' in path.read_text(encoding="utf-8")]
    rows = latest([row for path in scored for row in read_rows(path)])
    if not rows:
        raise BadInput("no results (*.jsonl) in this folder", where=str(folder))
    return rows


def summary(rows: Sequence[Row]) -> str:
    """A Markdown table, a line a collection and system: nDCG@10 within a language and across languages, each pair in
    its own pool; in the pool of all languages; and which part of the first ten is in the question's own language."""
    table = [["collection", "system", "same language", "across languages", "all in one pool", "own language in top 10",
              "ms/query"]]  # fmt: skip
    for name in dict.fromkeys(str(row["collection"]) for row in rows):
        for row in rows:
            if row["collection"] == name:
                pairs = row.get("pairs", {})
                table.append([
                    name,
                    str(row["system"]),
                    _figure(pairs.get("same", {}).get(MEASURE)),
                    _figure(pairs.get("cross", {}).get(MEASURE)),
                    _figure(row["measures"].get(MEASURE)),
                    _share(row["measures"].get("share_same@10")),
                    f"{row['ms_per_query']:.1f}" if "ms_per_query" in row else "–",
                ])  # fmt: skip
    return markdown_table(table)


def overview(rows: Sequence[Row]) -> str:
    """A Markdown table, a line a system and a column a collection: nDCG@10 within a language, across languages and in
    the pool of all languages. Systems stand from the least to the best by what they reach in all pools; one that was
    run on a single collection of several is left to the page of results."""
    collections = list(dict.fromkeys(str(row["collection"]) for row in rows))
    of: dict[str, dict[str, Row]] = {}
    for row in rows:
        of.setdefault(str(row["system"]), {})[str(row["collection"])] = row
    table = [["system", *collections]]
    least = min(2, len(collections))
    systems = sorted((name for name in of if len(of[name]) >= least), key=lambda name: (_mean(of[name]), name))
    table += [[system, *(_three(of[system].get(collection)) for collection in collections)] for system in systems]
    return markdown_table(table)


def _mean(rows: Mapping[str, Row]) -> float:
    return sum(float(row["measures"].get(MEASURE, 0.0)) for row in rows.values()) / len(rows)


def _three(row: Row | None) -> str:
    if row is None:
        return "–"
    pairs = row.get("pairs", {})
    same, cross = (pairs.get(kind, {}).get(MEASURE) for kind in ("same", "cross"))
    return " · ".join(_figure(value).removeprefix("0") for value in (same, cross, row["measures"].get(MEASURE)))


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def page(folder: str | Path) -> str:
    """The whole page of a results folder, Markdown; plots are shown where they stand in the folder."""
    folder = Path(folder)
    rows = read_results(folder)
    parts = [
        "# Results",
        "Made from the JSON lines in this folder by `xsearch results`; do not edit. nDCG@10 is a mean: *same language* "
        "and *across languages* over language pairs, each with a pool of its own (questions in a, documents in b); "
        "*all in one pool* over all questions, with documents of all languages ranked in one list. Parallel "
        "collections hold every document in every language, so that in one pool a ranking without preference has few "
        "documents of the question's own language among its first ten.",
        summary(rows),
        markdown(rows).strip(),
    ]
    scored = {row["collection"] for row in rows}
    beside = [suite for suite in _suites() if scored.intersection(suite.collections)]
    if beside:
        parts += ["## Beside published figures", *(published_section(suite, rows) for suite in beside)]
    parts.append(
        f"Published figures of all suites, with room for rows that are yet to come: [{PUBLISHED}]({PUBLISHED})."
    )
    pictures = sorted(path.name for path in folder.glob("*.png"))
    if pictures:
        parts += ["## Plots", *(f"![{name.removesuffix('.png').replace('.', ', ')}]({name})" for name in pictures)]
    parts += ["## Where the figures come from", _origins(rows)]
    return "\n\n".join(parts) + "\n"


def published_page(folder: str | Path) -> str:
    """What others scored on the collections of all suites, with this engine's rows where they have been run."""
    rows = read_results(folder)
    parts = [
        "# Published figures",
        "Made by `xsearch results` from `eval/suites` and the rows in this folder; do not edit. Figures of others, "
        "from the sources named, for collections whose documents must be had from their owners. A dash says that a "
        "system was not run on them, or not scored by that measure; `xsearch evaluate --suite NAME --data DIR --out "
        "eval/results` fills it in. *native* questions are in the documents' language; *each* is the mean over the "
        "questions' languages, *all* the one over all questions.",
        *(published_section(suite, rows) for suite in _suites()),
    ]
    return "\n\n".join(parts) + "\n"


def _suites() -> list[Suite]:
    """The suites that ship and have published figures."""
    return [suite for path in known_suites().values() if (suite := load_suite(path)).published]


def pages(folder: str | Path) -> dict[Path, str]:
    """The pages of a results folder and their texts."""
    return {Path(folder) / PAGE: page(folder), Path(folder) / PUBLISHED: published_page(folder)}


def _origins(rows: Sequence[Row]) -> str:
    """Where the figures come from: a line a collection and system."""
    table = [["collection", "system", "date", "commit", "machine", "command"]]
    for row in rows:
        date, command = str(row.get("date", "–"))[:10], f"`{row.get('command', '–')}`"
        place = [str(row.get(key, "–")) for key in ("commit", "machine")]
        table.append([str(row["collection"]), str(row["system"]), date, *place, command])
    return markdown_table(table)


def render(folder: str | Path, plots: bool = True) -> Path:
    """Draw the plots and write the pages; returns the first one's path. Without matplotlib (extra ``plots``) the
    pages are written and the plots stay as they are."""
    folder = Path(folder)
    if plots:
        _draw(folder)
    for target, text in pages(folder).items():
        target.write_text(text, encoding="utf-8")
    return folder / PAGE


def _draw(folder: Path) -> None:
    from importlib.util import find_spec

    rows = read_results(folder)
    if find_spec("matplotlib") and any(MEASURE in row["measures"] for row in rows):
        plot_all(rows, folder, MEASURE)


def with_summary(folder: str | Path, readme: str | Path) -> str:
    """The text of `readme` with the overview between its markers, of whole systems: rows that say nothing of languages
    (every pair of retrievers) stay on the page of results. Raises `BadInput` when it has none."""
    text = Path(readme).read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise BadInput(f"no place for the table: put the lines {START} and {END} where it goes", where=str(readme))
    rows = read_results(folder)
    whole = [row for row in rows if {MEASURE, "share_same@10"} <= row["measures"].keys()]
    return f"{before}{START}\n{overview(whole or rows)}\n{END}{after}"


def drifted(folder: str | Path, readme: str | Path | None = None) -> list[Path]:
    """The pages that are not what the results say: the folder's own, and `readme` where given."""
    made = pages(folder)
    stale = [own for own, text in made.items() if not own.is_file() or own.read_text(encoding="utf-8") != text]
    if readme is not None and Path(readme).read_text(encoding="utf-8") != with_summary(folder, readme):
        stale.append(Path(readme))
    return stale
