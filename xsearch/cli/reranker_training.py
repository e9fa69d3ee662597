"""`xsearch train reranker`: modules of a reranker, and whole cross-encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import Device


def register(app: typer.Typer) -> None:
    """Add the command to `xsearch train`."""
    app.command()(reranker)


def reranker(
    base: Annotated[str, typer.Option(metavar="PATH", help="The checkpoint to begin from, and to stay with.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The reranker's folder; modules of it gather there.")],
    module: Annotated[
        str, typer.Option(metavar="KIND", help="adapter, sft, lora or ia3; none trains the whole checkpoint.")
    ] = "none",
    lang: Annotated[str, typer.Option(metavar="xx", help="The language of the text, or of the pairs.")] = "",
    text: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Text in the language, to learn its module.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
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
        str, typer.Option(metavar="NAME", help="Whose module reads a pair: query, document, split, both or none.")
    ] = "document",
    steps: Annotated[int, typer.Option(min=0, help="Instead of the published number.")] = 0,
    full_steps: Annotated[int, typer.Option(min=0, help="Of sft: steps of the first, dense fit.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Texts or queries a step.")] = 32,
    negatives: Annotated[int, typer.Option(min=1, help="Passages beside the one that answers.")] = 4,
    length: Annotated[int, typer.Option(min=8, help="Tokens of a text or a pair.")] = 256,
    learning_rate: Annotated[float, typer.Option(min=0, help="Instead of the published one.")] = 0.0,
    reduction: Annotated[float, typer.Option(min=0, help="Of adapters: the hidden size by the bottleneck's.")] = 0.0,
    attention: Annotated[
        bool, typer.Option("--attention", help="Of adapters: after attention too, as Houlsby et al.")
    ] = False,
    rank: Annotated[int, typer.Option(min=1, help="Of lora.")] = 8,
    entries: Annotated[int, typer.Option(min=0, help="Of sft: how many weights change.")] = 0,
    exclude: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Evaluation text, which is not learnt; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is random.")] = 1,
    licence: Annotated[str, typer.Option(metavar="NAME", help="Of the data, for the card.")] = "",
    device: Device = "auto",
) -> None:
    """Train a reranker: modules by language and for ranking on one base, or a whole cross-encoder.

    With --module and --text: the module of a language, from any text in it. With --module and --pairs or --judgments:
    the ranking module, on top of that language's module if there is one. What is done stays: the same command again
    goes on.

    \b
    xsearch train reranker --base xlm-r-base --module adapter --lang sw --text sw.txt --out ours
    xsearch train reranker --base xlm-r-base --module adapter --lang en --pairs pairs.jsonl --out ours
    xsearch query "presidential elections in Iran" --rerank ours
    """
    from xsearch.cli.progress import Progress, say
    from xsearch.cli.training_progress import reporter
    from xsearch.core import UsageError
    from xsearch.encode import Runtime
    from xsearch.lang.codes import normalize_code
    from xsearch.train.neural.modules.compose import train_reranker
    from xsearch.train.neural.modules.judgments import Judgments
    from xsearch.train.neural.modules.plan import Plan

    if judgments is not None and (topics is None or docs is None):
        raise UsageError("--judgments needs --topics and --docs")
    plan = Plan(
        kind="" if module == "none" else module,
        lang=normalize_code(lang) if lang else "",
        steps=steps,
        full_steps=full_steps,
        batch=batch,
        negatives=negatives,
        length=length,
        learning_rate=learning_rate,
        reduction=reduction,
        attention=attention,
        rank=rank,
        entries=entries,
        seed=seed,
        licence=licence,
    )
    progress = Progress("steps")
    judged = Judgments(judgments, topics, docs) if judgments and topics and docs else None
    done = train_reranker(
        base,
        out,
        plan,
        text or [],
        pairs or [],
        judged,
        setting,
        exclude or [],
        Runtime(device, "fp32"),
        reporter(progress),
    )
    progress.clear()
    for line in done:
        say(line)
