"""Running a suite: what its systems score on its collections, with everything needed to repeat it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput, Qrels, Topic, UsageError
from xsearch.corpora.collections import AnyCollection, collection
from xsearch.corpora.formats.answers import Answers
from xsearch.corpora.formats.trec_run import write_run
from xsearch.engine import Index, create_index
from xsearch.engine.augmentation import augment
from xsearch.engine.clock import utc_now
from xsearch.engine.generators import load_generator
from xsearch.engine.runs import reranks, run_topic_ids
from xsearch.evaluate.evaluation import Confidence, Evaluation, evaluate
from xsearch.evaluate.fairness import pair_means
from xsearch.evaluate.indexed import document_texts
from xsearch.evaluate.provenance import provenance
from xsearch.evaluate.subsets import condensed_run
from xsearch.evaluate.suite import Suite, System, load_suite

SEED = 0


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """How a suite runs. root: where the collections' files are. results: a JSONL file that rows are appended to.
    runs: a folder that keeps the TREC runs. systems, collections: names of the only ones wanted. k, threads, clock:
    overrides."""

    root: Path | None = None
    results: Path | None = None
    runs: Path | None = None
    systems: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    k: int | None = None
    threads: int | None = None
    confidence: bool = True
    clock: Callable[[], datetime] = utc_now
    on_note: Callable[[str], None] = lambda note: None


Row = dict[str, Any]
"""What one system scored on one collection; see `run_suite`."""


def run_suite(name: str | Path | Suite, options: SuiteOptions | None = None) -> list[Row]:
    """Index every collection under every recipe, search, score.

    A row holds suite, collection, system, recipe, encoder with its fingerprint and search options, "measures", "by",
    "macro", "topics" and "intervals" as `Evaluation.to_json` has them (by pair the first measure alone), "pairs" as
    `pair_means` has it, "documents", "index_seconds", "index_bytes", "search_seconds", "ms_per_query" (wall clock over
    queries, all threads), the seed, and what `provenance` tells. Rows are appended to ``options.results`` as they
    come. Raises `BadInput` when a collection's files are missing, saying how to get them.
    """
    options = options or SuiteOptions()
    suite = name if isinstance(name, Suite) else load_suite(name)
    wanted = [system for system in suite.systems if not options.systems or system.name in options.systems]
    if not wanted:
        raise UsageError(f"no such system in {suite.name}: it has {', '.join(s.name for s in suite.systems)}")
    # Once, at the start: that is the code which runs, whatever is committed meanwhile.
    origin = provenance(options.clock(), threads=options.threads)
    names = [name for name in suite.collections if not options.collections or name in options.collections]
    if not names:
        raise UsageError(f"no such collection in {suite.name}: it has {', '.join(suite.collections)}")
    rows = []
    for source in _complete(names, options):
        for row in _run_collection(suite, source, wanted, options):
            rows.append({**row, **origin})
            if options.results is not None:
                append_row(options.results, rows[-1])
    return rows


def _complete(names: Sequence[str], options: SuiteOptions) -> list[AnyCollection]:
    """The collections; raises `BadInput` that says all that is missing of them, before any is indexed."""
    found = [collection(name, options.root, options.on_note) for name in names]
    missing = [problem for one in found for problem in one.missing().values()]
    if missing:
        raise BadInput("\n".join(missing))
    return found


def _run_collection(suite: Suite, found: AnyCollection, systems: list[System], options: SuiteOptions) -> Iterator[Row]:
    judged = Judged.of(found)
    asked = sampled(judged_topics(found.topics(), judged.topics, suite.topic_langs), suite.sample)
    if not asked:
        raise BadInput(f"{found.name}: no judged topics in {', '.join(suite.topic_langs) or 'any language'}")
    for recipe, encoder in dict.fromkeys((system.recipe, system.encoder) for system in systems):
        with tempfile.TemporaryDirectory(prefix="xsearch-suite-") as folder:
            built = _build(found, Path(folder) / "index", recipe, encoder)
            with built.index:
                for system in systems:
                    if (system.recipe, system.encoder) == (recipe, encoder):
                        yield _score(suite, found, system, built, asked, judged, options)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a collection goes by: judgments, or strings to look for in the documents."""

    qrels: Qrels | None
    answers: Answers | None

    @staticmethod
    def of(source: AnyCollection) -> Judged:
        """As the collection has it; one with neither raises `BadInput`."""
        answers = source.answers()
        return Judged(source.qrels() if source.has_qrels or answers is None else None, answers)

    @property
    def topics(self) -> set[str]:
        """Ids of the topics that can be scored."""
        return {row.topic for row in self.qrels} if self.qrels is not None else set(self.answers or ())


def judged_topics(topics: list[Topic], judged: Container[str], langs: tuple[str, ...]) -> list[Topic]:
    """The topics that are `judged`, in `langs` (all languages where it is empty)."""
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
    if augmented := index.snapshot.recipe.augment:
        # Where the recipe names no languages, questions are made in those that the topics are in.
        langs = augmented.langs or tuple(sorted({topic.lang for topic in source.topics() if topic.lang}))
        settings = msgspec.structs.replace(augmented, langs=langs)
        augment(folder, load_generator(settings.generator, index.snapshot), settings)
        index.refresh()
    seconds = time.perf_counter() - started
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return _Built(index, languages, count, seconds, size)


def _score(
    suite: Suite,
    source: AnyCollection,
    system: System,
    built: _Built,
    asked: list[Topic],
    judged: Judged,
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
    if source.about.candidates and judged.qrels is not None:
        run = condensed_run(run, judged.qrels)
    # A run topic is `id@lang` where one id has several wordings; otherwise the topics name the languages.
    result = evaluate(
        run,
        judged.qrels,
        suite.measures or source.about.measures,
        by=suite.by,
        doc_langs=built.languages,
        topics=asked,
        confidence=Confidence(seed=SEED) if options.confidence else None,
        answers=judged.answers,
        texts=document_texts(built.index),
    )
    settings = {key: value for key, value in msgspec.to_builtins(system).items() if key != "name" and value is not None}
    if encoder := built.index.manifest.encoder:
        settings["encoder"] = f"{encoder['name']} {encoder['fingerprint']}"
    # The recipe may name one; and a system may do without.
    settings.pop("rerank", None)
    if reranker := reranks(built.index, system.options()):
        settings["rerank"] = f"{reranker.card.name} {reranker.card.fingerprint}".strip()
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
    row: Row = {key: form[key] for key in ("measures", "by", "macro", "topics", "intervals", "notes") if key in form}
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
