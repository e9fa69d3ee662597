"""What results look like to a person: tables that keep their columns in every script, nothing that moves a cursor."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from xsearch.core import Hit

# Controls could rewrite the screen, bidi overrides could swap what stands where; both are shown as escapes.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
MET = 8
"""Pairs of words or tokens that late interaction compared, shown for a hit."""
_ISOLATE, _POP = "\u2068", "\u2069"


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
        if direction in ("R", "AL", "L"):
            return direction != "L"
    return False


def console(stream: IO[str] | None = None) -> Console:
    """A console on stdout: colours and the terminal's width on a terminal, plain and 120 wide into a pipe."""
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 120, highlight=False, soft_wrap=False)


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


def marked(text: str, spans: Sequence[tuple[int, int]], isolate: bool) -> Text:
    """`text` on one line with `spans` set in bold."""
    from rich.text import Text

    made = Text()
    at = 0
    for start, end in [*spans, (len(text), len(text))]:
        made.append(re.sub(r"\s+", " ", clean(text[at:start])))
        made.append(re.sub(r"\s+", " ", clean(text[start:end])), style="bold yellow")
        at = end
    if isolate and right_to_left(text):
        # Keeps a right-to-left snippet from pulling the columns beside it into its own order.
        made = Text(_ISOLATE) + made + Text(_POP)
    return made


def show_hits(hits: Sequence[Hit], explain: bool) -> None:
    """Hits as a table: rank, score, language, document, snippet; with `explain` each retriever's part below."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    out = console()
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    made.add_column("#", justify="right", style="dim", no_wrap=True)
    made.add_column("score", justify="right", no_wrap=True)
    made.add_column("lang", no_wrap=True)
    made.add_column("document", ratio=2, overflow="fold")
    made.add_column("passage", ratio=5, overflow="fold")
    isolate = out.is_terminal
    for hit in hits:
        name = Text(one_line(hit.title or ""), style="bold") if hit.title else Text()
        if hit.title:
            name.append("\n")
        name.append(one_line(hit.id), style="dim" if hit.title else "")
        body = marked(hit.snippet, hit.spans, isolate)
        for part in hit.explain if explain else ():
            body.append(f"\n{explained(part)}", style="dim")
        if explain and hit.rerank:
            body.append(f"\n{moved(hit.rerank)}", style="dim")
        for question in hit.questions[:1]:
            if explain or question.decisive:
                body.append(f"\n{asked(question)}", style="dim")
        if hit.matches:
            body.append(f"\n{matched(hit.matches)}", style="dim")
        for line in met(hit.met):
            body.append(f"\n{line}", style="dim")
        made.add_row(str(hit.rank), f"{hit.score:.3f}", hit.lang, name, body)
    out.print(made)


def asked(question: Any) -> str:
    """A generated question through which a passage was found."""
    return f"found by a question generated in {question.lang} ({question.generator}): {one_line(question.text)}"


def matched(matches: Sequence[Any]) -> str:
    """Which word of the passage met which word of the query, each pair once."""
    pairs = dict.fromkeys(f"{one_line(match.word)} ← {one_line(match.query)}" for match in matches)
    return ", ".join(pairs)


def met(matches: Sequence[Any]) -> Iterator[str]:
    """What the query's words met in late interaction, a line a retriever: each pair once, the nearest `MET`."""
    for retriever in dict.fromkeys(match.retriever for match in matches):
        nearest = sorted((m for m in matches if m.retriever == retriever), key=lambda m: -m.similarity)
        pairs = {(one_line(m.word), one_line(m.query)): m.similarity for m in reversed(nearest)}
        shown = list(reversed(pairs.items()))[:MET]
        yield f"{retriever}: " + ", ".join(f"{word} ← {asked} {value:.2f}" for (word, asked), value in shown)


def moved(part: Any) -> str:
    """What a reranker did with a hit, on a line."""
    score = "not scored" if part.score is None else f"score {part.score:.3f}"
    return f"{part.reranker}: rank {part.before} → {part.after}, {score}"


def explained(part: Any) -> str:
    """One retriever's part in a hit, on a line."""
    seen = f"rank {part.rank}, score {part.score:.3f}" if part.rank else "not returned"
    calibrated = "" if part.calibrated is None else f", calibrated {part.calibrated:.3f}"
    return f"{part.retriever}: {seen}{calibrated}, support {part.support:.2f}, weight {part.weight:g}"
