"""What is searched: documents as they come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xsearch.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `id` is the caller's, unique in an index: a later document replaces an earlier one.

    `lang` is a language code or name, or None to have it identified per passage. `metadata` holds what filters
    see: JSON values. Raises `BadInput` for an empty id or a text that is no string.
    """

    id: str
    text: str
    title: str | None = None
    lang: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise BadInput(f"a document's id must be a non-empty string, not {self.id!r}")
        if not isinstance(self.text, str):
            raise BadInput(f"document {self.id!r}: text must be a string, not {type(self.text).__name__}")
