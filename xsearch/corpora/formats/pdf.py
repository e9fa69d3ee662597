"""PDF, with the `ingest` extra: the text of the pages."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.core.extras import need
from xsearch.corpora.opened import OpenSource


def read_pdf(file: OpenSource) -> Iterator[Document]:
    """The pages' text as one document, pages apart by an empty line; title and language from the file's own data.

    A page that cannot be read is noted. Raises `BadInput` for a file that is encrypted, damaged or only pictures,
    `MissingExtra` without pypdf.
    """
    pypdf = need("pypdf", "ingest", "reading PDF")
    # What pypdf has to say of a crooked file would go to stderr; whether a page could be read is said here.
    logging.getLogger("pypdf").addHandler(logging.NullHandler())
    data = file.read_bytes()
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        locked = reader.is_encrypted and not reader.decrypt("")
        count = 0 if locked else len(reader.pages)
    except Exception as error:
        # pypdf raises many kinds of error (also KeyError, RecursionError) on files that are not what they should be.
        raise BadInput(f"damaged PDF: {_said(error)}") from error
    if locked:
        raise BadInput("the PDF is encrypted: save a copy without a password")
    pages = [file.clean(page) for page in _pages(file, reader, count)]
    if not any(page.strip() for page in pages):
        raise BadInput("no text in the PDF's pages: if they are scanned images, run OCR first")
    yield file.document("\n\n".join(page.strip() for page in pages), *_title_and_lang(reader))


def _pages(file: OpenSource, reader: Any, count: int) -> Iterator[str]:
    for number in range(count):
        try:
            yield reader.pages[number].extract_text() or ""
        except Exception as error:
            file.note(f"page {number + 1} of {count} could not be read: {_said(error)}")


def _title_and_lang(reader: Any) -> tuple[str | None, str | None]:
    try:
        title = reader.metadata.title if reader.metadata else None
        lang = reader.trailer["/Root"].get("/Lang")
    except Exception:
        # Both are extras: a document is not lost for a broken description of it.
        return None, None
    return str(title) if title else None, str(lang) if lang else None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
