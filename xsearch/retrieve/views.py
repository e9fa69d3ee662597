"""tantivy's side of the BM25 index: its schema, and views, folders in which it finds a language's segments.

A view is a folder of links to immutable segment files beside a `meta.json` that says which of them are the index.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tantivy

from xsearch.core import CannotWrite, IndexDamaged

ANALYZER = "terms"
"""Name under which the schema knows the whitespace tokenizer; tantivy keeps the name, not the tokenizer."""


def schema() -> tantivy.Schema:
    """pk: the passage's number. body, title: terms joined by spaces, with positions for phrases."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("pk", indexed=True, fast=True)
    builder.add_text_field("body", tokenizer_name=ANALYZER, index_option="position")
    builder.add_text_field("title", tokenizer_name=ANALYZER, index_option="position")
    return builder.build()


def open_index(view: Path, new: tantivy.Schema | None = None) -> tantivy.Index:
    """The tantivy index in a view, or with `new` a fresh one there."""
    index = tantivy.Index(new, path=str(view)) if new is not None else tantivy.Index.open(str(view))
    whitespace = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer(ANALYZER, whitespace)
    return index


def make_view(view: Path, folder: Path, state: Mapping[str, Any], lang: str) -> tantivy.Index:
    """Open a language's index as `state` has it: links in the folder `view` to the segment files in `folder`."""
    view.mkdir(parents=True)
    source = folder.absolute()
    for path in language_files(state, lang):
        link(source / path, view / path.rpartition("/")[2])
    meta = {**state["tantivy"], **state["languages"][lang]}
    (view / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return open_index(view)


def memory_folder() -> str | None:
    """Where links that live for a moment cost least: in memory on Linux (on a busy disk each waits for its journal),
    else None, which stands for the system's temporary folder."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def link(target: Path, name: Path) -> None:
    """Make `name` stand for the file `target`: by a symbolic link, or a copy where there are none (Windows)."""
    try:
        name.symlink_to(target)
    except (OSError, NotImplementedError):
        shutil.copyfile(target, name)


def discard(view: Path) -> None:
    """Remove a view, or several in a folder. A thread of tantivy's that watches `meta.json` may put its lock file
    back meanwhile, once: then again."""
    for _ in range(5):
        shutil.rmtree(view, ignore_errors=True)
        if not view.exists():
            return


def language_files(state: Mapping[str, Any], lang: str) -> list[str]:
    """Paths, relative to the retriever's folder, of a language's segment files."""
    return [path for path in state.get("files", ()) if path.startswith(f"{lang}/")]


def segment_files(view: Path, meta: Mapping[str, Any]) -> list[str]:
    """Names of the files that the segments of `meta` consist of."""
    segments = {segment["segment_id"].replace("-", "") for segment in meta["segments"]}
    return sorted(path.name for path in view.iterdir() if path.name.split(".")[0] in segments)


@contextlib.contextmanager
def tantivy_errors(place: Path) -> Iterator[None]:
    """tantivy says everything with ValueError; while writing it means that the disk refused."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CannotWrite(f"cannot write {place}: {error}. What was committed before is unharmed") from error


@contextlib.contextmanager
def damage(place: Path) -> Iterator[None]:
    """Turn whatever tantivy makes of files that are missing or altered into `IndexDamaged`."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexDamaged(f"{place}: {error}: run `xsearch check --repair`") from error
    except BaseException as error:
        # A panic in Rust: its class derives from BaseException and cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise IndexDamaged(f"{place} cannot be read: run `xsearch check --repair`") from error
