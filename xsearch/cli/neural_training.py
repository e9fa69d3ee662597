"""`xsearch train encoder|colbert|sparse`: neural retrievers from recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import Device

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


def register(app: typer.Typer) -> None:
    """Add the commands to `xsearch train`."""
    app.command()(encoder)
    app.command()(colbert)
    app.command()(sparse)


def encoder(
    recipe: Recipe,
    data: Data = Path("."),
    out: Out = Path("trained"),
    base: Base = "",
    toy: Toy = False,
    steps: Steps = None,
    seed: Seed = None,
    device: Device = "auto",
    evaluate: Evaluate = None,
) -> None:
    """Train an encoder of a vector a text. What is done stays: the same command again goes on.

    \b
    xsearch train encoder --recipe dap --base xlm-roberta-base --data ./data --out trained
    xsearch train encoder --recipe contrastive --toy --data ./data --evaluate eval/collections/demo
    xsearch index ./docs --encoder trained -i own
    """
    _train("dense", recipe, data, out, base, toy, steps, seed, device, evaluate)


def colbert(
    recipe: Recipe,
    data: Data = Path("."),
    out: Out = Path("trained"),
    base: Base = "",
    toy: Toy = False,
    steps: Steps = None,
    seed: Seed = None,
    device: Device = "auto",
    evaluate: Evaluate = None,
) -> None:
    """Train an encoder of a vector a token, for late interaction.

    \b
    xsearch train colbert --recipe colbert-x --base xlm-roberta-large --data ./data --out trained
    """
    _train("multivector", recipe, data, out, base, toy, steps, seed, device, evaluate)


def sparse(
    recipe: Recipe,
    data: Data = Path("."),
    out: Out = Path("trained"),
    base: Base = "",
    toy: Toy = False,
    steps: Steps = None,
    seed: Seed = None,
    device: Device = "auto",
    evaluate: Evaluate = None,
) -> None:
    """Train an encoder of weights of the vocabulary.

    \b
    xsearch train sparse --recipe splade --base bert-base-multilingual-cased --data ./data --out trained
    """
    _train("sparse", recipe, data, out, base, toy, steps, seed, device, evaluate)


def _train(
    kind: str,
    recipe: str,
    data: Path,
    out: Path,
    base: str,
    toy: bool,
    steps: int | None,
    seed: int | None,
    device: str,
    evaluate: list[Path] | None,
) -> None:
    from xsearch.cli.progress import Progress, say
    from xsearch.train.neural.recipe import adjusted, load_neural_recipe
    from xsearch.train.neural.training import train_neural
    from xsearch.train.progress import Progress as Step

    chosen = adjusted(load_neural_recipe(Path(recipe)), kind, toy, steps, seed)
    progress = Progress("steps")

    def on_progress(step: Step) -> None:
        progress.unit, progress.total = ("texts" if step.stage == "mine" else "steps"), step.total
        if step.note:
            say(step.note, progress)
            return
        if step.measures:
            found = ", ".join(f"{name} {value:.3f}" for name, value in step.measures.items())
            say(f"{step.within}, step {step.done:,}: {found}", progress)
            return
        losses = ", ".join(f"{name} {value:.3f}" for name, value in step.parts.items())
        detail = (
            f"{step.within}: {losses}, {step.pairs_per_second:,.0f} texts/s" if step.stage == "train" else step.stage
        )
        progress.update(step.done, f" ({detail})")

    out.mkdir(parents=True, exist_ok=True)
    card = train_neural(chosen, data, out, base, device, on_progress, evaluate or ())
    progress.clear()
    say(f"{out / card.name}.toml: {card.kind}, {card.dim:,} dimensions, {len(card.languages)} languages measured")
    for name, value in card.scores.items():
        say(f"  {name}: {value:.3f}")
