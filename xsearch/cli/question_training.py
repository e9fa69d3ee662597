"""`xsearch train qgen`: a generator of questions, from examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import Device
from xsearch.cli.options import TrainingExclude as Exclude


def qgen(
    recipe: Annotated[str, typer.Option(metavar="NAME|FILE", help="A recipe of encoders/recipes, or your own.")] = (
        "qgen-mt5"
    ),
    data: Annotated[Path, typer.Option(metavar="DIR", help="Examples: JSON lines of passage, query, query_lang.")] = (
        Path(".")
    ),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the model goes.")] = Path("trained"),
    base: Annotated[str, typer.Option(metavar="NAME|PATH", help="The model to begin from; else the recipe's.")] = "",
    toy: Annotated[
        bool, typer.Option("--toy", help="The recipe at a size that a CPU trains in minutes, to try it.")
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    device: Device = "auto",
    exclude: Exclude = None,
) -> None:
    """Train a generator of questions for `xsearch augment`. What is done stays: the same command again goes on.

    \b
    xsearch train qgen --toy --data ./pairs --exclude topics.jsonl --out trained
    xsearch train qgen --base google/mt5-base --data ./pairs --exclude topics.jsonl --out trained
    xsearch augment --generator trained/qgen-mt5 --langs en,fa,zh
    """
    from xsearch.cli.progress import Progress, say
    from xsearch.cli.training_progress import reporter
    from xsearch.core.extras import need
    from xsearch.core.wording import counted
    from xsearch.encode import Runtime

    need("torch", "neural", "training a generator of questions")
    from xsearch.train.neural.qgen import adjusted, load_qgen_recipe, train_qgen

    chosen = adjusted(load_qgen_recipe(Path(recipe)), base, toy, steps, seed, exclude)
    progress = Progress("steps")
    trained = train_qgen(chosen, data, out, Runtime(device, precision="fp32"), reporter(progress))
    spoken = ", ".join(f"{lang} {count:,}" for lang, count in trained.examples.items())
    say(f"{trained.folder}: held-out loss {trained.loss:.3f}, {progress.seconds:,.0f} s; examples: {spoken}", progress)
    if trained.excluded:
        say(f"{counted(trained.excluded, 'example')} left out: evaluation has their texts")


def register(app: typer.Typer) -> None:
    """Add the command to `xsearch train`."""
    app.command()(qgen)
