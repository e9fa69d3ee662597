"""Files → index: skip what is unchanged, replace what changed, report what vanished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from xsearch import lang as languages
from xsearch.core import BadInput, Document, UnknownLanguage
from xsearch.core.wording import counted
from xsearch.corpora import BadRecord, ReadOptions, Source, evaluation_file, file_hash, read, read_stdin, scan
from xsearch.engine.index import Index
from xsearch.engine.writer import IndexWriter
from xsearch.storage import SourceState
from xsearch.storage.failpoints import reach

COMMIT_EVERY = 200_000
"""Documents after which a long run commits what it has, so that an accident costs minutes and not hours."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """lang: every document's language. strict: a bad record ends the run. prune: files that vanished lose their
    documents. again: files that are unchanged are read too. workers: processes for a large run (see `Index.writer`).
    read: how files are read, and the limits of that."""

    lang: str | None = None
    strict: bool = False
    prune: bool = False
    again: bool = False
    workers: int = 1
    read: ReadOptions = field(default_factory=ReadOptions)


@dataclass(slots=True)
class IngestReport:
    """What a run did. files: read. unchanged, vanished: files. duplicates: documents replaced by a later one of the
    same id in this run. removed: documents no longer in their file. bad: records skipped. skipped: files. data:
    documents that hold long runs of data, which are not searched."""

    files: int = 0
    unchanged: int = 0
    documents: int = 0
    duplicates: int = 0
    removed: int = 0
    bad: int = 0
    skipped: int = 0
    data: int = 0
    vanished: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of what happens: a line for each bad record, note and skip; (documents, files) as they grow."""

    on_message: Callable[[str], None] = lambda message: None
    on_progress: Callable[[int, int], None] = lambda documents, files: None


def index_paths(
    index: Index,
    paths: Sequence[str | Path],
    options: IngestOptions | None = None,
    listener: Listener | None = None,
    stdin: BinaryIO | None = None,
) -> IngestReport:
    """Bring an index up to date with files and folders ("-" reads `stdin`), in one commit (or one every
    `COMMIT_EVERY` documents). Raises what the readers raise with `strict`; what was committed stays."""
    return _Run(index, options or IngestOptions(), listener or Listener()).over(paths, stdin)


class _Run:
    def __init__(self, index: Index, options: IngestOptions, listener: Listener) -> None:
        self.index, self.options, self.listener = index, options, listener
        self.report = IngestReport()
        self.lang = languages.normalize_code(options.lang) if options.lang else None
        self.read_options = replace(options.read, strict=options.strict)
        # Hashes, not ids: millions of them must fit. Two ids of one hash would only miscount.
        self.seen: set[int] = set()
        self.gone: list[str] = []
        self.known: dict[str, SourceState] = {}
        self.documented: set[str] = set()
        self.given: set[Path] = set()

    def over(self, paths: Sequence[str | Path], stdin: BinaryIO | None) -> IngestReport:
        files = [path for path in paths if str(path) != "-"]
        self.given = {Path(path).absolute() for path in files}
        sources = scan(files, self._skip) if files else iter(())
        with self.index.writer(self.options.workers) as writer:
            self.known, self.documented = writer.sources(), writer.documented_sources()
            unchanged: dict[str, Source] = {}
            seen = set()
            for source in sources:
                seen.add(source_key(source))
                if not self._file(writer, source):
                    unchanged[source_key(source)] = source
            if stdin is not None and len(files) < len(paths):
                self._documents(writer, read_stdin(stdin, self.read_options, self._bad, self._note), None)
            self._vanished(writer, [Path(path) for path in files], seen)
            self._others(writer, unchanged)
        return self.report

    def _file(self, writer: IndexWriter, source: Source) -> bool:
        """Bring a file's documents up to date; whether there was anything to do."""
        known = self.known.get(source_key(source))
        if self.options.again:
            known = None
        if known and (known.size, known.mtime_ns) == (source.size, source.mtime_ns):
            self.report.unchanged += 1
            return False
        kind = None if source.path.absolute() in self.given else evaluation_file(source.path)
        if kind is not None and source_key(source) not in self.documented:
            self._skip(source.path, f"{kind} of an evaluation, no documents; give the file itself to index it")
            return True
        try:
            state = SourceState(source.size, source.mtime_ns, file_hash(source))
        except BadInput as error:
            if self.options.strict:
                raise
            self._bad(BadRecord(source.name, error.reason))
            return True
        if known and known.hash == state.hash:
            writer.set_source(source_key(source), state)
            self.report.unchanged += 1
            return False
        self._read(writer, source, state)
        return True

    def _read(self, writer: IndexWriter, source: Source, state: SourceState) -> None:
        key = source_key(source)
        old = set(writer.ids_of_source(key)) if key in self.documented else set()
        self.report.files += 1
        writer.expect(source.size)
        before = self.report.documents, self.report.bad
        documents = read(source, self.read_options, self._bad, self._note)
        self._documents(writer, documents, key, old)
        # Records that the changed file no longer holds; the ones it still holds are replaced, not removed.
        if old:
            self._remove(writer, sorted(old))
        reach("ingest.file_done")
        # What could not be read at all is not remembered: with other options, or a package that was lacking, it may be.
        if self.report.documents > before[0] or self.report.bad == before[1]:
            writer.set_source(key, state)

    def _remove(self, writer: IndexWriter, ids: list[str]) -> None:
        writer.delete(ids)
        self.report.removed += len(ids)
        self.gone += ids

    def _others(self, writer: IndexWriter, unchanged: dict[str, Source]) -> None:
        """Read files again that are unchanged but hold an id which the file that had overtaken them has lost."""
        if self.gone:
            for path in sorted(writer.former_sources(self.gone) & set(unchanged)):
                self.report.unchanged -= 1
                self._read(writer, unchanged[path], self.known[path])

    def _documents(
        self, writer: IndexWriter, documents: Iterable[Document], source: str | None, old: set[str] | None = None
    ) -> None:
        """Add `documents`, taking their ids out of `old`."""
        for document in self._in_language(documents):
            self._note_data(document)
            writer.add(document, source)
            if old:
                old.discard(document.id)
            self.report.duplicates += hash(document.id) in self.seen
            self.seen.add(hash(document.id))
            self.report.documents += 1
            if self.report.documents % 512 == 0:
                self.listener.on_progress(self.report.documents, self.report.files)
            if self.report.documents % COMMIT_EVERY == 0:
                writer.commit()

    def _note_data(self, document: Document) -> None:
        left_out = sum(end - start for start, end in languages.data_runs(document.text))
        if left_out:
            self.report.data += 1
            data = counted(left_out, "character")
            self.listener.on_message(f"document {document.id!r}: {data} of data (base64 and the like) not searched")

    def _in_language(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            if self.lang or document.lang:
                yield replace(document, lang=self.lang or self._declared(document))
            else:
                yield document

    def _declared(self, document: Document) -> str | None:
        """A record's own language as a code; one that nobody knows is reported and identified instead."""
        try:
            return languages.normalize_code(document.lang or "")
        except UnknownLanguage as error:
            if self.options.strict:
                raise
            self.listener.on_message(f"document {document.id!r}: {error}; its language is identified instead")
            return None

    def _vanished(self, writer: IndexWriter, roots: list[Path], seen: set[str]) -> None:
        folders = [root.resolve() for root in roots]
        for path in sorted((set(self.known) | self.documented) - seen):
            inside = any(Path(path).is_relative_to(folder) for folder in folders)
            if inside and has_vanished(path):
                self.report.vanished.append(path)
                if self.options.prune:
                    ids = writer.remove_source(path)
                    self.report.removed += len(ids)
                    self.gone += ids

    def _bad(self, record: BadRecord) -> None:
        self.report.bad += 1
        self.listener.on_message(f"{record.where}: {record.reason}; skipped")

    def _note(self, note: str) -> None:
        self.listener.on_message(note)

    def _skip(self, path: Path, reason: str) -> None:
        self.report.skipped += 1
        self.listener.on_message(f"{path}: {reason}; skipped")


def source_key(source: Source) -> str:
    """How a file is known in the index: its absolute path."""
    return str(source.path.resolve())


def has_vanished(path: str) -> bool:
    """Whether there is no such file any more: one that was skipped, or lies where nobody is let in, may be there."""
    try:
        return not Path(path).is_file()
    except PermissionError:
        return False
