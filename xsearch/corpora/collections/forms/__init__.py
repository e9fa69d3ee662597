"""Parsers for collections whose files are neither documents nor topics nor qrels as the formats know them.

Each form is a module with some of ``documents``, ``topics`` and ``judgments``: (path, language of the part) → items.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from xsearch.core import BadInput, Document, Judgment, Topic, UsageError

FORMS = {name: f"{__name__}.{name.replace('-', '_')}" for name in ("beir", "clirmatrix", "mkqa", "pairs", "xquad-r")}


def documents(form: str, path: Path, lang: str | None) -> Iterable[Document]:
    """The documents of a file in `form`. Raises `UsageError` for an unknown form, `BadInput` for a file that is not
    in it."""
    found: Iterable[Document] = _parse(form, "documents", path, lang)
    return found


def topics(form: str, path: Path, lang: str | None) -> Iterable[Topic]:
    """The topics of a file in `form`; raises as `documents`."""
    found: Iterable[Topic] = _parse(form, "topics", path, lang)
    return found


def judgments(form: str, path: Path, lang: str | None) -> Iterable[Judgment]:
    """The judgments of a file in `form`; raises as `documents`."""
    found: Iterable[Judgment] = _parse(form, "judgments", path, lang)
    return found


def _parse(form: str, kind: str, path: Path, lang: str | None) -> list[Any]:
    if form not in FORMS:
        raise UsageError(f"unknown form '{form}': known are {', '.join(FORMS)}")
    parser = getattr(import_module(FORMS[form]), kind, None)
    if parser is None:
        raise UsageError(f"files in the form '{form}' have no {kind}")
    try:
        return list(parser(path, lang))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadInput(f"not in the form '{form}': {type(error).__name__} {error}", where=str(path)) from error
