"""Electronic books (.epub): the chapters' text in reading order, by the package's own list of them."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora import encodings
from xsearch.corpora.formats.archive import open_archive
from xsearch.corpora.formats.html import markup_text
from xsearch.corpora.opened import OpenSource

CONTAINER = "META-INF/container.xml"
CHAPTERS = ("application/xhtml+xml", "text/html")
"""Media types of parts that hold text."""

_UNREADABLE = (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError, NotImplementedError, EOFError, OSError)
"""What zipfile raises for a part that is not there, damaged, encrypted or packed in a way it does not know."""


def read_epub(file: OpenSource) -> Iterator[Document]:
    """The book as one document: chapters apart by an empty line, title and language from the package (EPUB 2 and 3).

    A chapter that is missing, or encrypted as shops do, is left out and noted. Raises `BadInput` for a damaged file,
    one without text, and one that unpacks to more than `max_document_bytes`.
    """
    with open_archive(file.read_bytes(), ".epub", file.options.max_document_bytes) as archive:
        folder, package = _package(archive)
        chapters = [text for name in _reading_order(package, folder) if (text := _chapter(file, archive, name))]
    if not chapters:
        raise BadInput("there is no chapter in it that can be read")
    yield file.document("\n\n".join(chapters), _first(package, "title"), _first(package, "language"))


def _package(archive: zipfile.ZipFile) -> tuple[str, ElementTree.Element]:
    """The package and the folder it lies in, to which its names are relative."""
    found = _parsed(archive, CONTAINER).find(".//{*}rootfile")
    name = "" if found is None else found.get("full-path", "")
    return posixpath.dirname(name), _parsed(archive, name)


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    try:
        content = archive.read(name)
        # Neither file needs entities of its own; they are how a small file becomes a large one.
        if b"<!ENTITY" in content:
            raise BadInput(f"damaged .epub: {name} declares entities")
        return ElementTree.fromstring(content)
    except (*_UNREADABLE, ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadInput(f"damaged .epub: {name or 'the package'} cannot be read ({error})") from error


def _reading_order(package: ElementTree.Element, folder: str) -> Iterator[str]:
    """Names of the chapters in the archive, in the order of the spine."""
    items = {item.get("id"): item for item in package.iterfind(".//{*}manifest/{*}item")}
    for reference in package.iterfind(".//{*}spine/{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is not None and item.get("media-type") in CHAPTERS:
            yield posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))


def _chapter(file: OpenSource, archive: zipfile.ZipFile, name: str) -> str:
    """The text of a chapter, "" for one that cannot be read."""
    try:
        data = archive.read(name)
        codec = encodings.detect_encoding(data, encodings.declared_encoding(data)) if data else encodings.UTF8
    except (*_UNREADABLE, BadInput) as error:
        file.note(f"the chapter {name} cannot be read ({error}); left out")
        return ""
    return markup_text(file.clean(encodings.decode(data, codec)[0]))


def _first(package: ElementTree.Element, name: str) -> str | None:
    """The text of the first element of this name in the package's metadata."""
    found = package.find(f".//{{*}}metadata/{{*}}{name}")
    return (found.text or "").strip() or None if found is not None else None
