"""`xsearch encoders tables`: translation tables as words, in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xsearch.encode import StaticEncoder

app = typer.Typer(no_args_is_help=True, help="Translation tables: what there is, and tables of words in and out.")
File = Annotated[Path, typer.Argument(metavar="FILE|NAME", help="A file of tables (.tables), or such as ship.")]
Pair = Annotated[str, typer.Option(metavar="XX-YY", help="From which language into which, as en-es.")]
Encoder = Annotated[str | None, typer.Option("--encoder", metavar="NAME|PATH", help="Whose pieces the tables are of.")]
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")]


@app.command()
def show(file: File, format: Format = "table") -> None:
    """The tables of a file: their size, and how good each is either way.

    \b
    xsearch encoders tables show xsearch-tables-v1
    """
    import msgspec

    from xsearch.cli.display import table
    from xsearch.lang.translation_file import read_header

    header = read_header(_found(file))
    if format == "json":
        typer.echo(json.dumps(msgspec.to_builtins(header), ensure_ascii=False, indent=1))
        return
    rows = [(f"{p.rows}-{p.columns}", f"{p.entries:,}", f"{p.there:.2f}", f"{p.back:.2f}") for p in header.pairs]
    table(["pair", "entries", "there", "back"], rows, ["entries", "there", "back"])


@app.command("export")
def export_table(
    file: File,
    pair: Pair,
    encoder: Encoder = None,
    min_probability: Annotated[float, typer.Option(help="Less likely translations are left out.")] = 0.01,
    cumulative: Annotated[float, typer.Option(help="Probability that is covered.")] = 0.95,
    alternatives: Annotated[int, typer.Option(min=1, help="At most so many translations of a word.")] = 12,
) -> None:
    """A table of words as JSON on stdout: {"cat": {"gato": 0.8}}. Words that are one piece in both languages.

    \b
    xsearch encoders tables export xsearch-tables-v1 --pair en-es > en-es.json
    """
    from xsearch.lang.translation import Limits, TranslationTables
    from xsearch.train.align.exchange import export_words

    source, target = _languages(pair)
    limits = Limits(min_probability, cumulative, alternatives)
    words = export_words(TranslationTables.open(_found(file)), _static(encoder), source, target, limits)
    typer.echo(json.dumps(words, ensure_ascii=False, indent=1))


@app.command("import")
def import_table(
    words: Annotated[Path, typer.Argument(metavar="JSON", help='{"cat": {"gato": 0.8}}, gzipped or not.')],
    pair: Pair,
    into: Annotated[Path, typer.Option(metavar="FILE", help="A file of tables, made if it is not there.")],
    encoder: Encoder = None,
) -> None:
    """Put a table of words into a file of tables, beside those it holds or in place of the same two languages'.

    \b
    xsearch encoders tables import en-es.json --pair en-es --into own.tables
    """
    from xsearch.cli.progress import say
    from xsearch.core.wording import counted
    from xsearch.train.align.exchange import import_words, read_words

    source, target = _languages(pair)
    header = import_words(read_words(words), _static(encoder), source, target, into)
    entries = sum(p.entries for p in header.pairs if (p.rows, p.columns) == (source, target))
    added, tables = counted(entries, "entry", "entries"), counted(len(header.pairs), "table")
    say(f"{into}: {added} from {source} to {target}, {tables} in all")


def _found(file: Path) -> Path:
    """The file itself, or the tables of that name that ship."""
    from xsearch.core.data import data_path

    shipped = data_path("encoders") / f"{file}.tables"
    return shipped if shipped.is_file() and not file.is_file() else file


def _languages(pair: str) -> tuple[str, str]:
    """The two languages of a pair, as tables name them."""
    from xsearch.core import UsageError
    from xsearch.lang import base_language, normalize_code

    codes = [base_language(normalize_code(code)) for code in pair.split("-")]
    if len(set(codes)) != 2 or len(codes) != 2:
        raise UsageError(f"'{pair}' is no pair of two languages: write it as en-es")
    return codes[0], codes[1]


def _static(name: str | None) -> StaticEncoder:
    from xsearch.core import UsageError
    from xsearch.encode import StaticEncoder, load_encoder

    encoder = load_encoder(name)
    if not isinstance(encoder, StaticEncoder):
        raise UsageError(f"{encoder.card.name} has no pieces: name a static encoder")
    return encoder
