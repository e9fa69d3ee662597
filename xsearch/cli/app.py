"""The command `xsearch`: its groups, and the exit code of every ending."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from xsearch.cli.augmentation import register as add_augment_command
from xsearch.cli.bias import register as add_bias_command
from xsearch.cli.documents import register as add_document_commands
from xsearch.cli.encoders import app as encoder_commands
from xsearch.cli.evaluation import register as add_evaluation_commands
from xsearch.cli.judging import register as add_judging_command
from xsearch.cli.maintenance import register as add_maintenance_commands
from xsearch.cli.searching import register as add_search_commands
from xsearch.cli.suites import register as add_result_commands
from xsearch.cli.training import app as training_commands
from xsearch.cli.trec_files import register as add_file_groups

app = typer.Typer(
    name="xsearch",
    help="Ask in one language, find what was written in another.",
    epilog="Start: xsearch demo   ·   xsearch index ./docs   ·   xsearch query 'presidential elections in Iran'",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
add_document_commands(app)
add_search_commands(app)
add_maintenance_commands(app)
add_evaluation_commands(app)
add_result_commands(app)
add_augment_command(app)
add_bias_command(app)
add_judging_command(app)
add_file_groups(app)
app.add_typer(encoder_commands, name="encoders")
app.add_typer(training_commands, name="train")


def _version(wanted: bool) -> None:
    if wanted:
        from xsearch import __version__

        typer.echo(f"xsearch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    # Both are handled before a command runs: --version by its callback, --debug by main.
    del debug, version


def main() -> None:
    """Run a command; an error of ours becomes one line on stderr and its exit code (DESIGN D11)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Started with the stream closed, as a daemon may be.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A file name that is not UTF-8 must not end the run when it is printed.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    debug = "--debug" in sys.argv[1:3]
    try:
        app()
    except SystemExit as stop:
        if _interrupted(stop):
            _end_interrupted()
        sys.exit(stop.code)
    except KeyboardInterrupt:
        _end_interrupted()
    except BrokenPipeError:
        # The reader of our output (head, less) has had enough.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        from xsearch.cli.display import clean
        from xsearch.core.errors import XSearchError

        if debug or not isinstance(error, XSearchError | OSError):
            raise
        typer.echo(f"xsearch: {clean(str(error))}", err=True)
        sys.exit(error.exit_code if isinstance(error, XSearchError) else 3)


def _end_interrupted() -> NoReturn:
    typer.echo("xsearch: interrupted; what was committed stays", err=True)
    sys.exit(130)


def _interrupted(stop: BaseException) -> bool:
    # typer turns Ctrl-C into an exit with code 1; the interrupt is still in the chain of causes.
    error: BaseException | None = stop
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
