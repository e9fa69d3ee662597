"""`xsearch train small-reranker`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `xsearch train`."""
    app.command("small-reranker")(small_reranker)


def small_reranker(
    recipe: Annotated[Path, typer.Option(metavar="NAME|FILE", help="A recipe of encoders/recipes, or your own.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Parallel text: JSON lines of {lang: text}.")] = Path("."),
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the card goes.")] = Path("trained"),
) -> None:
    """Learn the weights of the reranker that ships, or your own, from questions that parallel text answers.

    \b
    xsearch train small-reranker --recipe rerank-small --data ./data --out trained
    xsearch query "solar energy" --rerank trained/xsearch-rerank-small.toml
    """
    from xsearch.cli.progress import Progress, say
    from xsearch.train.small_reranker import load_small_recipe, train_small_reranker

    progress = Progress("questions")

    def on_progress(stage: str, done: int, total: int) -> None:
        progress.unit, progress.total = (
            {"read": "files", "index": "documents"}.get(stage.split()[0], "questions"),
            total,
        )
        progress.update(done, f" ({stage})")

    card = train_small_reranker(load_small_recipe(recipe), data, out, on_progress)
    progress.clear()
    say(f"{out / card.name}.toml: {len(card.settings) - 1} weights, {progress.seconds:,.0f} s")
    for name, value in card.scores.items():
        say(f"  {name}: {value:.3f}")
