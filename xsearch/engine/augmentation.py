"""Augmenting an index: questions are generated from its passages, stored, and made part of it.

Two steps, each of which may be interrupted: questions go into the store batch by batch, each batch a commit, so that
whoever begins again goes on behind the last one; then they become part of what is searched: of the index as it stands
(`engine.appended_questions`), or, where questions take others' places, of a generation that is built anew
(`engine.compaction`). Until that is done searches see the index as it was. Documents that come later have questions
after the next run.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from xsearch import lang as languages
from xsearch.core import UsageError
from xsearch.encode import Runtime
from xsearch.engine.appended_questions import append_questions, can_append, is_behind, reading
from xsearch.engine.clock import command, utc_now
from xsearch.engine.compaction import compact
from xsearch.engine.generation import GenerationWriter
from xsearch.engine.generators import LEXICAL
from xsearch.engine.index import open_index
from xsearch.engine.layout import sweep_files, sweep_generations
from xsearch.engine.recipe import AugmentSettings, Recipe, parse_stored
from xsearch.engine.round_trip import RoundTrip
from xsearch.engine.snapshot import Snapshot
from xsearch.generate import Made, QuestionGenerator, SourcePassage, fault
from xsearch.storage import (
    DiskFiles,
    Files,
    Generator,
    NewQuestion,
    StoreReader,
    read_manifest,
    write_lock,
    write_manifest,
)
from xsearch.storage.failpoints import reach

RETRIEVER = "generated"
WEIGHT = 1.0
"""The retriever's weight in the fusion where a recipe names none."""
WEIGHT_OF_TABLES = 0.3
"""The same for questions made by translation tables in an index that has psq, which reads the same tables and knows
more: what they add is little, and more of it would do harm."""


@dataclass(slots=True)
class AugmentReport:
    """What a run did. made: by language, passages looked at and questions stored. dropped: questions by reason.
    resumed: passages that an earlier run had done. appended: whether questions became part of the index as it stood;
    rebuilt: whether it was built anew."""

    made: dict[str, tuple[int, int]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    appended: bool = False
    rebuilt: bool = False

    @property
    def passages(self) -> int:
        """Looked at, once for each language."""
        return sum(passages for passages, _ in self.made.values())

    @property
    def questions(self) -> int:
        """Stored, in all languages."""
        return sum(questions for _, questions in self.made.values())


@dataclass(frozen=True, slots=True)
class AugmentProgress:
    """How far a run is: passages done of all there are to do, over all languages; the language at work."""

    done: int
    total: int
    lang: str


def augment(
    path: str | Path,
    generator: QuestionGenerator,
    settings: AugmentSettings,
    on_progress: Callable[[AugmentProgress], None] = lambda progress: None,
    on_rebuild: Callable[[int], None] = lambda passages: None,
    *,
    choose_alphas: Callable[[Snapshot], dict[str, float]] | None = None,
    runtime: Runtime | None = None,
    files: Files | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> AugmentReport:
    """Generate questions of all passages that have none of this generator yet, and make the index use them. Those that
    a generator of its name made with other weights or settings go.

    on_progress, on_rebuild: called after each batch, of making questions and of putting them in. choose_alphas: gives
    `settings.alphas` once the questions are there (`evaluate.alphas`). runtime: how neural encoders are run. Raises
    `UsageError` for a language the generator does not speak, `IndexLocked` while a writer is open.
    """
    root, files = Path(path), files or DiskFiles()
    langs = tuple(dict.fromkeys(languages.normalize_code(code) for code in settings.langs))
    settings = msgspec.structs.replace(settings, langs=langs)
    _check(settings, generator, parse_stored(read_manifest(root).recipe))
    report = AugmentReport()
    total, done = len(langs) * read_manifest(root).passages, 0
    for lang in langs:
        for passages in _generate(root, generator, settings, lang, report, files, clock):
            done += passages
            on_progress(AugmentProgress(done, total, lang))
    if choose_alphas:
        with open_index(root, runtime) as index:
            settings = msgspec.structs.replace(settings, alphas={**settings.alphas, **choose_alphas(index.snapshot)})
    recipe = augmented(parse_stored(read_manifest(root).recipe), settings)
    if is_behind(root, recipe):
        report.appended = can_append(root, recipe)
        if report.appended:
            append_questions(root, recipe, on_rebuild, runtime, files, clock)
        else:
            compact(root, on_rebuild, recipe=recipe, runtime=runtime, files=files, clock=clock)
            report.rebuilt = True
    return report


def remove_questions(
    path: str | Path,
    on_rebuild: Callable[[int], None] = lambda passages: None,
    *,
    runtime: Runtime | None = None,
    files: Files | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> int:
    """Take all generated questions out of an index, and have it find as it did without; returns how many there were.

    The words of questions are a part that is left out; of the vectors those segments are written again that questions
    have a share in (`append_questions`). Only an index that lacks some of the questions that its vectors were made
    with is built anew. Whatever stops it, searches see the index with all questions or without any.
    """
    root, files = Path(path), files or DiskFiles()
    manifest = read_manifest(root)
    recipe = parse_stored(manifest.recipe)
    plain = augmented(recipe, None)
    with reading(root, manifest) as reader:
        if plain == recipe and not reader.questions.counts():
            return 0
    if can_append(root, plain):
        append_questions(root, plain, on_rebuild, runtime, files, clock)
    else:
        compact(root, on_rebuild, recipe=plain, runtime=runtime, files=files, clock=clock)
    with _writing(root, files, clock) as writer:
        removed = writer.store.questions.remove_all(writer.commit_number)
        _commit(root, writer, files, clock)
    return removed


def augmented(recipe: Recipe, settings: AugmentSettings | None) -> Recipe:
    """The recipe of an index with generated questions used as `settings` say, or without any."""
    retrievers = tuple(name for name in recipe.retrievers if name != RETRIEVER)
    weights = dict(recipe.fusion.weights)
    if settings and "words" in settings.use:
        retrievers += (RETRIEVER,)
        known = settings.generator == LEXICAL and "psq" in retrievers
        weights.setdefault(RETRIEVER, WEIGHT_OF_TABLES if known else WEIGHT)
    fusion = msgspec.structs.replace(recipe.fusion, weights=weights)
    return msgspec.structs.replace(recipe, retrievers=retrievers, fusion=fusion, augment=settings)


def _check(settings: AugmentSettings, generator: QuestionGenerator, recipe: Recipe) -> None:
    if not settings.langs:
        raise UsageError("in which languages? Name them with --langs en,fa,zh")
    mute = [lang for lang in settings.langs if not generator.speaks(lang)]
    if mute:
        learnt = generator.settings().get("languages", ())
        but = f", but in {', '.join(learnt)}" if learnt else ""
        raise UsageError(f"generator {generator.name} makes no questions in '{mute[0]}'{but}")
    if settings.count < 1 or settings.round_trip < 0:
        raise UsageError("at least one question a passage, and a round trip of 0 (none) or more")
    if not settings.use:
        raise UsageError("use is words, windows or vectors, or several of them")
    if "dense" not in recipe.retrievers and (others := [use for use in settings.use if use != "words"]):
        raise UsageError(f"{others[0]} are the dense retriever's, which this index has not: use words")
    if not all(0 <= alpha < 1 for alpha in (settings.alpha, *settings.alphas.values())):
        raise UsageError("alpha is 0 or more and below 1")


def _generate(
    root: Path,
    generator: QuestionGenerator,
    settings: AugmentSettings,
    lang: str,
    report: AugmentReport,
    files: Files,
    clock: Callable[[], datetime],
) -> Iterator[int]:
    """Generate and store what is missing in one language; yields how many passages each batch was, those of earlier
    runs first."""
    with _writing(root, files, clock) as writer:
        asked = {"count": settings.count, "seed": settings.seed, "round_trip": settings.round_trip}
        described = json.dumps({**asked, **generator.settings()}, sort_keys=True)
        number = writer.store.questions.number_of(Generator(generator.name, generator.fingerprint, lang, described))
        writer.store.questions.supersede(number, writer.commit_number)
        through = writer.store.questions.through(number)
        reader = StoreReader(writer.folder / "store.db", writer.manifest.commit)
        try:
            before = sum(len(range(first, min(first + count, through))) for _, first, count in reader.places())
            report.resumed += before
            yield before
            finds = RoundTrip(root, settings.round_trip) if settings.round_trip else None
            for passages in _batches(reader, through, generator.batch):
                made = generator.generate(passages, lang, settings.count, settings.seed)
                kept, dropped = sieved(passages, made, lang, generator.is_running_text)
                if finds:
                    found = finds(kept, lang)
                    dropped["not found again"] += len(kept) - sum(found)
                    kept = [question for question, is_found in zip(kept, found, strict=True) if is_found]
                end = passages[-1].number + 1
                reach("augment.generated")
                writer.store.questions.add(number, kept, end, dict(dropped), writer.commit_number)
                reach("augment.stored")
                _commit(root, writer, files, clock)
                reach("augment.committed")
                before_this = report.made.get(lang, (0, 0))
                report.made[lang] = (before_this[0] + len(passages), before_this[1] + len(kept))
                report.dropped += dropped
                yield len(passages)
        finally:
            reader.close()


def sieved(
    passages: Sequence[SourcePassage], made: Sequence[Sequence[Made]], lang: str, is_running_text: bool
) -> tuple[list[NewQuestion], Counter[str]]:
    """The questions that have no fault, and how many have which; of equal ones of a passage the first is kept."""
    kept: list[NewQuestion] = []
    dropped: Counter[str] = Counter()
    for passage, questions in zip(passages, made, strict=True):
        seen: set[str] = set()
        for question in questions:
            # Half a surrogate pair, which some tokenizers leave, cannot be stored.
            text = " ".join(question.text.encode("utf-8", "ignore").decode().split())
            wrong = "duplicate" if text in seen else fault(text, lang, is_running_text)
            if wrong:
                dropped[wrong] += 1
            else:
                kept.append(NewQuestion(passage.number, text, question.weight))
            seen.add(text)
    return kept, dropped


def _batches(reader: StoreReader, through: int, size: int) -> Iterator[list[SourcePassage]]:
    """Live passages from number `through` on, ascending."""
    passages = (
        SourcePassage(document.first + ordinal, document.text[span.start : span.end], document.title or "", span.lang)
        for document in reader.documents(through)
        for ordinal, span in enumerate(document.spans)
        if document.first + ordinal >= through
    )
    while batch := list(islice(passages, size)):
        yield batch


@contextlib.contextmanager
def _writing(root: Path, files: Files, clock: Callable[[], datetime]) -> Iterator[GenerationWriter]:
    read_manifest(root)
    with write_lock(root, command(), clock().isoformat(timespec="seconds")):
        manifest = read_manifest(root)
        sweep_generations(files, root, manifest)
        writer = GenerationWriter(root, manifest, files)
        try:
            yield writer
        finally:
            writer.close()


def _commit(root: Path, writer: GenerationWriter, files: Files, clock: Callable[[], datetime]) -> None:
    before = writer.manifest
    manifest = writer.flush(before.created, clock().isoformat(timespec="seconds"))
    write_manifest(files, root, manifest)
    writer.advance(manifest)
    sweep_files(files, root, (before, manifest))
