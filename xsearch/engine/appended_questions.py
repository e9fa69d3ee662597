"""New questions made part of an index that stays as it is: of its parts only those change that are made of questions.

Words: a language's questions are a BM25 index of their own, and a passage may get its row there at any time, though no
row can be changed. Vectors and windows: the segments of the dense part from the first passage on whose vectors change
are made anew, in each language (`DenseWriter.rewind`); what came last, as new documents do, is in the last of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from xsearch import lang as languages
from xsearch.core import Windows
from xsearch.encode import Runtime
from xsearch.engine.clock import command
from xsearch.engine.encoder import Encoders, index_encoders
from xsearch.engine.generation import GenerationWriter
from xsearch.engine.layout import sweep_files, sweep_generations
from xsearch.engine.prepare import encoder_text
from xsearch.engine.questions import QuestionBatch, question_terms, with_questions
from xsearch.engine.recipe import AugmentSettings, Recipe, parse_stored
from xsearch.engine.recipe import stored as stored_recipe
from xsearch.retrieve import DenseWriter, GeneratedWriter
from xsearch.storage import (
    Files,
    Manifest,
    Question,
    StoredDocument,
    StoreReader,
    generation_folder,
    read_manifest,
    write_lock,
    write_manifest,
)
from xsearch.storage.failpoints import reach

WORDS, VECTORS = "generated", "dense"
"""The parts."""
BATCH = 256
"""Documents read at once."""


def is_behind(root: Path, recipe: Recipe) -> bool:
    """Whether an index was made with other settings than `recipe`, or before some of its questions came or went."""
    manifest = read_manifest(root)
    with reading(root, manifest) as reader:
        changes = reader.questions.after(_made_through(manifest, reader))
    return parse_stored(manifest.recipe) != recipe or bool(changes.new) or changes.lost


def can_append(root: Path, recipe: Recipe) -> bool:
    """Whether the questions that `recipe` wants can become part of the index as it stands: none that it has was taken
    out, and, where words are used, no two generators ask in the language of a new one."""
    manifest = read_manifest(root)
    with reading(root, manifest) as reader:
        words = reader.questions.after(_words_through(manifest, reader))
        vectors = reader.questions.after(_vectors_through(manifest, reader))
    if words.lost or vectors.lost:
        return False
    if WORDS not in recipe.retrievers:
        return True
    asking: dict[str, set[int]] = {}
    for number, lang in words.before | words.new:
        asking.setdefault(languages.base_language(lang), set()).add(number)
    return all(len(asking[languages.base_language(lang)]) == 1 for _, lang in words.new)


def append_questions(
    root: Path,
    recipe: Recipe,
    on_progress: Callable[[int], None],
    runtime: Runtime | None,
    files: Files,
    clock: Callable[[], datetime],
) -> Manifest:
    """Make all questions that the index does not search yet part of it, and `recipe` its recipe: one commit.

    Only where `can_append`. on_progress: called with the number of passages looked at. Raises `IndexLocked` while a
    writer is open, `EncoderMismatch` when vectors are to be made and the encoder is another than the index's.
    """
    now = clock().isoformat(timespec="seconds")
    with write_lock(root, command(), now):
        before = read_manifest(root)
        sweep_generations(files, root, before)
        writer = GenerationWriter(root, msgspec.structs.replace(before, recipe=stored_recipe(recipe)), files)
        done = 0
        try:
            with reading(root, before) as reader:
                for append in (
                    _words(before, writer, reader),
                    _vectors(before, writer, reader, recipe, root, runtime),
                ):
                    for passages in append:
                        reach("augment.appended")
                        done += passages
                        on_progress(done)
            manifest = writer.flush(before.created, now)
            reach("augment.before_manifest")
            write_manifest(files, root, manifest)
        finally:
            writer.close()
        sweep_files(files, root, (before, manifest))
        return manifest


def _words(before: Manifest, writer: GenerationWriter, reader: StoreReader) -> Iterator[int]:
    """Append the words of new questions; yields how many passages each batch was."""
    if WORDS not in writer.parts:
        return
    part = cast(GeneratedWriter, writer.parts[WORDS])
    is_new, through = WORDS not in before.retrievers, _words_through(before, reader)
    part.through = before.commit
    changes = reader.questions.after(through)
    if not (is_new or changes.new):
        return
    for documents in _batches(reader, 0 if is_new else changes.first):
        numbers = np.concatenate([np.arange(d.first, d.first + len(d.spans)) for d in documents])
        langs = [languages.base_language(span.lang) for d in documents for span in d.spans]
        if is_new:
            part.count(numbers, langs)
        questions = reader.questions.between(int(numbers[0]), int(numbers[-1]) + 1, through)
        part.append(numbers, langs, question_terms(questions))
        yield len(numbers)


def _vectors(
    before: Manifest,
    writer: GenerationWriter,
    reader: StoreReader,
    recipe: Recipe,
    root: Path,
    runtime: Runtime | None,
) -> Iterator[int]:
    """Make the vectors anew that questions have a part in, or no longer have; yields how many passages each batch
    was."""
    former, settings = parse_stored(before.recipe).augment, recipe.augment
    used = _shares(former), _shares(settings)
    if VECTORS not in writer.parts or used == (None, None):
        return
    part = cast(DenseWriter, writer.parts[VECTORS])
    part.through = before.commit if used[1] else 0
    firsts: dict[str, int] = {}
    since = _vectors_through(before, reader) if used[0] == used[1] else 0
    for code, first in reader.questions.firsts(since).items():
        lang = languages.base_language(code)
        firsts[lang] = min(first, firsts.get(lang, first))
    if not firsts:
        return
    encoders = Encoders(vectors=index_encoders(before, root, runtime).vectors)
    begins = part.rewind(firsts, writer.commit_number)
    for documents in _batches(reader, min(begins.values())):
        first, end = documents[0].first, documents[-1].first + len(documents[-1].spans)
        batch = _Passages(documents, begins, reader.questions.between(first, end))
        if len(batch.numbers):
            part.append(batch.numbers, batch.langs, batch.windows(encoders, settings))
        yield end - first


class _Passages:
    """Those passages of `documents` that lie at or above the number that `begins` has for their language.

    numbers: int64 (n,), ascending; langs: the language of each.
    """

    def __init__(
        self, documents: Sequence[StoredDocument], begins: dict[str, int], questions: Sequence[Question]
    ) -> None:
        chosen = [
            (document.first + ordinal, lang, encoder_text(document.title, document.text[span.start : span.end]))
            for document in documents
            for ordinal, span in enumerate(document.spans)
            for lang in [languages.base_language(span.lang)]
            if document.first + ordinal >= begins.get(lang, document.first + ordinal + 1)
        ]
        self.numbers = np.array([number for number, _, _ in chosen], dtype=np.int64)
        self.langs = [lang for _, lang, _ in chosen]
        self._texts = [text for _, _, text in chosen]
        among = set(self.numbers.tolist())
        self._questions = [question for question in questions if question.passage in among]

    def windows(self, encoders: Encoders, settings: AugmentSettings | None) -> Windows:
        """Their vectors, with the questions' share as `settings` say; owners are passage numbers."""
        encoded = encoders.encode(self._texts, self.langs)
        if settings and self._questions:
            batch = QuestionBatch(self._questions, self.numbers, self.langs)
            encoded = with_questions(encoded, encoders.vectors, settings, batch)
        windows = cast(Windows, encoded.windows)
        return Windows(windows.vectors, self.numbers[windows.owners])


def _shares(settings: AugmentSettings | None) -> tuple[Any, ...] | None:
    """All that decides what questions do to vectors, None where they do nothing."""
    use = {"vectors", "windows"} & set(settings.use) if settings else set()
    if settings is None or not use:
        return None
    return sorted(use), (settings.alpha, settings.alphas) if "vectors" in use else None


@contextlib.contextmanager
def reading(root: Path, manifest: Manifest) -> Iterator[StoreReader]:
    """The store as the commit of `manifest` has it."""
    reader = StoreReader(generation_folder(root, manifest.generation) / "store.db", manifest.commit)
    try:
        yield reader
    finally:
        reader.close()


def _made_through(manifest: Manifest, reader: StoreReader) -> int:
    """The commit whose questions the parts have."""
    appended = (int(manifest.retrievers.get(part, {}).get("through", 0)) for part in (WORDS, VECTORS))
    return max(reader.questions.built(), *appended)


def _words_through(manifest: Manifest, reader: StoreReader) -> int:
    """The commit whose questions' words the index has; 0 where it has none of any, as one that was compacted before
    they were used."""
    return _made_through(manifest, reader) if WORDS in manifest.retrievers else 0


def _vectors_through(manifest: Manifest, reader: StoreReader) -> int:
    """The commit whose questions have a part in the vectors, likewise."""
    return _made_through(manifest, reader) if _shares(parse_stored(manifest.recipe).augment) else 0


def _batches(reader: StoreReader, first: int) -> Iterator[list[StoredDocument]]:
    """Live documents with passages, from that of passage `first` on."""
    documents = (document for document in reader.documents(first) if document.spans)
    while batch := list(islice(documents, BATCH)):
        yield batch
