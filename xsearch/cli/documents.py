"""`xsearch index`, `xsearch delete`: documents in and out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.options import DEFAULT_INDEX, Device, IndexFolder, Precision, Trust
from xsearch.cli.progress import Progress, say

if TYPE_CHECKING:
    from xsearch.encode import Runtime
    from xsearch.engine import Index

SHOWN_MESSAGES = 50


def index(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders; - reads stdin.")],
    index: IndexFolder = DEFAULT_INDEX,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="hybrid (default), bm25, dense, or a TOML file.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="An encoder other than the one that ships.")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    trust: Trust = None,
    lang: Annotated[
        str | None, typer.Option(metavar="xx", help="The documents' language (identified if not given).")
    ] = None,
    text_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="The field, or column, that is the text of records.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="The files' encoding, e.g. cp866 (detected if not given).")
    ] = None,
    max_document_bytes: Annotated[
        int | None, typer.Option(metavar="N", help="The largest document, and line of records (67108864).")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Read unchanged files too.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="End at the first bad record.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove the documents of files that are gone.")] = False,
) -> None:
    """Index files and folders, or bring an index up to date.

    txt, md, html, epub, srt, vtt, eml, mbox, json, jsonl, csv, tsv, TREC SGML, pdf and docx (extra `ingest`), also
    .gz .xz .zst. Unchanged files are skipped, changed ones replaced.

    \b
    xsearch index ./docs
    xsearch index news.jsonl.gz -i news --lang fa
    cat records.jsonl | xsearch index - -i idx
    """
    from dataclasses import replace

    from xsearch.core.wording import counted
    from xsearch.corpora import ReadOptions, scan
    from xsearch.encode import Runtime
    from xsearch.engine import IngestOptions, index_paths
    from xsearch.engine.ingest import Listener

    reading = ReadOptions(encoding=encoding, text_field=text_field)
    if max_document_bytes is not None:
        reading = replace(reading, max_document_bytes=max_document_bytes)
    # A path that does not exist must not leave an empty index behind.
    scan([path for path in paths if path != "-"], lambda path, reason: None)
    opened = _open_or_create(index, recipe, encoder, Runtime(device, precision, trust=trust))
    progress = Progress("documents")
    shown = 0

    def message(text: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= SHOWN_MESSAGES:
            say(text, progress)

    report = index_paths(
        opened,
        paths,
        IngestOptions(lang, strict, prune, again, os.cpu_count() or 1, reading),
        Listener(message, lambda documents, files: progress.update(documents, f", {counted(files, 'file')}")),
        sys.stdin.buffer if "-" in paths else None,
    )
    progress.clear()
    if shown > SHOWN_MESSAGES:
        say(f"… and {counted(shown - SHOWN_MESSAGES, 'more message')}")
    for path in report.vanished[:SHOWN_MESSAGES]:
        say(f"{path}: gone{'' if prune else '; its documents stay (remove them with --prune)'}")
    rate = report.documents / max(progress.seconds, 1e-9)
    read = f"{counted(report.documents, 'document')} from {counted(report.files, 'file')}"
    counts = [f"{read} in {progress.seconds:.1f} s ({rate:,.0f}/s)"]
    # Whoever gives such an option wants it to hold for files that were read without it.
    unread = " (--again reads what is unchanged too)" if (lang or encoding or text_field) and not again else ""
    counts += [
        f"{counted(number, noun)} {what}"
        for number, noun, what in (
            (report.unchanged, "file", f"unchanged{unread}"),
            (report.duplicates, "document", "replaced by a later one of the same id"),
            (report.removed, "document", "removed"),
            (report.data, "document", "with data that is not searched"),
            (report.bad, "bad record", "skipped"),
            (report.skipped, "file", "skipped"),
        )
        if number
    ]
    say("; ".join(counts))
    opened.refresh()
    manifest = opened.manifest
    passages, languages = counted(manifest.passages, "passage"), counted(len(manifest.languages), "language")
    say(f"{index}: {counted(len(opened), 'document')}, {passages}, {languages}")
    if not len(opened):
        say("nothing to search yet: no document was read")
        raise typer.Exit(1)


def _open_or_create(folder: Path, recipe: str | None, encoder: str | None, runtime: Runtime) -> Index:
    from xsearch.core import EncoderMismatch, UsageError
    from xsearch.engine import create_index, load_recipe, open_index
    from xsearch.engine.encoder import encoder_name
    from xsearch.storage import has_index

    if not has_index(folder):
        return create_index(folder, recipe or "hybrid", encoder, runtime=runtime)
    opened = open_index(folder, runtime)
    have = opened.snapshot.recipe
    if recipe is not None and load_recipe(recipe).name != have.name:
        raise UsageError(f"{folder} was made with recipe '{have.name}', not '{recipe}': choose another folder with -i")
    recorded = opened.manifest.encoder or {}
    name = recorded.get("name", "none")
    if encoder is not None and encoder_name(encoder) not in (have.encoder, name, recorded.get("model")):
        raise EncoderMismatch(f"{folder} was built with encoder {name}, not {encoder}: choose another folder with -i")
    return opened


def delete(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Document ids.")] = None,
    index: IndexFolder = DEFAULT_INDEX,
    filter: Annotated[
        str | None, typer.Option("--filter", metavar="EXPR", help="Every document that satisfies this.")
    ] = None,
) -> None:
    """Delete documents by id or by filter.

    \b
    xsearch delete report.pdf notes/old.md
    xsearch delete --filter 'year < 2000'
    """
    from xsearch.core import UsageError
    from xsearch.core.wording import counted
    from xsearch.engine import open_index
    from xsearch.engine.search import matching_ids

    if not ids and not filter:
        raise UsageError("name the documents to delete, or give --filter EXPR")
    opened = open_index(index)
    chosen = list(dict.fromkeys([*(ids or ()), *(matching_ids(opened.snapshot, filter) if filter else ())]))
    with opened.writer() as writer:
        missing = writer.delete(chosen)
    for name in missing[:SHOWN_MESSAGES]:
        say(f"{name}: no such document")
    say(f"{counted(len(chosen) - len(missing), 'document')} deleted")
    if len(missing) == len(chosen):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(index)
    app.command()(delete)
