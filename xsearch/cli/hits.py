"""Hits as a person reads them: a table, or one below the other where the terminal is too narrow for columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xsearch.cli.display import console, marked, one_line, wrapped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from xsearch.core import Hit

MET = 8
"""Pairs of words or tokens that late interaction compared, shown for a hit."""
NARROW = 80
"""Columns of a terminal below which a table of hits is a column of syllables."""
_GAP = 3
_INDENT = 3


def show_hits(hits: Sequence[Hit], explain: bool) -> None:
    """Rank, score, language, document and snippet of each hit; with `explain` each retriever's part below."""
    out = console()
    show = _in_columns if out.width >= NARROW else _in_paragraphs
    show(out, hits, [_heading(hit) for hit in hits], [_body(hit, explain) for hit in hits])


def _in_columns(out: Console, hits: Sequence[Hit], headings: Sequence[Text], bodies: Sequence[Text]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    facts = [(str(hit.rank), f"{hit.score:.3f}", hit.lang) for hit in hits]
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    taken = 0
    for name, cells in zip(("#", "score", "lang"), zip(*facts, strict=True), strict=True):
        made.add_column(name, justify="left" if name == "lang" else "right", no_wrap=True)
        taken += max(map(len, (name, *cells))) + _GAP
    made.columns[0].style = "dim"
    left = out.width - taken - _GAP
    longest, longest_body = _width("document", headings), _width("passage", bodies)
    width = min(longest, max(left * 2 // 7, left - longest_body))
    made.add_column("document", width=width)
    made.add_column("passage", width=min(longest_body, left - width))
    for fact, heading, body in zip(facts, headings, bodies, strict=True):
        made.add_row(*fact, wrapped(heading, width, out), wrapped(body, left - width, out))
    out.print(made)


def _in_paragraphs(out: Console, hits: Sequence[Hit], headings: Sequence[Text], bodies: Sequence[Text]) -> None:
    from rich.padding import Padding

    width = max(out.width - _INDENT, 1)
    for hit, heading, body in zip(hits, headings, bodies, strict=True):
        out.print(f"[dim]{hit.rank}[/]  {hit.score:.3f}  {hit.lang}")
        for text in (heading, body):
            out.print(Padding(wrapped(text, width, out), (0, 0, 0, _INDENT)))


def _width(name: str, cells: Sequence[Text]) -> int:
    """Columns of a terminal that the longest line takes."""
    from rich.cells import cell_len

    return max(cell_len(line) for cell in (name, *(cell.plain for cell in cells)) for line in cell.split("\n"))


def _heading(hit: Hit) -> Text:
    from rich.text import Text

    if not hit.title:
        return Text(one_line(hit.id))
    return Text.assemble((one_line(hit.title), "bold"), "\n", (one_line(hit.id), "dim"))


def _body(hit: Hit, explain: bool) -> Text:
    body = marked(hit.snippet, hit.spans)
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
    return body


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
    line = f"{part.reranker}: rank {part.before} → {part.after}, {score}"
    if part.modules is None:
        return line
    languages = ", ".join(part.modules)
    return f"{line}, read by {f'modules of {languages}' if languages else 'the ranking module alone'}"


def explained(part: Any) -> str:
    """One retriever's part in a hit, on a line."""
    seen = f"rank {part.rank}, score {part.score:.3f}" if part.rank else "not returned"
    calibrated = "" if part.calibrated is None else f", calibrated {part.calibrated:.3f}"
    return f"{part.retriever}: {seen}{calibrated}, support {part.support:.2f}, weight {part.weight:g}"
