"""HTML: the readable text of a page, its title and language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora.opened import OpenSource

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


DROPPED = _names(
    "script style nav footer noscript template svg math iframe object select button head title datalist dialog"
)
"""Elements whose content is no text of the page, or stands on every page of a site."""

BLOCKS = _names(
    "address article aside blockquote body br caption center dd details div dl dt fieldset figcaption figure form h1 "
    "h2 h3 h4 h5 h6 header hr li main menu ol option p pre section summary table tbody td tfoot th thead tr ul"
)
"""Elements that begin and end a line. Cells of a table do: run together, their words would make new ones."""

MAX_DEPTH = 5000
"""Nested elements: the parser's time grows with the square of the depth (20,000: .5 s; 300,000: minutes)."""

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_NO_END = _names("area base br col embed hr img input link meta param source track wbr p li dd dt tr td th")


def read_html(file: OpenSource) -> Iterator[Document]:
    """The page as one document: title from ``<title>`` or the first ``<h1>``, language from ``<html lang>``.

    The text is that of ``<main>`` if the page has one, else of ``<body>``, without what `DROPPED` names.
    """
    from selectolax.lexbor import LexborHTMLParser

    markup = file.read_text()
    if _depth(markup) > MAX_DEPTH:
        raise BadInput(f"HTML elements are nested deeper than {MAX_DEPTH}")
    page = LexborHTMLParser(markup)
    root = page.css_first("html")
    title = page.css_first("head title") or page.css_first("h1")
    body = page.css_first("main") or page.body
    lang = root.attributes.get("lang") or root.attributes.get("xml:lang") if root is not None else None
    yield file.document(
        text=node_text(body) if body is not None else "",
        title=title.text() if title is not None else None,
        lang=lang.strip() if lang else None,
    )


def markup_text(markup: str) -> str:
    """The readable text of a piece of HTML, "" for one nested too deeply to be worth reading."""
    from selectolax.lexbor import LexborHTMLParser

    if _depth(markup) > MAX_DEPTH:
        return ""
    body = LexborHTMLParser(markup).body
    return node_text(body) if body is not None else ""


def node_text(root: LexborNode) -> str:
    """The readable text under a node: white space collapsed as browsers do, a line for every block."""
    parts: list[str] = []
    preformatted = 0
    node: LexborNode | None = root
    entering = True
    # Nodes are compared by identity: their own == compares the HTML under them.
    while node is not None and (entering or node.mem_id != root.mem_id):
        tag = node.tag
        if tag == "-text":
            text = node.text_content or ""
            parts.append(text if preformatted else _SPACES.sub(" ", text))
        elif tag in BLOCKS:
            parts.append("\n")
        if tag == "pre":
            preformatted += 1 if entering else -1
        if entering and tag not in DROPPED and node.first_child is not None:
            node = node.first_child
            continue
        if tag == "pre" and entering:
            preformatted -= 1
        if node.mem_id == root.mem_id:
            break
        entering = node.next is not None
        node = node.next if entering else node.parent
    return _tidy("".join(parts))


def _tidy(text: str) -> str:
    lines = [line.strip(" \t") for line in text.split("\n")]
    return "\n".join(line for line in lines if line)


def _depth(markup: str) -> int:
    """How deep elements are nested at most; a bound from above where tags are left out or crossed."""
    if markup.count("<") <= MAX_DEPTH:
        return 0
    opened: Counter[str] = Counter()
    depth = deepest = 0
    for closing, name in _TAG.findall(markup):
        tag = name.lower()
        if tag in _NO_END or (closing and not opened[tag]):
            continue
        step = -1 if closing else 1
        opened[tag] += step
        depth += step
        deepest = max(deepest, depth)
    return deepest
