"""The text of a filter → a syntax tree, and errors that point into the text.

Python's own parser does the parsing, but never sees what the user wrote: names and strings are cut out first and
replaced by their number in a table, SQL's spellings (=, <>, AND, NULL) become Python's, and any sign outside the
filter language is refused. What reaches the parser is structure alone, so no literal syntax, keyword or escape
of Python means anything here.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from xsearch.core import FilterError

MAX_CHARACTERS = 20_000
MAX_NESTING = 50

EXAMPLES = """write, for example:
  year >= 2020 and lang in ["de", "fa"]
  "energy" in tags and not archived
  1990 <= metadata["pub. year"] < 2000 or title != None"""

_TOKEN = re.compile(
    r"""
    (?P<space>   \s+ )
  | (?P<string>  '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" )
  | (?P<word>    [^\W\d][^\s\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]* )
  | (?P<number>  (?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!\w) )
  | (?P<sign>    <>|<=|>=|==|!=|&&|\|\||. )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"""\\([\\'"])""")
_WORDS = frozenset(["and", "or", "not", "in", "is"])
_CONSTANTS = {"true": "True", "false": "False", "none": "None", "null": "None"}
_SIGNS = {"=": "==", "<>": "!=", "&&": " and ", "||": " or "}
_PLAIN_SIGNS = frozenset(["<", "<=", ">", ">=", "==", "!=", "(", ")", "[", "]", "{", "}", ",", ".", "-", "+"])
_HINTS = (
    (re.compile(r"\blike\b", re.IGNORECASE), '`like` is written "part" in title'),
    (re.compile(r"\bbetween\b", re.IGNORECASE), "`between` is written 1990 <= year <= 1999"),
    (re.compile(r"\d{4}-\d\d"), 'a date is a string: date >= "2020-01-31"'),
    (re.compile("[“”„«»‘’]"), "strings stand in straight quotation marks: \"…\" or '…'"),
    (re.compile(r"(?<![!])!(?!=)"), "`!` is written not"),
)


@dataclass(frozen=True, slots=True)
class Syntax:
    """A filter's tree. `names` holds its names and strings: the tree's own are numbers that point there."""

    tree: ast.expr
    names: tuple[str, ...]
    _text: str
    _origins: tuple[int, ...]

    def name(self, node: ast.Name) -> str:
        """A name as it was written."""
        return self.names[int(node.id[1:])]

    def attribute(self, node: ast.Attribute) -> str:
        """The name behind the dot as it was written."""
        return self.names[int(node.attr[1:])]

    def string(self, node: ast.Constant) -> str:
        """A string as it was written; the node's value is its number in the table."""
        return self.names[int(str(node.value))]

    def error(self, node: ast.expr, message: str) -> FilterError:
        """An error that points at `node`."""
        return point(self._text, self._origins[node.col_offset], message)


def read_syntax(text: str) -> Syntax:
    """The tree of a filter. Raises `FilterError` for what does not parse, is too long or too deeply nested."""
    if not text.strip():
        raise FilterError(f"the filter is empty; {EXAMPLES}")
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"the filter has {len(text):,} characters; {MAX_CHARACTERS:,} is the most")
    source, names, origins = _cut_out(text)
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = (error.offset or 1) - 1 if isinstance(error, SyntaxError) else 0
        at = origins[min(max(offset, 0), len(origins) - 1)]
        raise point(text, at, "the filter does not parse") from None
    return Syntax(tree, tuple(names), text, tuple(origins))


def point(text: str, at: int, message: str) -> FilterError:
    """An error with the stretch of `text` around the character `at`, a caret under it, a hint and examples."""
    first = max(0, at - 40)
    excerpt = "".join(c if c.isprintable() else " " for c in text[first : at + 40])
    hints = "".join(f"\n{hint}" for pattern, hint in _HINTS if pattern.search(text))
    return FilterError(f"{message}, at character {at + 1}:\n  {excerpt}\n  {' ' * (at - first)}^{hints}\n{EXAMPLES}")


def _cut_out(text: str) -> tuple[str, list[str], list[int]]:
    """ASCII source on one line for Python's parser, with names and strings as numbers; their table; and for each
    character of the source, and its end, the place in `text` it stems from."""
    pieces: list[str] = []
    names: list[str] = []
    origins: list[int] = []
    depth = prefixes = 0
    before: str | None = ""
    for match in _TOKEN.finditer(text):
        kind, token, at = match.lastgroup, match.group(), match.start()
        if kind == "space":
            piece = " " if pieces else ""  # Python takes a leading space for an indent
        elif kind == "word" and token.lower() in _WORDS:
            piece = token.lower()
        elif kind == "word" and token.lower() in _CONSTANTS:
            piece = _CONSTANTS[token.lower()]
        elif kind == "number":
            piece = token
        elif kind == "sign":
            piece = _sign(text, at, token)
            depth += (token in "([{") - (token in ")]}")
        elif kind == before == "string":
            raise point(text, at, "two strings in a row")  # which Python would read as one
        else:
            piece = f"_{len(names)}" if kind == "word" else f'"{len(names)}"'
            names.append(_checked(text, at, token if kind == "word" else _ESCAPE.sub(r"\1", token[1:-1])))
        if kind != "space":
            before = kind
            prefixes = prefixes + 1 if piece in ("not", "-", "+") else 0
        if max(depth, prefixes) > MAX_NESTING:
            raise point(text, at, f"the filter is nested more than {MAX_NESTING} deep")
        pieces.append(piece)
        origins.extend([at] * len(piece))
    return "".join(pieces), names, [*origins, len(text)]


def _sign(text: str, at: int, token: str) -> str:
    if token in _SIGNS:
        return _SIGNS[token]
    if token in _PLAIN_SIGNS:
        return token
    if token in "'\"":
        raise point(text, at, "a string is not closed")
    shown = f"'{token}'" if token.isprintable() else f"the character U+{ord(token):04X}"
    raise point(text, at, f"{shown} has no meaning in a filter")


def _checked(text: str, at: int, name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise point(text, at, "half of a surrogate pair is no character") from None
    return name
