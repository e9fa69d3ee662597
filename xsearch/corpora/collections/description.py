"""A collection's description: which files, in which languages, under which licence, and where they come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput
from xsearch.corpora.formats.topics import TopicField, TopicSource


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of one kind.

    path: relative to the collection's root; ``*`` and ``**`` match many files; a compressed file (.gz, .xz, .zst) is
    found under its plain name. title: what they are, for a person. lang: the language of what is in them, where the
    files do not say it. form: a parser of `xsearch.corpora.collections.forms`; empty for what the formats recognise
    by themselves. field, source: see `read_topics`. strip: what topic ids begin with in some files and not in others;
    it is left out, and zeros after it too (C041 is 41). ids: only topics of these numbers, "41-90", once stripped.
    documents: how many there are in these files, 0 where that is not known. optional: nothing is amiss where they are
    not there. get: how to get these files, where it is another way than the collection's.
    """

    path: str
    title: str = ""
    lang: str | None = None
    form: str = ""
    field: TopicField = "title"
    source: TopicSource = "human"
    strip: str = ""
    ids: str = ""
    documents: int = 0
    optional: bool = False
    get: str = ""

    def __post_init__(self) -> None:
        if self.ids and not re.fullmatch("[0-9]+-[0-9]+", self.ids):
            raise ValueError(f"'ids' is a range such as 41-90, not {self.ids!r}")

    def topic_id(self, written: str) -> str:
        """A topic's id in these files as the collection knows it."""
        if not self.strip:
            return written
        bare = written.removeprefix(self.strip)
        return str(int(bare)) if bare.isascii() and bare.isdigit() else bare

    def wants(self, topic: str) -> bool:
        """Whether the topic of this id, as the collection knows it, is among `ids`."""
        if not self.ids:
            return True
        first, last = map(int, self.ids.split("-"))
        return topic.isascii() and topic.isdigit() and first <= int(topic) <= last


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kinds of files. Each may be a name, a table, or a list of either. answers: the strings to look for in the
    documents, of a collection that has no qrels."""

    docs: tuple[Part, ...] = ()
    topics: tuple[Part, ...] = ()
    qrels: tuple[Part, ...] = ()
    answers: tuple[Part, ...] = ()


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many there should be; 0 where it is not known. topics: distinct ids. topic_texts: wordings, an id in a
    language each. judgments: lines of the qrels. answers: topics that have an answer."""

    documents: int = 0
    topics: int = 0
    topic_texts: int = 0
    judgments: int = 0
    answers: int = 0


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a TOML file says of a collection.

    languages: of the documents. get: how to get the files, a sentence for a person. measures: the ones published
    figures use. candidates: each topic ranks its own judged documents and no others. checksums: BLAKE2b (512 bits,
    hex) by file name, as `b2sum` prints it. variants: a value for ``{lang}`` each, with the value of ``{code}`` (the
    same where it is empty); the file then describes one collection a variant and its name must hold ``{lang}``.
    counts_of, parts_of: counts and parts by variant; a kind of parts that a variant has of its own takes the place of
    the common one.
    """

    name: str
    title: str
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    get: str = ""
    languages: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("nDCG@10", "AP", "R@100")
    candidates: bool = False
    parts: Parts = Parts()
    counts: Counts = Counts()
    checksums: dict[str, str] = {}
    variants: dict[str, str] = {}
    counts_of: dict[str, Counts] = {}
    parts_of: dict[str, Parts] = {}


def read_descriptions(path: Path) -> list[Description]:
    """The collections a TOML file describes: one, or one a variant. Raises `BadInput` that names the key at fault."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        table["parts"] = _parts(table.get("parts", {}))
        table["parts_of"] = {lang: _parts(parts) for lang, parts in table.get("parts_of", {}).items()}
        whole = msgspec.convert(table, Description)
        return [_variant(table, lang, code or lang) for lang, code in whole.variants.items()] or [whole]
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, AttributeError, msgspec.ValidationError) as error:
        raise BadInput(f"no description of a collection: {error}", where=str(path)) from error


def _parts(table: dict[str, Any]) -> dict[str, Any]:
    return {kind: _listed(value) for kind, value in table.items()}


def _listed(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [{"path": item} if isinstance(item, str) else item for item in items]


def _variant(table: dict[str, Any], lang: str, code: str) -> Description:
    parts = {**table["parts"], **table["parts_of"].get(lang, {})}
    own = {**table, "parts": parts, "variants": {}, "counts_of": {}, "parts_of": {}}
    filled: dict[str, Any] = _filled(own, lang, code)
    counts = table.get("counts_of", {}).get(lang)
    return msgspec.convert({**filled, "counts": counts} if counts else filled, Description)


def _filled(value: Any, lang: str, code: str) -> Any:
    if isinstance(value, str):
        return value.replace("{lang}", lang).replace("{code}", code)
    if isinstance(value, list):
        return [_filled(item, lang, code) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, lang, code) for key, item in value.items()}
    return value
