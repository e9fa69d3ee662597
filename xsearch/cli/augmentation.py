"""`xsearch augment`: questions generated from passages, so that other languages find them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xsearch.cli.options import DEFAULT_INDEX, Device, IndexFolder, listed
from xsearch.cli.progress import Progress, say

if TYPE_CHECKING:
    from xsearch.engine.augmentation import AugmentProgress, AugmentReport
    from xsearch.engine.recipe import AugmentSettings
    from xsearch.engine.snapshot import Snapshot


def augment(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[INDEX]", help="The index's folder, as with -i.", show_default=False)
    ] = None,
    index: IndexFolder = DEFAULT_INDEX,
    generator: Annotated[
        str | None,
        typer.Option(metavar="NAME|PATH", help="lexical (translation tables), or a folder of a model for it."),
    ] = None,
    langs: Annotated[str | None, typer.Option(metavar="en,fa,zh", help="Languages that will be asked in.")] = None,
    count: Annotated[
        int | None, typer.Option("-n", "--questions", help="Questions of each passage in each language (5).")
    ] = None,
    use: Annotated[
        str | None, typer.Option(metavar="words,vectors", help="What is made of them: words, windows, vectors.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Share of the questions in a passage's vector, with vectors (0.01).")
    ] = None,
    filter_round_trip: Annotated[
        bool | None,
        typer.Option(
            "--filter-round-trip/--no-filter-round-trip", help="Keep only questions that find their passage again."
        ),
    ] = None,
    among: Annotated[
        int, typer.Option(metavar="K", min=1, help="With the filter: among the first K of its language.")
    ] = 10,
    held_out: Annotated[
        Path | None,
        typer.Option(
            metavar="TOPICS", help="Questions with known answers: alpha is chosen by them, for pairs of languages."
        ),
    ] = None,
    qrels: Annotated[Path | None, typer.Option(metavar="FILE", help="Which documents answer them.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of what a model draws.")] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take all generated questions out again; what was not made of them stays.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Generate questions of every passage in other languages, and have searches find passages by them.

    Interrupted, the same command goes on where it was. What is not said is as it was the last time.

    \b
    xsearch augment --langs en,de                                  words, by the tables that ship
    xsearch augment my-index --generator ./qgen --langs en,fa,zh -n 5 --use words,vectors
    """
    from xsearch.core.errors import UsageError
    from xsearch.core.wording import counted
    from xsearch.encode import Runtime
    from xsearch.engine import open_index
    from xsearch.engine.augmentation import augment as run
    from xsearch.engine.augmentation import remove_questions
    from xsearch.engine.generators import load_generator

    if folder is not None:
        if index not in (folder, DEFAULT_INDEX):
            raise UsageError(f"two indexes are named, {folder} and {index}: name one")
        index = folder
    rebuilding, runtime = Progress("passages put in"), Runtime(device)
    if remove:
        removed = remove_questions(index, rebuilding.update, runtime=runtime)
        say(f"{index}: {counted(removed, 'generated question')} removed", rebuilding)
        return
    with open_index(index, runtime) as opened:
        before = opened.snapshot.recipe.augment
        given: dict[str, Any] = {
            "generator": generator,
            "langs": tuple(listed(langs) or ()),
            "count": count,
            "alpha": alpha,
        }
        trip = None if filter_round_trip is None else among * filter_round_trip
        given |= {"use": tuple(listed(use) or ()), "round_trip": trip, "seed": seed}
        settings = chosen(before, given)
        made_by = load_generator(settings.generator, opened.snapshot, device)
    progress = Progress("passages")

    def on_progress(step: AugmentProgress) -> None:
        progress.total = step.total
        progress.update(step.done, f" ({step.lang})")

    choose = chooser(held_out, qrels)
    report = run(index, made_by, settings, on_progress, rebuilding.update, choose_alphas=choose, runtime=runtime)
    say(f"{index}: {summary(report)}, {progress.seconds:.1f} s", rebuilding)


def chooser(held_out: Path | None, qrels: Path | None) -> Callable[[Snapshot], dict[str, float]] | None:
    """What chooses alpha by held-out topics, None where there are none. Raises `UsageError` for one without the
    other."""
    if held_out is None and qrels is None:
        return None
    from xsearch.core.errors import UsageError

    if held_out is None or qrels is None:
        raise UsageError("--held-out TOPICS and --qrels FILE belong together")
    from functools import partial

    from xsearch.corpora.formats.qrels import read_qrels
    from xsearch.corpora.formats.topics import read_topics
    from xsearch.evaluate.alphas import choose_alphas

    return partial(choose_alphas, topics=read_topics(held_out), qrels=read_qrels(qrels))


def chosen(before: AugmentSettings | None, given: dict[str, Any]) -> AugmentSettings:
    """The settings of an index, or the default ones, with what was given in their place. Raises `UsageError`."""
    import msgspec

    from xsearch.core.errors import UsageError
    from xsearch.engine.recipe import USES, AugmentSettings

    before = before or AugmentSettings(generator="lexical")
    said = {name: value for name, value in given.items() if value not in (None, ())}
    if "langs" in said and said.get("generator", before.generator) == before.generator:
        # Questions that are there already stay in use.
        said["langs"] = tuple(dict.fromkeys((*before.langs, *said["langs"])))
    if unknown := [use for use in said.get("use", ()) if use not in USES]:
        raise UsageError(f"--use {unknown[0]} is not known: it is {', '.join(USES)}, or several of them, with commas")
    return msgspec.convert(msgspec.to_builtins(before) | said, AugmentSettings)


def summary(report: AugmentReport) -> str:
    """A run in a line."""
    from xsearch.core.wording import counted

    made = report.made if len(report.made) > 1 else {"": (report.passages, report.questions)}
    parts = (
        f"{counted(questions, 'question')} of {counted(passages, 'passage')}" + (f" in {lang}" if lang else "")
        for lang, (passages, questions) in made.items()
    )
    text = ", ".join(parts) if report.passages else "nothing to generate"
    if report.dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.dropped.most_common())
        text += f", {report.dropped.total():,} dropped ({reasons})"
    if report.resumed:
        text += f", {report.resumed:,} done before"
    if not (report.rebuilt or report.appended):
        return f"{text}, nothing new"
    return text if report.questions else f"{text}, put into the index"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(augment)
