"""What results look like to a person: tables that keep their columns in every script, nothing that moves a cursor."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Controls could rewrite the screen, bidi overrides could swap what stands where; both are shown as escapes.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_STRONG_RIGHT_TO_LEFT = ("R", "AL")
_LEFT_ISOLATE, _RIGHT_ISOLATE, _POP = "\u2066", "\u2067", "\u2069"


def clean(text: str) -> str:
    """`text` with control and bidirectional control characters written as escapes; newlines and tabs are kept."""
    return _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


def one_line(text: str) -> str:
    """`clean` text with every run of white space as one space."""
    return " ".join(clean(text).split())


def right_to_left(text: str) -> bool:
    """Whether the first strong character runs from right to left."""
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction == "L" or direction in _STRONG_RIGHT_TO_LEFT:
            return direction != "L"
    return False


def wrapped(text: Text, width: int, out: Console) -> Text:
    """`text` in lines of at most `width` columns. On a terminal a line with writing from right to left is isolated, so
    that it pulls nothing beside it into its own order: terminals order each line for itself."""
    from rich.text import Text

    lines = []
    for paragraph in text.split("\n", allow_blank=True):
        isolate = _RIGHT_ISOLATE if right_to_left(paragraph.plain) else _LEFT_ISOLATE
        for line in paragraph.wrap(out, width, overflow="fold"):
            alone = out.is_terminal and any(map(_runs_left, line.plain))
            lines.append(Text.assemble(isolate, line, _POP) if alone else line)
    return Text("\n").join(lines)


def _runs_left(char: str) -> bool:
    return unicodedata.bidirectional(char) in _STRONG_RIGHT_TO_LEFT


def console(stream: IO[str] | None = None) -> Console:
    """A console on stdout: colours and the terminal's width on a terminal, plain and 120 wide into a pipe."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() else 120
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], numbers: Sequence[str] = ()) -> None:
    """Print a plain table; the columns in `numbers` are set flush right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    console().print(made)


def _cell(value: object) -> Text:
    from rich.text import Text

    return value if isinstance(value, Text) else Text(one_line(str(value)))


def marked(text: str, spans: Sequence[tuple[int, int]]) -> Text:
    """`text` on one line with `spans` set in bold."""
    from rich.text import Text

    made = Text()
    at = 0
    for start, end in [*spans, (len(text), len(text))]:
        made.append(re.sub(r"\s+", " ", clean(text[at:start])))
        made.append(re.sub(r"\s+", " ", clean(text[start:end])), style="bold yellow")
        at = end
    return made
