"""`xsearch compact`, `check`, `info`, `doctor`, `backup`, `restore`: the care of an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xsearch.cli.options import DEFAULT_INDEX, Device, IndexFolder, Precision, Trust
from xsearch.cli.progress import Progress, say

Format = Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.")]


def compact(
    index: IndexFolder = DEFAULT_INDEX, device: Device = "auto", precision: Precision = "auto", trust: Trust = None
) -> None:
    """Rebuild an index without what was deleted.

    Terms and vectors are made anew, with today's analyzers and encoder.

    The new generation is built beside the old one; searches go on meanwhile.

    \b
    xsearch compact -i news
    """
    from xsearch.core.wording import counted
    from xsearch.encode import Runtime
    from xsearch.engine import compact as run
    from xsearch.engine.info import dead_passages

    progress = Progress("passages")
    dead = dead_passages(index)
    after = run(index, progress.update, runtime=Runtime(device, precision, trust=trust))
    progress.clear()
    dropped = f", {dead:,} dead dropped" if dead else ""
    say(f"{index}: {counted(after.passages, 'passage')} kept{dropped}, {progress.seconds:.1f} s")


def check(
    index: IndexFolder = DEFAULT_INDEX,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild from the store what is damaged.")] = False,
    device: Device = "auto",
    precision: Precision = "auto",
    trust: Trust = None,
) -> None:
    """Verify every file of an index and the store in itself.

    \b
    xsearch check -i news
    xsearch check -i news --repair
    """
    from xsearch.core.wording import counted
    from xsearch.encode import Runtime
    from xsearch.engine import compact as rebuild
    from xsearch.storage import check_index

    problems = check_index(index)
    for problem in problems:
        say(f"{problem.path}: {problem.message}")
    errors = sum(problem.level == "error" for problem in problems)
    refused = "" if errors else _refused(index)
    if refused:
        say(refused)
    if (errors or refused) and repair:
        progress = Progress("passages")
        manifest = rebuild(index, progress.update, runtime=Runtime(device, precision, trust=trust))
        progress.clear()
        documents, passages = counted(manifest.documents, "document"), counted(manifest.passages, "passage")
        say(f"{index}: rebuilt from the store, {documents}, {passages}")
        return
    if errors or refused:
        say(f"{index}: {counted(errors or 1, 'problem')}; run `xsearch check --repair`")
        raise typer.Exit(1)
    say(f"{index}: whole")


def _refused(index: Path) -> str:
    """Why an index cannot be opened although its files are what was written: by a version that wrote others."""
    from xsearch.core import EncoderMismatch, IndexDamaged
    from xsearch.engine import open_index

    try:
        open_index(index).close()
    except (IndexDamaged, EncoderMismatch) as error:
        return str(error)
    return ""


def info(index: IndexFolder = DEFAULT_INDEX, format: Format = "table") -> None:
    """What an index holds, by language and in bytes.

    \b
    xsearch info -i news --format json
    """
    from xsearch.cli.display import table
    from xsearch.engine import open_index
    from xsearch.engine.info import describe

    record = describe(open_index(index))
    if format == "json":
        typer.echo(json.dumps(record, ensure_ascii=False, indent=1))
        return
    plain = [(key, _shown(value)) for key, value in record.items() if not isinstance(value, dict)]
    table(["index", str(index)], plain)
    table(
        ["language", "passages", "documents"],
        [(code, f"{c['passages']:,}", f"{c['documents']:,}") for code, c in record["languages"].items()],
        ["passages", "documents"],
    )
    if record["questions"]:
        table(
            ["generated in", "questions", "of passages", "dropped", "by"],
            [
                (code, f"{c['questions']:,}", f"{c['passages']:,}", f"{c['dropped']:,}", ", ".join(c["generators"]))
                for code, c in record["questions"].items()
            ],
            ["questions", "of passages", "dropped"],
        )
    table(["part", "bytes"], [(part, f"{size:,}") for part, size in record["bytes"].items()], ["bytes"])


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def doctor(index: IndexFolder = DEFAULT_INDEX, format: Format = "table") -> None:
    """Look for what would spoil a search.

    Missing packages, languages that the analyzers or the encoder cannot see.

    Ends with 1 when something is red.

    \b
    xsearch doctor -i news
    """
    from dataclasses import asdict

    from rich.text import Text

    from xsearch.cli.display import one_line, table
    from xsearch.engine import diagnose

    findings = diagnose(index)
    if format == "json":
        typer.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=1))
    else:
        rows = [
            (
                Text(f.level, style=f.level),
                f.subject,
                f"{f.passages:,}" if f.lang else "",
                "" if f.coverage is None else f"{f.coverage:.0%}",
                "" if f.encoder is None else f"{f.encoder:.2f}",
                one_line(f.message),
            )
            for f in findings
        ]
        columns = ["", "subject", "passages", "letters kept", "encoder", "finding"]
        table(columns, rows, ["passages", "letters kept", "encoder"])
    if any(finding.level == "red" for finding in findings):
        raise typer.Exit(1)


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A folder that does not exist yet.")],
    index: IndexFolder = DEFAULT_INDEX,
) -> None:
    """Copy an index as of its last commit.

    \b
    xsearch backup news-2024-05 -i news
    """
    from xsearch.storage import backup as run

    run(index, target)
    say(f"{index} copied to {target}")


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder made by `xsearch backup`.")],
    index: IndexFolder = DEFAULT_INDEX,
) -> None:
    """Put a backup back, verified, where no index stands.

    \b
    xsearch restore news-2024-05 -i news
    """
    from xsearch.core import BadInput
    from xsearch.storage import backup as run
    from xsearch.storage import has_index

    if not has_index(source):
        raise BadInput(f"no backup at {source}: name a folder that `xsearch backup` made")
    run(source, index)
    say(f"{source} restored to {index}")


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (compact, check, info, doctor, backup, restore):
        app.command()(command)
