"""`xsearch train reranker`: modules of a reranker, and whole cross-encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import Device


def register(app: typer.Typer) -> None:
    """Add the command to `xsearch train`."""
    app.command()(reranker)


Kind = Annotated[str | None, typer.Option(metavar="KIND", help="adapter, sft, lora or ia3; none: all of a checkpoint.")]
Files = list[Path] | None


def reranker(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The reranker's folder; modules of it gather there.")],
    base: Annotated[
        str,
        typer.Option(metavar="NAME|PATH", help="The checkpoint to begin from and stay with; else the recipe's."),
    ] = "",
    recipe: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="adapters, cross-encoder, or your own: what is not said here.")
    ] = "",
    module: Kind = None,
    lang: Annotated[str | None, typer.Option(metavar="xx", help="The language of the text, or of the pairs.")] = None,
    text: Annotated[Files, typer.Option(metavar="FILE", help="Text in the language, to learn its module.")] = None,
    pairs: Annotated[
        Files,
        typer.Option(metavar="FILE", help='JSON lines of {"query", "positive", "negatives"?}, to learn to rank.'),
    ] = None,
    judgments: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Qrels, to learn to rank; with --topics and --docs.")
    ] = None,
    topics: Annotated[Path | None, typer.Option(metavar="FILE", help="Of the judgments.")] = None,
    docs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of the judgments: documents as JSON lines.")
    ] = None,
    setting: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose module reads a pair: query, document (default), split, both or none."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Instead of those published: 250,000 of a language, 625,000 of ranking.")
    ] = None,
    full_steps: Annotated[int | None, typer.Option(min=1, help="Of sft: steps of the first, dense fit.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Texts or queries a step (32).")] = None,
    negatives: Annotated[int | None, typer.Option(min=1, help="Passages beside the one that answers (4).")] = None,
    length: Annotated[int | None, typer.Option(min=8, help="Tokens of a text or a pair (256).")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, help="Instead of the published one.")] = None,
    reduction: Annotated[
        float | None, typer.Option(min=1, help="Of adapters: the hidden size by the bottleneck's.")
    ] = None,
    attention: Annotated[
        bool | None, typer.Option("--attention", help="Of adapters: after attention too, as Houlsby et al.")
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of lora (8).")] = None,
    entries: Annotated[int | None, typer.Option(min=1, help="Of sft: how many weights change.")] = None,
    exclude: Annotated[
        Files, typer.Option(metavar="FILE", help="Evaluation text, which is not learnt; may be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is random (1).")] = None,
    licence: Annotated[str | None, typer.Option(metavar="NAME", help="Of the data, for the card.")] = None,
    device: Device = "auto",
) -> None:
    """Train a reranker: modules by language and for ranking on one base, or a whole cross-encoder.

    With --module and --text: the module of a language, from any text in it. With --module and --pairs or --judgments:
    the ranking module, on top of that language's module if there is one. What is done stays: the same command again
    goes on.

    \b
    xsearch train reranker --base xlm-r-base --module adapter --lang sw --text sw.txt --out ours --steps 5000
    xsearch train reranker --base xlm-r-base --module adapter --lang en --pairs pairs.jsonl --out ours --steps 5000
    xsearch train reranker --recipe cross-encoder --pairs pairs.jsonl --out whole
    xsearch query "presidential elections in Iran" --rerank ours
    """
    import msgspec

    from xsearch.cli.progress import Progress, say
    from xsearch.cli.training_progress import reporter
    from xsearch.core import UsageError
    from xsearch.core.extras import need
    from xsearch.encode import Runtime
    from xsearch.lang.codes import normalize_code

    need("torch", "neural", "training a reranker")
    from xsearch.train.neural.modules.compose import train_reranker
    from xsearch.train.neural.modules.judgments import Judgments
    from xsearch.train.neural.modules.plan import RerankerRecipe
    from xsearch.train.recipe_file import read_recipe

    if (judgments, topics, docs).count(None) not in (0, 3):
        raise UsageError("--judgments, --topics and --docs belong together")
    chosen = read_recipe(Path(recipe), RerankerRecipe) if recipe else RerankerRecipe()
    if not (base := base or chosen.base):
        raise UsageError("which checkpoint to begin from? Name it with --base, or in a recipe")
    given = {
        "kind": "" if module == "none" else module,
        "lang": normalize_code(lang) if lang else lang,
        "steps": steps,
        "full_steps": full_steps,
        "batch": batch,
        "negatives": negatives,
        "length": length,
        "learning_rate": learning_rate,
        "reduction": reduction,
        "attention": attention,
        "rank": rank,
        "entries": entries,
        "seed": seed,
        "licence": licence,
    }
    plan = msgspec.structs.replace(chosen.plan, **{name: value for name, value in given.items() if value is not None})
    progress = Progress("steps")
    done = train_reranker(
        base,
        out,
        plan,
        text or [],
        pairs or [],
        Judgments(judgments, topics, docs) if judgments and topics and docs else None,
        setting or chosen.setting,
        exclude or [],
        Runtime(device, "fp32"),
        reporter(progress),
    )
    progress.clear()
    for line in done:
        say(line)
