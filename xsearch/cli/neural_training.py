"""`xsearch train encoder|colbert|sparse`: neural retrievers from recipes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import Device
from xsearch.cli.options import TrainingExclude as Exclude

Recipe = Annotated[str, typer.Option(metavar="NAME|FILE", help="A recipe of encoders/recipes, or your own.")]
Data = Annotated[Path, typer.Option(metavar="DIR", help="Parallel text, or pairs: JSON lines.")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where card and model go.")]
Base = Annotated[str, typer.Option(metavar="NAME|PATH", help="The checkpoint to begin from; else the recipe's.")]
Toy = Annotated[bool, typer.Option("--toy", help="The recipe at a size that a CPU trains in minutes, to try it.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Of every stage, instead of the recipe's.")]
Seed = Annotated[int | None, typer.Option(help="Instead of the recipe's.")]

Evaluate = Annotated[
    list[Path] | None,
    typer.Option("--evaluate", metavar="DIR", help="docs.jsonl, topics.jsonl, searched as training goes on."),
]

ENCODER = """Train an encoder of a vector a text. What is done stays: the same command again goes on.

\b
xsearch train encoder --recipe dap --base xlm-roberta-base --data ./data --out trained
xsearch train encoder --recipe contrastive --toy --data ./data --evaluate eval/collections/demo
xsearch index ./docs --encoder trained -i own
"""
COLBERT = """Train an encoder of a vector a token, for late interaction.

\b
xsearch train colbert --recipe colbert-x --base xlm-roberta-large --data ./data --out trained
xsearch index ./docs --recipe colbert --encoder trained -i own
"""
SPARSE = """Train an encoder of weights of the vocabulary.

\b
xsearch train sparse --recipe splade --base bert-base-multilingual-cased --data ./data --out trained
xsearch index ./docs --recipe sparse --encoder trained -i own
"""


def register(app: typer.Typer) -> None:
    """Add the commands to `xsearch train`."""
    app.command("encoder", help=ENCODER)(_training("dense"))
    app.command("colbert", help=COLBERT)(_training("multivector"))
    app.command("sparse", help=SPARSE)(_training("sparse"))


def _training(kind: str) -> Callable[..., None]:
    """The command that trains encoders of a kind: all kinds take the same options."""

    def train(
        recipe: Recipe,
        data: Data = Path("."),
        out: Out = Path("trained"),
        base: Base = "",
        toy: Toy = False,
        steps: Steps = None,
        seed: Seed = None,
        device: Device = "auto",
        evaluate: Evaluate = None,
        exclude: Exclude = None,
    ) -> None:
        from xsearch.cli.progress import Progress, say
        from xsearch.cli.training_progress import reporter
        from xsearch.core.wording import counted
        from xsearch.train.neural.recipe import adjusted, load_neural_recipe
        from xsearch.train.neural.training import train_neural

        chosen = adjusted(load_neural_recipe(Path(recipe)), kind, toy, steps, seed, exclude)
        progress = Progress("steps")
        card = train_neural(chosen, data, out, base, device, reporter(progress), evaluate or ())
        progress.clear()
        langs = f"{counted(len(card.languages), 'language')} measured" if card.languages else "too few texts to measure"
        say(f"{out / card.name}.toml: {card.kind}, {card.dim:,} dimensions, {langs}")
        for name, value in card.scores.items():
            say(f"  {name}: {value:.3f}")

    return train
