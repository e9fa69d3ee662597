"""Collections of ir_datasets (MacAvaney et al., SIGIR 2021), which downloads or links what it describes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xsearch.core import BadInput, Document, Judgment, Qrels, Topic, UsageError
from xsearch.core.extras import need
from xsearch.corpora.collections.description import Description
from xsearch.corpora.formats.topics import ISO_639_3

PREFIX = "irds:"
_TEXTS = ("text", "query", "title")


class IrDatasetsCollection:
    """An ir_datasets id with the methods of `Collection`. Its own errors say how to get what is missing."""

    def __init__(self, name: str) -> None:
        module: Any = need("ir_datasets", "irds", f"the collection {PREFIX}{name}")
        try:
            self._dataset = module.load(name)
        except KeyError as error:
            raise UsageError(f"ir_datasets knows no '{name}'") from error
        self.about = Description(name=PREFIX + name, title=f"{name}, from ir_datasets")

    @property
    def name(self) -> str:
        """The id with its prefix."""
        return self.about.name

    def documents(self) -> Iterator[Document]:
        """All documents, streamed. The text is what ir_datasets calls the default text, without the title again."""
        lang = self._lang("docs")
        for row in self._rows("docs"):
            title = getattr(row, "title", None) or None
            text = row.default_text()
            if title and text.startswith(title):
                text = text[len(title) :].lstrip()
            yield Document(row.doc_id, text, title, getattr(row, "lang", None) or lang)

    def topics(self, lang: str | None = None) -> list[Topic]:
        """All topics, in the language ir_datasets gives for them; raises `BadInput` when `lang` is another."""
        spoken = self._lang("queries")
        if lang is not None and spoken not in (None, lang):
            raise BadInput(f"{self.name} has no topics in '{lang}'; it has {spoken}")
        return [Topic(row.query_id, _text(row), spoken or lang) for row in self._rows("queries")]

    def qrels(self) -> Qrels:
        """All judgments."""
        rows = self._rows("qrels")
        return Qrels(tuple(Judgment(row.query_id, row.doc_id, int(row.relevance)) for row in rows))

    @property
    def has_qrels(self) -> bool:
        """Whether it is judged."""
        return bool(self._dataset.has_qrels())

    def missing(self) -> dict[str, str]:
        """Nothing: ir_datasets gets what it can and says itself what it cannot."""
        return {}

    def answers(self) -> None:
        """None: ir_datasets has no answers."""

    def _rows(self, kind: str) -> Iterator[Any]:
        if not getattr(self._dataset, f"has_{kind}")():
            raise BadInput(f"{self.name} has no {kind}")
        return iter(getattr(self._dataset, f"{kind}_iter")())

    def _lang(self, kind: str) -> str | None:
        lang = getattr(self._dataset, f"{kind}_lang")()
        return ISO_639_3.get(lang, lang) if isinstance(lang, str) else None


def _text(row: Any) -> str:
    for name in _TEXTS:
        value = getattr(row, name, None)
        if isinstance(value, str):
            return value
    return str(row.default_text())
