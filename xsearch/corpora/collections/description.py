"""A collection's description: which files, in which languages, under which licence, and where they come from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput
from xsearch.corpora.formats.topics import TopicField, TopicSource


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files of one kind.

    path: relative to the collection's root; ``*`` and ``**`` match many files; a compressed file (.gz, .xz, .zst) is
    found under its plain name. lang: the language of what is in them, where the files do not say it. form: a parser of
    `xsearch.corpora.collections.forms`; empty for what the formats recognise by themselves. field, source: see
    `read_topics`. strip: a prefix that topic ids have in the topics and not in the qrels. get: how to get these files,
    where it is another way than the collection's.
    """

    path: str
    lang: str | None = None
    form: str = ""
    field: TopicField = "title"
    source: TopicSource = "human"
    strip: str = ""
    get: str = ""


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The three kinds of files. Each may be a name, a table, or a list of either."""

    docs: tuple[Part, ...] = ()
    topics: tuple[Part, ...] = ()
    qrels: tuple[Part, ...] = ()


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many there should be; 0 where it is not known. topics: distinct ids. topic_texts: wordings, an id in a
    language each. judgments: lines of the qrels."""

    documents: int = 0
    topics: int = 0
    topic_texts: int = 0
    judgments: int = 0


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a TOML file says of a collection.

    languages: of the documents. get: how to get the files, a sentence for a person. measures: the ones published
    figures use. checksums: BLAKE2b (512 bits, hex) by file name, as `b2sum` prints it. variants: a value for
    ``{lang}`` each, with the value of ``{code}`` (the same where it is empty); the file then describes one collection
    a variant and its name must hold ``{lang}``. counts_of: counts by variant.
    """

    name: str
    title: str
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    get: str = ""
    languages: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("nDCG@10", "AP", "R@100")
    parts: Parts = Parts()
    counts: Counts = Counts()
    checksums: dict[str, str] = {}
    variants: dict[str, str] = {}
    counts_of: dict[str, Counts] = {}


def read_descriptions(path: Path) -> list[Description]:
    """The collections a TOML file describes: one, or one a variant. Raises `BadInput` that names the key at fault."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        table["parts"] = {kind: _listed(value) for kind, value in table.get("parts", {}).items()}
        whole = msgspec.convert(table, Description)
        return [_variant(table, lang, code or lang) for lang, code in whole.variants.items()] or [whole]
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (ValueError, AttributeError, msgspec.ValidationError) as error:
        raise BadInput(f"no description of a collection: {error}", where=str(path)) from error


def _listed(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [{"path": item} if isinstance(item, str) else item for item in items]


def _variant(table: dict[str, Any], lang: str, code: str) -> Description:
    filled: dict[str, Any] = _filled({**table, "variants": {}, "counts_of": {}}, lang, code)
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
