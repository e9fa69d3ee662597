"""Suites: collections, systems and measures in a TOML file; what they score, with everything needed to repeat it."""

from __future__ import annotations

import difflib
import json
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from xsearch.core import BadInput, Qrels, Topic, UsageError
from xsearch.core.data import data_path
from xsearch.corpora.collections import AnyCollection, collection
from xsearch.corpora.formats.trec_run import write_run
from xsearch.engine import Index, create_index
from xsearch.engine.clock import utc_now
from xsearch.engine.runs import run_topic_ids
from xsearch.evaluate.evaluation import Confidence, Evaluation, evaluate
from xsearch.evaluate.fairness import pair_means
from xsearch.evaluate.provenance import provenance

SUITES = "eval/suites"
SEED = 0


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way to search: an index recipe, and what its searches are told beyond it. Systems of one recipe and encoder
    share an index."""

    name: str
    recipe: str = "hybrid"
    encoder: str | None = None
    retrievers: tuple[str, ...] | None = None
    fusion: str | None = None
    depth: int | None = None

    def options(self) -> dict[str, Any]:
        """Keyword arguments of `Index.search_many`."""
        return {"retrievers": self.retrievers, "fusion": self.fusion, "depth": self.depth}


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A suite's TOML. measures: the collection's own where empty. topic_langs: wordings to use, all where empty.
    by: breakdowns (see `evaluate`). k: documents per topic. sample: about so many wordings, see `sampled`; 0 for all.
    """

    name: str
    title: str
    collections: tuple[str, ...]
    systems: tuple[System, ...]
    measures: tuple[str, ...] = ()
    topic_langs: tuple[str, ...] = ()
    by: tuple[Literal["pair", "query_lang", "doc_lang"], ...] = ("query_lang",)
    k: int = 1000
    sample: int = 0


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """How a suite runs. root: where the collections' files are. results: a JSONL file that rows are appended to.
    runs: a folder that keeps the TREC runs. systems: names of the only ones wanted. k, threads, clock: overrides."""

    root: Path | None = None
    results: Path | None = None
    runs: Path | None = None
    systems: tuple[str, ...] = ()
    k: int | None = None
    threads: int | None = None
    confidence: bool = True
    clock: Callable[[], datetime] = utc_now
    on_note: Callable[[str], None] = lambda note: None


Row = dict[str, Any]
"""What one system scored on one collection; see `run_suite`."""


def known_suites() -> dict[str, Path]:
    """Suites that ship, by name."""
    return {path.stem: path for path in sorted(data_path(SUITES).glob("*.toml"))}


def load_suite(name: str | Path) -> Suite:
    """A suite that ships, by name, or one in a file. Raises `UsageError` for a name nobody knows, `BadInput` for a
    file that is no suite."""
    path = Path(name)
    if path.suffix != ".toml":
        known = known_suites()
        if str(name) not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"unknown suite '{name}': {hint}")
        path = known[str(name)]
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Suite)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise BadInput(f"no suite: {error}", where=str(path)) from error


def run_suite(name: str | Path | Suite, options: SuiteOptions | None = None) -> list[Row]:
    """Index every collection under every recipe, search, score.

    A row holds suite, collection, system, recipe, encoder with its fingerprint and search options, "measures", "by",
    "topics" and "intervals" as `Evaluation.to_json` has them (by pair the first measure alone), "pairs" as `pair_means`
    has it, "documents", "index_seconds", "index_bytes", "search_seconds", "ms_per_query" (wall clock over queries, all
    threads), the seed, and what `provenance` tells. Rows are appended to ``options.results`` as they come. Raises
    `BadInput` when a collection's files are missing, saying how to get them.
    """
    options = options or SuiteOptions()
    suite = name if isinstance(name, Suite) else load_suite(name)
    wanted = [system for system in suite.systems if not options.systems or system.name in options.systems]
    if not wanted:
        raise UsageError(f"no such system in {suite.name}: it has {', '.join(s.name for s in suite.systems)}")
    # Once, at the start: that is the code which runs, whatever is committed meanwhile.
    origin = provenance(options.clock(), threads=options.threads)
    rows = []
    for source in suite.collections:
        for row in _run_collection(suite, source, wanted, options):
            rows.append({**row, **origin})
            if options.results is not None:
                append_row(options.results, rows[-1])
    return rows


def _run_collection(suite: Suite, name: str, systems: list[System], options: SuiteOptions) -> Iterator[Row]:
    found = collection(name, options.root if name != "demo" else None, options.on_note)
    qrels = found.qrels()
    asked = sampled(judged_topics(found.topics(), qrels, suite.topic_langs), suite.sample)
    if not asked:
        raise BadInput(f"{name}: no judged topics in {', '.join(suite.topic_langs) or 'any language'}")
    for recipe, encoder in dict.fromkeys((system.recipe, system.encoder) for system in systems):
        with tempfile.TemporaryDirectory(prefix="xsearch-suite-") as folder:
            built = _build(found, Path(folder) / "index", recipe, encoder)
            with built.index:
                for system in systems:
                    if (system.recipe, system.encoder) == (recipe, encoder):
                        yield _score(suite, found, system, built, asked, qrels, options)


def judged_topics(topics: list[Topic], qrels: Qrels, langs: tuple[str, ...]) -> list[Topic]:
    """The topics that have judgments, in `langs` (all languages where it is empty)."""
    judged = {row.topic for row in qrels}
    return [topic for topic in topics if topic.id in judged and (not langs or topic.lang in langs)]


def sampled(topics: list[Topic], number: int) -> list[Topic]:
    """Every n-th topic in all its wordings, n such that about `number` wordings are left; all where it is 0 or there
    are no more."""
    ids = list(dict.fromkeys(topic.id for topic in topics))
    step = max(1, round(len(topics) / number)) if number else 1
    kept = set(ids[::step])
    return [topic for topic in topics if topic.id in kept]


@dataclass(frozen=True, slots=True)
class _Built:
    index: Index
    languages: dict[str, str]
    documents: int
    seconds: float
    size: int


def _build(source: AnyCollection, folder: Path, recipe: str, encoder: str | None) -> _Built:
    """An index of a collection, with the languages its documents say they are in."""
    languages: dict[str, str] = {}
    count = 0
    started = time.perf_counter()
    index = create_index(folder, recipe, encoder)
    with index.writer() as writer:
        for document in source.documents():
            writer.add(document)
            count += 1
            if document.lang:
                languages[document.id] = document.lang
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return _Built(index, languages, count, seconds, size)


def _score(
    suite: Suite,
    source: AnyCollection,
    system: System,
    built: _Built,
    asked: list[Topic],
    qrels: Qrels,
    options: SuiteOptions,
) -> Row:
    named = run_topic_ids(asked)
    started = time.perf_counter()
    run = built.index.search_many(
        named, options.k or suite.k, tag=system.name, threads=options.threads, **system.options()
    )
    seconds = time.perf_counter() - started
    if options.runs is not None:
        options.runs.mkdir(parents=True, exist_ok=True)
        write_run(options.runs / f"{suite.name}.{source.name}.{system.name}.txt".replace("/", "-"), run)
    # A run topic is `id@lang` where one id has several wordings; otherwise the topics name the languages.
    result = evaluate(
        run,
        qrels,
        suite.measures or source.about.measures,
        by=suite.by,
        doc_langs=built.languages,
        topics=asked,
        confidence=Confidence(seed=SEED) if options.confidence else None,
    )
    settings = {key: value for key, value in msgspec.to_builtins(system).items() if key != "name" and value is not None}
    if encoder := built.index.manifest.encoder:
        settings["encoder"] = f"{encoder['name']} {encoder['fingerprint']}"
    costs = Costs(built.documents, built.seconds, built.size, len(named), seconds)
    return result_row((suite.name, source.name, system.name), settings, result, costs)


@dataclass(frozen=True, slots=True)
class Costs:
    """What a system took: documents, seconds to index them, bytes of the index, queries, seconds to answer them."""

    documents: int
    index_seconds: float
    index_bytes: int
    queries: int
    search_seconds: float


def result_row(names: tuple[str, str, str], settings: Mapping[str, Any], result: Evaluation, costs: Costs) -> Row:
    """A row of results, without its provenance. names: suite, collection, system. settings: what made the system."""
    suite, source, system = names
    return {
        "suite": suite,
        "collection": source,
        "system": system,
        **settings,
        **_figures(result),
        "documents": costs.documents,
        "index_seconds": round(costs.index_seconds, 3),
        "index_bytes": costs.index_bytes,
        "search_seconds": round(costs.search_seconds, 3),
        "ms_per_query": round(1000 * costs.search_seconds / max(1, costs.queries), 3),
        "seed": SEED,
    }


def _figures(result: Evaluation) -> Row:
    form = result.to_json()
    row: Row = {key: form[key] for key in ("measures", "by", "topics", "intervals", "notes") if key in form}
    if "pair" in row["by"]:
        row["pairs"] = pair_means(row["by"]["pair"])
        # There may be thousands of pairs: each keeps the first measure alone.
        first = next(iter(row["measures"]))
        by_pair = {pair: {first: values[first]} for pair, values in row["by"]["pair"].items() if first in values}
        row["by"] = {**row["by"], "pair": by_pair}
    return {key: _rounded(value) for key, value in row.items()}


def _rounded(value: Any) -> Any:
    """Floats with four digits, throughout a form."""
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return round(value, 4) if isinstance(value, float) else value


def append_row(path: Path, row: Row) -> None:
    """Append a result to a JSONL file, one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_rows(path: str | Path) -> list[Row]:
    """The results in a JSONL file. Raises `BadInput` with the line that is none."""
    rows = []
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            rows.append({**row, "measures": dict(row["measures"])})
        except (ValueError, TypeError, KeyError) as error:
            raise BadInput(f"no result: {error}", where=f"{path}:{number}") from error
    return rows
