"""Word documents (.docx), with the `ingest` extra: paragraphs and tables in their order."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.core.extras import need
from xsearch.corpora.formats.archive import open_archive
from xsearch.corpora.opened import OpenSource

CORE_PROPERTIES = "docProps/core.xml"


def read_docx(file: OpenSource) -> Iterator[Document]:
    """The text as one document, a line for each paragraph and each table cell; title and language from the
    properties, or else the first paragraph styled as a title.

    Raises `BadInput` for a damaged or encrypted file and one that unpacks to more than `max_document_bytes`,
    `MissingExtra` without python-docx.
    """
    docx = need("docx", "ingest", "reading .docx")
    data = file.read_bytes()
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadInput("an encrypted .docx or an old .doc: save it as .docx without a password")
    with open_archive(data, ".docx", file.options.max_document_bytes) as archive:
        names = set(archive.namelist())
    try:
        document = docx.Document(io.BytesIO(data))
        text = file.clean("\n".join(_lines(document)))
        # python-docx makes up properties ("Word Document") for a file that has none.
        title, lang = _properties(document) if CORE_PROPERTIES in names else (None, None)
        title = title or _styled_title(document)
    except Exception as error:
        # python-docx and lxml raise KeyError, ValueError and their own errors for parts that are missing or broken.
        raise BadInput(f"damaged .docx: {' '.join(str(error).split())[:200] or type(error).__name__}") from error
    yield file.document(text, title, lang)


def _lines(container: Any) -> Iterator[str]:
    """Paragraphs and table cells of a document or a cell, in their order; a merged cell once."""
    for block in container.iter_inner_content():
        if hasattr(block, "rows"):
            seen = set()
            for row in block.rows:
                for cell in row.cells:
                    if cell._tc not in seen:
                        seen.add(cell._tc)
                        yield from _lines(cell)
        elif block.text.strip():
            yield block.text


def _properties(document: Any) -> tuple[str | None, str | None]:
    properties = document.core_properties
    return properties.title or None, properties.language or None


def _styled_title(document: Any) -> str | None:
    for paragraph in document.paragraphs[:20]:
        if paragraph.style is not None and paragraph.style.name in ("Title", "Heading 1") and paragraph.text.strip():
            return str(paragraph.text).strip()
    return None
