"""`xsearch query`, `xsearch demo`: questions, one or many."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xsearch.cli.options import DEFAULT_INDEX, Device, IndexFolder, Precision, Trust, listed, seconds
from xsearch.cli.progress import Progress, say

if TYPE_CHECKING:
    from xsearch.core import Hit, Query
    from xsearch.engine import Index
    from xsearch.engine.search import Found

FORMATS = ("table", "json", "jsonl", "trec")


def query(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="The question; - reads stdin.")] = None,
    index: IndexFolder = DEFAULT_INDEX,
    k: Annotated[int | None, typer.Option("-k", "--hits", help="Documents wanted (10; 1000 with --topics).")] = None,
    lang: Annotated[str | None, typer.Option(metavar="xx", help="The question's language.")] = None,
    to: Annotated[str | None, typer.Option(metavar="de,fa", help="Only documents in these languages.")] = None,
    filter: Annotated[
        str | None, typer.Option("--filter", metavar="EXPR", help="Only documents that satisfy this: year >= 2020")
    ] = None,
    retrievers: Annotated[str | None, typer.Option(metavar="bm25,dense", help="Only these retrievers.")] = None,
    fusion: Annotated[str | None, typer.Option(metavar="NAME", help="fair, rrf, zscore, minmax, roundrobin.")] = None,
    depth: Annotated[int | None, typer.Option(help="Passages per retriever and language before fusion.")] = None,
    balance: Annotated[bool, typer.Option("--balance", help="An equal share for every language found.")] = False,
    rerank: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="Score the best documents again; none for not at all.")
    ] = None,
    rerank_depth: Annotated[int | None, typer.Option(help="Documents reranked (as its card says).")] = None,
    rerank_passages: Annotated[int | None, typer.Option(help="Passages of each, the best found first (1).")] = None,
    rerank_budget: Annotated[
        str | None, typer.Option(metavar="200ms", help="Time for reranking; the best list so far is shown.")
    ] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Compare all vectors, where else the likely ones suffice."),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show each retriever's rank, score and support, and what met what.")
    ] = False,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="table, json, jsonl, trec.")] = "table",
    topics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Many questions: JSONL, TSV, CLEF/TREC topics.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="RUN", help="Where the TREC run goes.")] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    trust: Trust = None,
) -> None:
    """Ask in any language; all languages answer in one list.

    Words in "quotes" match as a phrase, +word is required, -word excluded, title:word looks in titles only.

    \b
    xsearch query "presidential elections in Iran"
    xsearch query "Wahlen im Iran" --to fa,ar -k 5 --explain
    xsearch query "solar energy" --filter 'year >= 2020' --format json
    xsearch query "solar energy" --rerank bge-reranker-v2-m3 --rerank-budget 2s
    xsearch query --topics topics.jsonl --lang de --output run.txt
    """
    from xsearch.core import UsageError

    if format not in FORMATS:
        raise UsageError(f"unknown format '{format}': known are {', '.join(FORMATS)}")
    if (text is None) == (topics is None):
        raise UsageError("give a question, or --topics FILE with --output RUN")
    options: dict[str, Any] = {
        "to": listed(to),
        "filter": filter,
        "retrievers": listed(retrievers),
        "fusion": fusion,
        "depth": depth,
        "balance": balance,
        "rerank": rerank,
        "rerank_depth": rerank_depth,
        "rerank_passages": rerank_passages,
        "rerank_budget": None if rerank_budget is None else seconds(rerank_budget),
        "exact": exact,
    }
    if topics is not None:
        if output is None:
            raise UsageError("--topics needs --output RUN: where the run goes")
        _run_topics(_opened(index, device, precision, trust), topics, output, 1000 if k is None else k, lang, options)
        return
    asked = sys.stdin.read() if text == "-" else text or ""
    _ask(_opened(index, device, precision, trust), asked, 10 if k is None else k, lang, options, explain, format)


def _opened(folder: Path, device: str, precision: str, trust: str | None) -> Index:
    from xsearch.encode import Runtime
    from xsearch.engine import open_index

    return open_index(folder, Runtime(device, precision, trust=trust))


def _ask(
    index: Index, text: str, k: int, lang: str | None, options: dict[str, Any], explain: bool, format: str
) -> None:
    from xsearch.core import UsageError
    from xsearch.engine import SearchOptions
    from xsearch.engine.hits import make_hits

    if not text.strip():
        raise UsageError("the question is empty")
    snapshot, found = index.find(text, SearchOptions(k, lang, **options))
    for note in found.notes:
        say(note)
    hits = make_hits(snapshot, found, explain)
    if format == "json":
        typer.echo(
            json.dumps(
                {
                    "query": query_record(text, found.query, hits),
                    **rerank_record(found),
                    "suggestions": {s.word: list(s.nearest) for s in found.suggestions},
                    "hits": [hit_record(h) for h in hits],
                },
                ensure_ascii=False,
                indent=1,
            )
        )
    elif format == "jsonl":
        for hit in hits:
            typer.echo(json.dumps(hit_record(hit), ensure_ascii=False))
    elif format == "trec":
        from xsearch.corpora.formats.trec_run import run_line

        for hit in hits:
            typer.echo(run_line("q", hit.id, hit.rank, hit.score, "xsearch"))
    elif hits:
        from xsearch.cli.hits import show_hits

        show_hits(hits, explain)
        for lang, by_word in found_as(hits).items():
            words = "; ".join(f"{word} → {', '.join(found)}" for word, found in by_word.items())
            say(f"{lang}: {words}")
    if not hits:
        say("nothing found")
        raise typer.Exit(1)


def query_record(text: str, query: Query, hits: Sequence[Hit] = ()) -> dict[str, Any]:
    """A query as JSON output shows it; with explained hits, what its words were found as in each language."""
    record: dict[str, Any] = {
        "text": text,
        "lang": query.lang,
        "langs": {code: round(weight, 4) for code, weight in query.langs},
    }
    if translated := found_as(hits):
        record["translations"] = translated
    return record


def rerank_record(found: Found) -> dict[str, Any]:
    """What JSON output says of a reranker beside the hits, nothing without one."""
    done = found.reranked
    if done is None:
        return {}
    record = {"reranker": done.name, "documents": done.asked, "reranked": done.done, "complete": done.complete}
    return {"rerank": record | {"ms": round(done.seconds * 1000, 1)}}


def found_as(hits: Sequence[Hit]) -> dict[str, dict[str, list[str]]]:
    """By language and word of the query: the words that translate it in the hits, the surest first."""
    strengths: dict[str, dict[str, dict[str, float]]] = {}
    for hit in hits:
        for match in hit.matches:
            words = strengths.setdefault(hit.lang, {}).setdefault(match.query, {})
            word = match.word.lower()
            words[word] = max(match.strength, words.get(word, 0.0))
    return {
        lang: {asked: sorted(words, key=lambda word: (-words[word], word)) for asked, words in by_word.items()}
        for lang, by_word in strengths.items()
    }


def hit_record(hit: Hit) -> dict[str, Any]:
    """A hit as JSON output shows it."""
    record: dict[str, Any] = {
        "rank": hit.rank,
        "id": hit.id,
        "lang": hit.lang,
        "score": hit.score,
        "title": hit.title,
        "snippet": hit.snippet,
        "spans": [list(span) for span in hit.spans],
        "start": hit.start,
        "end": hit.end,
        "metadata": dict(hit.metadata),
    }
    if hit.questions:
        record["questions"] = [asdict(question) for question in hit.questions]
    if hit.explain:
        record["explain"] = [asdict(part) for part in hit.explain]
        record["matches"] = [asdict(match) for match in hit.matches]
    if hit.met:
        record["met"] = [asdict(match) for match in hit.met]
    if hit.rerank:
        record["rerank"] = asdict(hit.rerank)
    return record


def _run_topics(index: Index, topics: Path, output: Path, k: int, lang: str | None, options: dict[str, Any]) -> None:
    from xsearch.core.wording import counted
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.engine.runs import resume_run
    from xsearch.lang import normalize_code

    asked = read_topics(topics, normalize_code(lang) if lang else None)
    for topic in asked:
        if topic.lang:
            normalize_code(topic.lang)
    progress = Progress("topics", len(asked))
    done = resume_run(index, asked, output, k, options, progress.update)
    progress.clear()
    resumed = f", {done.resumed:,} of them done before" if done.resumed else ""
    say(f"{output}: {counted(done.topics, 'topic')}{resumed}, {counted(done.rows, 'line')}, {progress.seconds:.1f} s")
    for trouble, count in index.rerankers.counts.items():
        say(f"{trouble}: {count:,}")


def demo(
    index: Annotated[Path, typer.Option("-i", "--index", metavar="DIR", help="Where the demo's index goes.")] = Path(
        ".demo"
    ),
) -> None:
    """Index the collection that ships and question it.

    \b
    xsearch demo
    xsearch query "bees and flowers" -i .demo
    """
    from xsearch.core.wording import counted
    from xsearch.engine.demo import QUESTIONS, build_demo

    progress = Progress("documents")
    opened = build_demo(index)
    languages = counted(len(opened.manifest.languages), "language")
    say(f"{counted(len(opened), 'document')} in {languages} indexed in {progress.seconds:.1f} s")
    from xsearch.cli.hits import show_hits

    for text, to in QUESTIONS:
        shown = f"{text}" + (f"  (only {', '.join(to)})" if to else "")
        typer.echo(f"\n{shown}")
        show_hits(opened.search(text, k=4, to=to), explain=False)
    say(f'\nask it yourself: xsearch query "bees and flowers" -i {index}')


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(query)
    app.command()(demo)
