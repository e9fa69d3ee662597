"""`xsearch encoders`: what encoders there are and what they can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xsearch.cli.tables import app as table_commands

if TYPE_CHECKING:
    from xsearch.encode import EncoderCard
    from xsearch.rank.rerank import RerankerCard

app = typer.Typer(no_args_is_help=True, help="Encoders: list them, show a card, measure one.")
app.add_typer(table_commands, name="tables")
Format = Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")]


@app.command("list")
def list_encoders(format: Format = "table") -> None:
    """The encoders and rerankers that are known, one a line.

    \b
    xsearch encoders list --format json
    """
    from xsearch.cli.display import table
    from xsearch.encode import known_encoders
    from xsearch.encode.neural.languages import language_scores
    from xsearch.rank.rerank import known_rerankers

    cards: list[EncoderCard | RerankerCard] = [*known_encoders(), *known_rerankers()]
    if format == "json":
        import msgspec

        typer.echo(json.dumps([msgspec.to_builtins(card) for card in cards], ensure_ascii=False, indent=1))
        return
    rows = [
        (card.name, card.kind, getattr(card, "dim", ""), len(language_scores(card)) or "", card.licence)
        for card in cards
    ]
    table(["name", "kind", "dim", "languages", "licence"], rows, ["dim", "languages"])


@app.command()
def show(name: Annotated[str, typer.Argument(help="A name, as `list` gives it.")], format: Format = "table") -> None:
    """The card of an encoder or reranker: dimensions, licence, sources, and its score in every language.

    \b
    xsearch encoders show xsearch-static-v2
    """
    import msgspec

    from xsearch.cli.display import table
    from xsearch.encode import card as find
    from xsearch.encode.neural.languages import language_scores
    from xsearch.rank.rerank import known_rerankers

    card = next((card for card in known_rerankers() if card.name == name), None) or find(name)
    record = msgspec.to_builtins(card)
    if format == "json":
        typer.echo(json.dumps(record, ensure_ascii=False, indent=1))
        return
    # What a card does not say is left out, as 0 and False are what holds unless it says otherwise.
    plain = {key: value for key, value in record.items() if value and not isinstance(value, dict | list | tuple)}
    settings = record.get("settings", {})
    del plain["name"]
    table(["name", card.name], [*plain.items(), *((f"settings: {key}", value) for key, value in settings.items())])
    scores = sorted(language_scores(card).items(), key=lambda item: -item[1])
    if scores:
        notes = {code: "assumed: too few texts to measure it" for code in record.get("unmeasured", ())}
        columns = ["language", "score", *(["note"] if notes else [])]
        told = [(code, f"{score:.2f}", notes.get(code, "")) for code, score in scores]
        table(columns, [row[: len(columns)] for row in told], ["score"])


@app.command("eval")
def evaluate(
    name: Annotated[str, typer.Argument(help="An encoder's name, or the path of its card.")],
    collections: Annotated[list[Path], typer.Option("--collection", metavar="DIR", help="docs, topics or pairs.")],
    by_language: Annotated[bool, typer.Option("--by-language", help="Of sentence pairs: every language.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="JSONL to which a row of results is added.")] = None,
    format: Format = "table",
) -> None:
    """Measure an encoder alone: nDCG@10 by language pair, or the accuracy of sentence pairs.

    A folder holds docs.jsonl and topics.jsonl (a document ID.LANG answers topic ID), or pairs.jsonl with
    {"lang", "text", "en"}; .xz, .gz and .zst too.

    \b
    xsearch encoders eval xsearch-static-v2 --collection eval/collections/demo
    """
    from xsearch.cli.display import table
    from xsearch.encode import load_encoder
    from xsearch.train.evaluate_static import score_folder

    encoder = load_encoder(name)
    scores = {folder.name: score_folder(encoder, folder, by_language) for folder in collections}
    if out is not None:
        from xsearch.engine.clock import utc_now
        from xsearch.evaluate.provenance import provenance
        from xsearch.evaluate.suites import append_row

        named = f"{encoder.card.name} {encoder.card.fingerprint}"
        for folder, found in scores.items():
            append_row(out, {"encoder": named, "collection": folder, "scores": found, **provenance(utc_now())})
    if format == "json":
        typer.echo(json.dumps(scores, ensure_ascii=False, indent=1))
        return
    rows = [(folder, key, f"{value:.4f}") for folder, found in scores.items() for key, value in found.items()]
    table(["collection", "score", "value"], rows, ["value"])


def register(parent: typer.Typer) -> None:
    """Add this module's commands."""
    parent.add_typer(app, name="encoders")
