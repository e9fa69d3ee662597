"""New questions made part of an index that stays as it is: their words are appended to what the passages have.

Words alone can be appended: a language's questions are a BM25 index of their own, and a passage may get its row there
at any time. Vectors and windows are the dense part's, which would have to be encoded anew; and a row cannot be changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from xsearch import lang as languages
from xsearch.engine.clock import command
from xsearch.engine.generation import GenerationWriter
from xsearch.engine.layout import sweep_files, sweep_generations
from xsearch.engine.questions import question_terms
from xsearch.engine.recipe import Recipe, parse_stored
from xsearch.engine.recipe import stored as stored_recipe
from xsearch.retrieve import GeneratedWriter
from xsearch.storage import (
    Files,
    Manifest,
    StoredDocument,
    StoreReader,
    generation_folder,
    read_manifest,
    write_lock,
    write_manifest,
)
from xsearch.storage.failpoints import reach

PART = "generated"
BATCH = 1024
"""Documents read at once."""


def is_behind(root: Path, recipe: Recipe) -> bool:
    """Whether an index was made with other settings than `recipe`, or before some of its questions came or went."""
    manifest = read_manifest(root)
    with _reading(root, manifest) as reader:
        changes = reader.questions.after(_made_through(manifest, reader))
    return parse_stored(manifest.recipe) != recipe or bool(changes.new) or changes.lost


def can_append(root: Path, recipe: Recipe) -> bool:
    """Whether what `recipe` wants of the questions there are needs nothing but new rows: words only, before and now,
    none taken out, and no language that two generators ask in."""
    manifest = read_manifest(root)
    used = [settings.use for settings in (parse_stored(manifest.recipe).augment, recipe.augment) if settings]
    with _reading(root, manifest) as reader:
        changes = reader.questions.after(_appended_through(manifest, reader))
    asking: dict[str, set[int]] = {}
    for number, lang in changes.before | changes.new:
        asking.setdefault(languages.base_language(lang), set()).add(number)
    alone = all(len(asking[languages.base_language(lang)]) == 1 for _, lang in changes.new)
    return all(set(use) == {"words"} for use in used) and not changes.lost and alone


def append_questions(
    root: Path,
    recipe: Recipe,
    on_progress: Callable[[int], None],
    files: Files,
    clock: Callable[[], datetime],
) -> Manifest:
    """Append the words of all questions that the index does not search yet, and make `recipe` its recipe: one commit.

    Only where `can_append`. on_progress: called with the number of passages looked at. Raises `IndexLocked` while a
    writer is open.
    """
    now = clock().isoformat(timespec="seconds")
    with write_lock(root, command(), now):
        before = read_manifest(root)
        sweep_generations(files, root, before)
        is_new = PART not in before.retrievers
        writer = GenerationWriter(root, msgspec.structs.replace(before, recipe=stored_recipe(recipe)), files)
        try:
            part = cast(GeneratedWriter, writer.parts[PART])
            with _reading(root, before) as reader:
                through = _appended_through(before, reader)
                first = 0 if is_new else reader.questions.after(through).first
                done = 0
                for documents in _batches(reader, first):
                    numbers = np.concatenate([np.arange(d.first, d.first + len(d.spans)) for d in documents])
                    langs = [languages.base_language(span.lang) for d in documents for span in d.spans]
                    if is_new:
                        part.count(numbers, langs)
                    questions = reader.questions.between(int(numbers[0]), int(numbers[-1]) + 1, through)
                    part.append(numbers, langs, question_terms(questions))
                    reach("augment.appended")
                    done += len(numbers)
                    on_progress(done)
            part.through = before.commit
            manifest = writer.flush(before.created, now)
            reach("augment.before_manifest")
            write_manifest(files, root, manifest)
        finally:
            writer.close()
        sweep_files(files, root, (before, manifest))
        return manifest


@contextlib.contextmanager
def _reading(root: Path, manifest: Manifest) -> Iterator[StoreReader]:
    reader = StoreReader(generation_folder(root, manifest.generation) / "store.db", manifest.commit)
    try:
        yield reader
    finally:
        reader.close()


def _made_through(manifest: Manifest, reader: StoreReader) -> int:
    """The commit whose questions the parts have."""
    return max(reader.questions.built(), int(manifest.retrievers.get(PART, {}).get("through", 0)))


def _appended_through(manifest: Manifest, reader: StoreReader) -> int:
    """The commit whose questions' words the index has; 0 where it has none of any, as one that was compacted before
    they were used."""
    return _made_through(manifest, reader) if PART in manifest.retrievers else 0


def _batches(reader: StoreReader, first: int) -> Iterator[list[StoredDocument]]:
    """Live documents with passages, from that of passage `first` on."""
    documents = (document for document in reader.documents(first) if document.spans)
    while batch := list(islice(documents, BATCH)):
        yield batch
