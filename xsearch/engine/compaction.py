"""A new generation beside the old one: dead passages dropped, terms and vectors made anew from the store (D2).

The same way rebuilds what is damaged and follows a change of analyzer or encoder: the store is the truth, all else
is made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import Document
from xsearch.encode import Runtime
from xsearch.engine.clock import command, utc_now
from xsearch.engine.encoder import check_place, encoder_record, load_encoders, vouched
from xsearch.engine.generation import GenerationWriter
from xsearch.engine.layout import sweep_generations
from xsearch.engine.prepare import analyze
from xsearch.engine.questions import QuestionBatch, question_terms, with_questions
from xsearch.engine.recipe import Recipe, parse_stored
from xsearch.engine.recipe import stored as stored_recipe
from xsearch.storage import (
    DiskFiles,
    Files,
    Liveness,
    Manifest,
    NewDocument,
    Question,
    StoredDocument,
    StoreReader,
    copy_live,
    generation_folder,
    live_name,
    read_manifest,
    write_lock,
    write_manifest,
)
from xsearch.storage.failpoints import reach

BATCH = 256


def compact(
    path: str | Path,
    on_progress: Callable[[int], None] = lambda passages: None,
    *,
    recipe: Recipe | None = None,
    runtime: Runtime | None = None,
    files: Files | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Manifest:
    """Build the next generation from the live documents and make it the index. Passage numbers stay.

    recipe: takes the place of the index's. runtime: how neural encoders are run; a checkpoint that was trusted when the
    index was made still is.

    Readers of the old generation keep it until they refresh. Interrupted at any point, the index is what it was.
    on_progress: called with the number of passages done. Raises `IndexLocked` while a writer is open, `IndexDamaged`
    when the store itself is damaged, `MissingExtra` when a model is not where it was.
    """
    root, files = Path(path), files or DiskFiles()
    now = clock().isoformat(timespec="seconds")
    read_manifest(root)
    with write_lock(root, command(), now):
        old = read_manifest(root)
        sweep_generations(files, root, old)
        folder = generation_folder(root, old.generation + 1)
        files.make_folder(folder)
        source = generation_folder(root, old.generation) / "store.db"
        copy_live(source, folder / "store.db", old.commit, old.high_water, files)
        reach("compact.store")
        Liveness.of(np.zeros(old.high_water, dtype=np.bool_)).write(files, folder / live_name(old.commit))
        if recipe is None:
            check_place(old.encoder or {}, root)
            recipe = parse_stored(old.recipe)
        encoders = load_encoders(recipe, vouched(old.encoder or {}, runtime))
        start = msgspec.structs.replace(
            old,
            generation=old.generation + 1,
            recipe=stored_recipe(recipe),
            encoder=encoder_record(encoders),
            retrievers={},
            columns={},
            live=live_name(old.commit),
            files={},
        )
        generation = GenerationWriter(root, start, files)
        done = 0
        try:
            for batch, questions in _batches(folder / "store.db", old.commit):
                documents = [_new(stored) for stored in batch]
                prepared = analyze(documents)
                numbers = np.concatenate([np.arange(s.first, s.first + len(s.spans)) for s in batch])
                owners = np.repeat([s.number for s in batch], [len(s.spans) for s in batch])
                if len(numbers):
                    encoded = encoders.encode(prepared.texts, prepared.groups)
                    if recipe.augment and questions:
                        batch_of = QuestionBatch(questions, numbers, prepared.groups)
                        encoded = with_questions(encoded, encoders.vectors, recipe.augment, batch_of)
                        generation.append(prepared, numbers, owners, encoded, question_terms(questions))
                    else:
                        generation.append(prepared, numbers, owners, encoded)
                reach("compact.batch")
                done += len(numbers)
                on_progress(done)
            generation.revive()
            manifest = generation.flush(old.created, now)
            reach("compact.before_manifest")
            write_manifest(files, root, manifest)
        finally:
            generation.close()
        reach("compact.after_manifest")
        files.remove(folder / live_name(old.commit))
        sweep_generations(files, root, manifest)
        return manifest


def _batches(path: Path, commit: int) -> Iterator[tuple[list[StoredDocument], list[Question]]]:
    """Live documents, with the questions generated from their passages."""
    reader = StoreReader(path, commit)
    try:
        documents = reader.documents()
        while batch := list(islice(documents, BATCH)):
            yield batch, reader.questions.between(batch[0].first, batch[-1].first + len(batch[-1].spans))
    finally:
        reader.close()


def _new(stored: StoredDocument) -> NewDocument:
    document = Document(stored.id, stored.text, stored.title, stored.lang, stored.metadata)
    return NewDocument(document, stored.spans, stored.source)
