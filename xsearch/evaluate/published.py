"""What others scored beside what was scored here: a table a suite, with room for what was not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import fmean

from xsearch.corpora.collections import known_collections
from xsearch.evaluate.report import Row, markdown_table
from xsearch.evaluate.suite import Published, Suite

ALL = "*"
NOT_RUN = "–"


def published_section(suite: Suite, rows: Sequence[Row]) -> str:
    """A Markdown table of the suite's published figures, one collection after the other, each followed by this
    engine's systems on the same questions; what has no row yet is a dash."""
    measures = list(dict.fromkeys(m for one in suite.published for found in one.figures.values() for m in found))
    table = [["collection", "questions", "system", *measures, "source"]]
    for name in [*suite.collections, ALL]:
        told = [one for one in suite.published if name in one.figures]
        for questions in dict.fromkeys(_questions(one, name) for one in told):
            for one in told:
                if _questions(one, name) == questions:
                    values = [_number(one.figures[name].get(measure)) for measure in measures]
                    table.append([_label(name, suite), questions, one.system, *values, one.source])
            for system in suite.systems:
                found = [_ours(suite, rows, name, questions, system.name, measure) for measure in measures]
                cells = [_number(value) for value in found]
                source = "here" if any(value is not None for value in found) else "not run"
                table.append([_label(name, suite), questions, f"**xsearch {system.name}**", *cells, source])
    return f"### {suite.name}\n\n{suite.title}\n\n{markdown_table(table)}"


def _questions(one: Published, collection: str) -> str:
    return one.questions if one.questions != "native" or collection == ALL else _native(collection)


def _label(collection: str, suite: Suite) -> str:
    return f"mean of {len(suite.collections)}" if collection == ALL else collection


def _ours(
    suite: Suite, rows: Sequence[Row], collection: str, questions: str, system: str, measure: str
) -> float | None:
    """This engine's value; over all of the suite's collections their mean, where each has one."""
    names = suite.collections if collection == ALL else [collection]
    values = [
        value
        for name in names
        for row in rows
        if (row["collection"], row["system"]) == (name, system)
        for value in _of_row(row, _native(name) if questions == "native" else questions, measure)
    ]
    return fmean(values) if len(values) == len(names) else None


@lru_cache(128)
def _native(collection: str) -> str:
    """The language of a collection's documents."""
    about = known_collections().get(collection)
    return about[0].languages[0] if about and about[0].languages else "und"


def _of_row(row: Row, questions: str, measure: str) -> Iterator[float]:
    if questions == "all":
        found = row["measures"]
    elif questions == "each":
        found = row.get("macro", {}).get("query_lang", {})
    else:
        found = row.get("by", {}).get("query_lang", {}).get(questions, {})
    if measure in found:
        yield float(found[measure])


def _number(value: float | None) -> str:
    return NOT_RUN if value is None else f"{value:.3f}"
