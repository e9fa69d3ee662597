"""`xsearch train`: weights from parallel text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.mining import register as add_mining_command
from xsearch.cli.neural_training import register as add_neural_commands
from xsearch.cli.options import TrainingExclude
from xsearch.cli.question_training import register as add_question_command
from xsearch.cli.reranker_training import register as add_reranker_command
from xsearch.cli.shipped_training import register as add_shipped_command
from xsearch.cli.small_reranker_training import register as add_small_reranker_command

app = typer.Typer(no_args_is_help=True, help="Train what searches across languages.")
Recipe = Annotated[Path | None, typer.Option(metavar="NAME|FILE", help="A recipe of encoders/recipes, or your own.")]
Data = Annotated[Path, typer.Option(metavar="DIR", help="Parallel text: JSON lines of {lang: text}, TSV.")]
add_mining_command(app)
add_small_reranker_command(app)
add_shipped_command(app)
add_neural_commands(app)
add_question_command(app)
add_reranker_command(app)


@app.callback()
def _group() -> None:
    """Train what searches across languages."""


@app.command()
def static(
    recipe: Recipe = None,
    base: Annotated[
        str,
        typer.Option("--from", metavar="NAME|PATH", help="A static encoder to train on top of: xsearch-static-v2."),
    ] = "",
    data: Data = Path("."),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where card and weights go.")] = Path("trained"),
    name: Annotated[str, typer.Option(help="Of the encoder, instead of the recipe's.")] = "",
    extend: Annotated[
        list[str] | None,
        typer.Option(metavar="XX", help="With --from: a language whose words become pieces; else those it lacks."),
    ] = None,
    exclude: TrainingExclude = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of every cycle, instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
) -> None:
    """Train static multilingual vectors: what ships, your own, or the shipped ones further on text of yours.

    \b
    xsearch train static --recipe static-v2 --data ./data --out trained
    xsearch train static --from xsearch-static-v2 --data ./law --out trained --name law
    xsearch index ./docs --encoder trained/law.toml -i own
    """
    from xsearch.cli.progress import Progress, say
    from xsearch.core import UsageError
    from xsearch.core.wording import counted
    from xsearch.train.progress import Progress as Step
    from xsearch.train.recipe import load_recipe, overridden
    from xsearch.train.static import train_static

    if recipe is None and not base:
        raise UsageError("name a --recipe to train by, or an encoder to train on top of: --from xsearch-static-v2")
    loaded = load_recipe(recipe or Path("static-further"))
    progress = Progress("steps")

    def on_progress(step: Step) -> None:
        if step.note:
            say(step.note, progress)
            return
        progress.stage(step.stage, "steps" if step.stage == "train" else "texts", step.total, step.done)
        detail = f", loss {step.loss:.3f}, {step.pairs_per_second:,.0f} pairs/s" if step.stage == "train" else ""
        progress.update(step.done, f" ({step.stage}{detail})")

    chosen = overridden(loaded, base, name, tuple(extend or ()), tuple(exclude or ()), steps)
    card = train_static(chosen, data, out, on_progress, seed)
    progress.clear()
    languages = counted(len(card.languages), "language")
    say(f"{out / card.name}.toml: {card.dim} dimensions, {card.vocabulary:,} subwords, {languages}")
    for measure, value in card.scores.items():
        say(f"  {measure}: {value:.3f}")


@app.command()
def align(
    recipe: Recipe = None,
    base: Annotated[
        str, typer.Option("--from", metavar="NAME|PATH", help="Tables to build on: xsearch-tables-v1.")
    ] = "",
    data: Data = Path("."),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where card and tables go.")] = Path("trained"),
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="The static encoder whose pieces are aligned.")
    ] = None,
    name: Annotated[str, typer.Option(help="Of the tables, instead of the recipe's.")] = "",
    exclude: TrainingExclude = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, each aligning one pair of languages.")] = 1,
) -> None:
    """Learn translation tables from parallel text. What is done stays: the same command again goes on.

    Tables beside the card of an encoder are found by `xsearch index --encoder`.

    \b
    xsearch train align --recipe tables-v1 --data ./data --out trained
    xsearch train align --from xsearch-tables-v1 --encoder trained/law.toml --data ./law --out trained
    """
    from xsearch.cli.progress import Progress, say
    from xsearch.core import UsageError
    from xsearch.core.wording import counted
    from xsearch.encode import StaticEncoder, load_encoder
    from xsearch.train.align import load_tables_recipe, train_tables
    from xsearch.train.align.recipe import overridden

    if recipe is None and not base:
        raise UsageError("name a --recipe to learn by, or tables to build on: --from xsearch-tables-v1")
    loaded = load_encoder(encoder)
    if not isinstance(loaded, StaticEncoder):
        raise UsageError(f"{loaded.card.name} has no pieces to align: name a static encoder")
    progress = Progress("texts")

    def on_progress(stage: str, done: int, total: int) -> None:
        progress.stage(stage, "texts" if stage in ("read", "tokenise") else "tables", total, done)
        progress.update(done, f" ({stage})")

    given = load_tables_recipe(recipe or Path("tables-further"))
    chosen = overridden(given, base, name, tuple(exclude or ()))
    card = train_tables(chosen, loaded, data, out, workers, on_progress)
    progress.clear()
    tables = counted(len(card.entries), "table")
    say(f"{out / card.name}.toml: {tables}, {card.bytes / 2**20:.1f} MiB, {progress.seconds:,.0f} s")
    for pair in sorted(card.learnt or card.entries):
        there, back = (f"{part[pair]:.2f}" if pair in part else "–" for part in (card.there, card.back))
        say(f"  {pair}: {there} there, {back} back, {counted(card.entries[pair], 'entry', 'entries')}")


@app.command()
def spellings(
    lexicons: Annotated[list[Path], typer.Argument(metavar="FILE...", help='Names: JSON lines of {"en": ["…"], …}.')],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the table goes.")] = Path("spellings.tsv"),
    exclude: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Texts whose words are not learnt from; may be repeated.")
    ] = None,
) -> None:
    """Learn how names are spelt in other scripts, from names in several: the table behind the retriever of names.

    \b
    xsearch train spellings lexicons/*names*.jsonl --exclude eval/collections/names/persons.tsv --out spellings.tsv
    """
    from xsearch.cli.progress import say
    from xsearch.train.names import train_spellings

    excluded = [word for path in exclude or [] for word in path.read_text(encoding="utf-8").split()]
    table = train_spellings(lexicons, excluded)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(table, encoding="utf-8")
    say(f"{out}: written")


@app.command()
def readings(
    lexicons: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help='Words: JSON lines of {"ja": [word, its kana]}.')
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the two tables go.")] = Path(),
    ipadic: Annotated[bool, typer.Option(help="Learn from the nouns of IPADIC too (extra `readings`).")] = True,
    exclude: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Texts whose words are not learnt from; may be repeated.")
    ] = None,
) -> None:
    """Learn how kanji are read: the tables by which the retriever of names finds 東京 for Tokyo.

    \b
    xsearch train readings lexicons/jmdict_common.jsonl.xz --exclude eval/bench/kanji_names.tsv --out tables
    """
    from xsearch.cli.progress import say
    from xsearch.train.readings import train_readings

    excluded = [word for path in exclude or [] for word in path.read_text(encoding="utf-8").split()]
    tables = train_readings(lexicons or [], ipadic, excluded)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        (out / name).write_text(table, encoding="utf-8")
        say(f"{out / name}: written")


def register(parent: typer.Typer) -> None:
    """Add this module's commands."""
    parent.add_typer(app, name="train")
