"""What goes into the store and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from xsearch.core import Document, IntArray


class NewPassage(NamedTuple):
    """A stretch of a document, ``text[start:end]`` in code points, with what was identified: language code, script,
    confidence (0..1)."""

    start: int
    end: int
    lang: str
    script: str
    confidence: float


class NewDocument(NamedTuple):
    """A document to be stored, its passages in the order of the text, the file it came from if any."""

    document: Document
    spans: Sequence[NewPassage]
    source: str | None = None


class Added(NamedTuple):
    """What `Store.add` gave out, one element a document: int64 document numbers, int64 first passage numbers (the
    rest follow). dead: int64 numbers of passages that died because their document was replaced. replaced: how many
    documents were."""

    documents: IntArray
    first: IntArray
    dead: IntArray
    replaced: int


class Removed(NamedTuple):
    """What `Store.remove` did: ids it did not find, int64 numbers of the passages that died."""

    missing: list[str]
    dead: IntArray


class SourceState(NamedTuple):
    """A file as it was when indexed: bytes, modification time in ns, content hash."""

    size: int
    mtime_ns: int
    hash: str


class Counts(NamedTuple):
    """What is alive: documents, passages, and passages by language code."""

    documents: int
    passages: int
    languages: dict[str, int]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as kept, with the file it came from and its passages. Passage `i` has the number ``first + i``;
    `lang` is the language as declared."""

    number: int
    id: str
    text: str
    title: str | None
    lang: str | None
    metadata: Mapping[str, Any]
    source: str | None
    first: int
    spans: tuple[NewPassage, ...]

    @property
    def document(self) -> Document:
        """The document as it was added."""
        return Document(self.id, self.text, self.title, self.lang, self.metadata)


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage as kept, with its document's number, id, title and metadata. `text` is the passage's own."""

    number: int
    document: int
    id: str
    title: str | None
    metadata: Mapping[str, Any]
    ordinal: int
    start: int
    end: int
    lang: str
    script: str
    confidence: float
    text: str
