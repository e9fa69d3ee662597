"""A collection on disk: its documents, topics and judgments, and whether they are what they should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from xsearch.core import BadInput, Document, Judgment, Qrels, Topic
from xsearch.corpora.collections import forms
from xsearch.corpora.collections.description import Description, Part
from xsearch.corpora.compression import COMPRESSIONS
from xsearch.corpora.formats.answers import read_answers
from xsearch.corpora.formats.lines import Note, note_to_log
from xsearch.corpora.formats.qrels import read_qrels
from xsearch.corpora.formats.topics import read_topics
from xsearch.corpora.reading import DEFAULTS, read
from xsearch.corpora.source import BadRecord, Source

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Collection:
    """A description and the folder its paths start from. `about` names, licenses and counts it."""

    about: Description
    root: Path
    on_note: Note = field(default=note_to_log, compare=False)

    @property
    def name(self) -> str:
        """The name it is known by."""
        return self.about.name

    def documents(self) -> Iterator[Document]:
        """All documents, streamed; one without a language of its own has its part's. A record that cannot be used is
        reported through `on_note` and left out. Raises `BadInput` for a part that is not there, saying how to get it.
        """
        if not self.about.parts.docs:
            raise BadInput(f"{self.name} has no documents")
        for part in self.about.parts.docs:
            yield from self._documents_in(part)

    def _documents_in(self, part: Part) -> Iterator[Document]:
        for path in self.files("docs", part):
            for document in self._documents_of(path, part):
                yield replace(document, lang=part.lang) if part.lang and not document.lang else document

    def _documents_of(self, path: Path, part: Part) -> Iterable[Document]:
        if part.form:
            return forms.documents(part.form, path, part.lang)
        state = path.stat()
        source = Source(path, path.relative_to(self.root).as_posix(), state.st_size, state.st_mtime_ns, self.root)
        return read(source, DEFAULTS, self._report, self.on_note)

    def _report(self, bad: BadRecord) -> None:
        self.on_note(f"{self.name}: {bad}")

    def topics(self, lang: str | None = None) -> list[Topic]:
        """All wordings of all topics, or those in `lang`. Raises `BadInput` when there are none, or as `documents`."""

        def read_part(path: Path, part: Part) -> Iterable[Topic]:
            found = forms.topics(part.form, path, part.lang) if part.form else _topics(path, part, self.on_note)
            named = (replace(topic, id=part.topic_id(topic.id)) for topic in found)
            return (topic for topic in named if part.wants(topic.id))

        found = self._read("topics", self.about.parts.topics, read_part)
        kept = [topic for topic in found if lang is None or topic.lang == lang]
        if not kept:
            spoken = ", ".join(sorted({topic.lang or "und" for topic in found}))
            raise BadInput(f"{self.name} has no topics in '{lang}'; it has {spoken}")
        return kept

    def qrels(self) -> Qrels:
        """All judgments of all parts, each once. Raises `BadInput` where two parts contradict each other, or as
        `documents`."""

        def read_part(path: Path, part: Part) -> Iterable[Judgment]:
            found = forms.judgments(part.form, path, part.lang) if part.form else read_qrels(path, self.on_note)
            named = (replace(row, topic=part.topic_id(row.topic)) for row in found)
            return (row for row in named if part.wants(row.topic))

        rows: dict[tuple[str, str], Judgment] = {}
        for row in self._read("qrels", self.about.parts.qrels, read_part):
            known = rows.setdefault((row.topic, row.document), row)
            if known.grade != row.grade:
                raise BadInput(f"{self.name}: topic {row.topic}, document {row.document} is judged twice, differently")
        return Qrels(tuple(rows.values()))

    @property
    def has_qrels(self) -> bool:
        """Whether it is judged; else it may have `answers`."""
        return bool(self.about.parts.qrels)

    def answers(self) -> dict[str, tuple[str, ...]] | None:
        """The answers of each topic that has some, or None when the collection goes by judgments; raises as
        `documents`."""
        if not self.about.parts.answers:
            return None

        def read_part(path: Path, part: Part) -> Iterable[tuple[str, tuple[str, ...]]]:
            return read_answers(path, part.lang or "en", on_bad=self.on_note).items()

        return dict(self._read("answers", self.about.parts.answers, read_part))

    def _read(
        self, kind: str, parts: tuple[Part, ...], read_part: Callable[[Path, Part], Iterable[_Item]]
    ) -> list[_Item]:
        if not parts:
            raise BadInput(f"{self.name} has no {kind}")
        return [item for part in parts for path in self.files(kind, part) for item in read_part(path, part)]

    def files(self, kind: str, part: Part) -> list[Path]:
        """The files of a part, in name order. Raises `BadInput` with the way to get them when there are none and they
        are not optional."""
        names = [part.path, *(part.path + suffix for suffix in COMPRESSIONS)]
        if "*" in part.path:
            matched = {path for name in names for path in self.root.glob(name) if path.is_file()}
            # CLEF's folders hold the documents' grammars too.
            found = sorted(path for path in matched if path.suffix.lower() != ".dtd")
        else:
            found = [path for name in names if (path := self.root / name).is_file()][:1]
        if not found and not part.optional:
            get = part.get or self.about.get
            raise BadInput(
                f"{self.name}: the {kind} are not there ({self.root / part.path}). "
                + (f"{get} " if get else "")
                + "Paths start from the collection's root, which you may give."
            )
        return found

    def missing(self) -> dict[str, str]:
        """By kind ("docs", "topics", "qrels", "answers"), why it cannot be read and how to get it; empty when all is
        there."""
        problems = {}
        for kind in self.about.parts.__struct_fields__:
            try:
                for part in getattr(self.about.parts, kind):
                    self.files(kind, part)
            except BadInput as error:
                problems[kind] = str(error)
        return problems

    def check(self) -> list[str]:
        """What is wrong: missing parts, other checksums or other counts than described. Reads all that is there."""
        missing = self.missing()
        changed = []
        for name, expected in self.about.checksums.items():
            path = self.root / name
            if path.is_file() and (found := _checksum(path)) != expected:
                changed.append(f"{self.name}: {name} has changed: BLAKE2b {found[:16]}…, expected {expected[:16]}…")
        return [*missing.values(), *changed, *self._check_counts(missing)]

    def _check_counts(self, missing: Container[str]) -> Iterator[str]:
        counts, found = self.about.counts, {}
        if "docs" not in missing and (counts.documents or any(part.documents for part in self.about.parts.docs)):
            in_parts = [(part, sum(1 for _ in self._documents_in(part))) for part in self.about.parts.docs]
            found["documents"] = sum(number for _, number in in_parts)
            for part, number in in_parts:
                if part.documents and number != part.documents:
                    yield f"{self.name}: {number} documents in {part.path}, expected {part.documents}"
        if (counts.topics or counts.topic_texts) and "topics" not in missing:
            topics = self.topics()
            found["topics"] = len({topic.id for topic in topics})
            found["topic_texts"] = len(topics)
        if counts.judgments and "qrels" not in missing:
            found["judgments"] = len(self.qrels())
        if counts.answers and "answers" not in missing:
            found["answers"] = len(self.answers() or ())
        for name, number in found.items():
            expected = getattr(counts, name)
            if expected and number != expected:
                yield f"{self.name}: {number} {name.replace('_', ' ')}, expected {expected}"


def _topics(path: Path, part: Part, on_note: Note) -> list[Topic]:
    return read_topics(path, part.lang, field=part.field, source=part.source, on_bad=on_note)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
