"""`xsearch train shipped`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `xsearch train`."""
    app.command()(shipped)


def shipped(
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder that the recipes' files are in.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where cards and weights go.")] = Path("trained"),
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Which recipes; else encoders/recipes/shipped.toml.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that align languages.")] = 1,
) -> None:
    """Make all that ships with learnt weights: vectors, translation tables, the small reranker, spellings.

    What is done stays: the same command again goes on. The vectors take some fifty minutes of one core, the tables
    twenty of as many as there are workers, the rest minutes.

    \b
    xsearch train shipped --data ./data --out trained --workers 2
    """
    from xsearch.cli.progress import Progress, say
    from xsearch.core.data import data_path
    from xsearch.train.progress import Progress as Step
    from xsearch.train.shipped import train_shipped

    progress = Progress("steps")

    def on_progress(step: Step) -> None:
        if step.note:
            say(step.note, progress)
            return
        progress.stage(step.stage, "done", step.total, step.done)
        progress.update(step.done, f" ({step.stage})")

    given = recipe or data_path("encoders/recipes/shipped.toml")
    for path in train_shipped(given, data, out, workers, on_progress):
        say(f"{path}", progress)
