"""Markdown (CommonMark with tables): the text without its marks, the title, and simple front matter."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xsearch.core.document import Document
from xsearch.corpora.formats.html import markup_text
from xsearch.corpora.formats.records import typed_value
from xsearch.corpora.opened import OpenSource

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
_SIMPLE_KEY = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:(?:[ \t]+(\S.*?))?[ \t]*")
_ITEM = re.compile(r"[ \t]*-[ \t]+(\S.*?)[ \t]*")

MAX_INLINE = 20_000
"""Characters of one paragraph whose marks are taken out; the time for brackets grows with the square of their number
(150,000: 5 s), and a longer paragraph is left as it is."""

_BLOCK_ENDS = frozenset(
    {"paragraph_close", "heading_close", "td_close", "th_close", "tr_close", "bullet_list_close", "ordered_list_close"}
)


def read_markdown(file: OpenSource) -> Iterator[Document]:
    """The file as one document.

    The title is the front matter's, or else the first heading, which is taken out of the text if it begins it.
    "lang" (or "language") of the front matter is the language; its other ``key: value`` lines are metadata, and so are
    lists, ``[a, b]`` or an item a line; what is nested otherwise is left out.
    """
    from markdown_it import MarkdownIt

    markup = file.read_text()
    metadata, markup = split_front_matter(markup)
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    references: dict[str, Any] = {}
    tokens = parser.parse(markup, references)
    for token in tokens:
        if token.type == "inline":
            token.children = _inline(parser, token.content, references)
    title = _string(metadata.pop("title", None))
    lang = _string(metadata.pop("lang", None)) or _string(metadata.pop("language", None))
    heading = next((i for i, token in enumerate(tokens) if token.type == "heading_open"), None)
    if title is None and heading is not None:
        title = _inline_text(tokens[heading + 1].children or ()).strip()
        if heading == 0 and title:
            tokens = tokens[3:]
    yield file.document(_text(tokens), title, lang, metadata)


def _inline(parser: MarkdownIt, content: str, references: dict[str, Any]) -> list[Token]:
    from markdown_it.token import Token

    if len(content) > MAX_INLINE:
        return [Token("text", "", 0, content=content)]
    tokens: list[Token] = []
    parser.inline.parse(content, parser, references, tokens)
    return tokens


def split_front_matter(markup: str) -> tuple[dict[str, Any], str]:
    """The simple keys and lists of a YAML block between ``---`` lines at the beginning, and what follows the block."""
    block = _FRONT_MATTER.match(markup)
    if block is None:
        return {}, markup
    found: dict[str, Any] = {}
    items: list[Any] | None = None
    for line in block[1].splitlines():
        if (item := _ITEM.fullmatch(line)) and items is not None:
            items.append(_scalar(item[1]))
        elif key := _SIMPLE_KEY.fullmatch(line):
            items = None if key[2] else []
            found[key[1]] = _value(key[2]) if key[2] else items
        else:
            items = None
    return {key: value for key, value in found.items() if value != []}, markup[block.end() :]


def _value(value: str) -> Any:
    """A value on its key's line: a list of plain values in brackets, or one value."""
    if value[0] != "[" or value[-1] != "]" or set(value[1:-1]) & set("[]{}"):
        return _scalar(value)
    try:
        parts = next(csv.reader([value[1:-1]], skipinitialspace=True), [])
    except csv.Error:  # One longer than the module's limit.
        return _scalar(value)
    return [_scalar(part.strip()) for part in parts if part.strip()]


def _scalar(value: str) -> str | int | float:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return typed_value(value)


def _string(value: object) -> str | None:
    return None if value is None or isinstance(value, list) else str(value)


def _text(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    for token in tokens:
        if token.type == "inline":
            parts.append(_inline_text(token.children or ()))
        elif token.type in ("fence", "code_block"):
            parts.append(token.content.rstrip("\n") + "\n\n")
        elif token.type == "html_block":
            parts.append(markup_text(token.content) + "\n\n")
        elif token.type in _BLOCK_ENDS:
            # Items of a tight list and cells of a row stand one to a line, paragraphs apart.
            parts.append("\n" if token.hidden or token.type in ("td_close", "th_close") else "\n\n")
    return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()


def _inline_text(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    for token in tokens:
        if token.type in ("text", "text_special", "code_inline"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif token.type == "image":
            parts.append(_inline_text(token.children or ()))
    return "".join(parts)
