"""The command `xsearch`: its groups, and the exit code of every ending."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, NoReturn

import typer

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "documents": ("index", "delete"),
    "searching": ("query", "demo"),
    "maintenance": ("compact", "check", "info", "doctor", "backup", "restore"),
    "evaluation": ("evaluate", "compare"),
    "suites": ("results",),
    "augmentation": ("augment",),
    "bias": ("bias",),
    "judging": ("judge",),
    "trec_files": ("topics", "qrels", "runs"),
    "encoders": ("encoders",),
    "training": ("train",),
}
"""Modules of this package and what each registers, in the order that help shows."""


YOUNG_OBJECTS = 100_000
"""Objects after which garbage is first looked for. Python's 700 are met hundreds of times in a question."""


def application(modules: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with the commands of some modules, of all by default."""
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
    for name in modules:
        importlib.import_module(f"xsearch.cli.{name}").register(app)
    app.callback()(_options)
    return app


def asked_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line as far as `arguments` need it: to build all of it takes longer than to answer a question."""
    first = arguments[0] if arguments else ""
    modules = [name for name, commands in COMMANDS.items() if first in commands]
    return application(modules or COMMANDS)


def __getattr__(name: str) -> typer.Typer:
    """`app`, all of it, is built when something asks for it."""
    if name != "app":
        raise AttributeError(f"module 'xsearch.cli.app' has no attribute '{name}'")
    return _whole()


@cache
def _whole() -> typer.Typer:
    return application()


def _version(wanted: bool) -> None:
    if wanted:
        from xsearch import __version__

        typer.echo(f"xsearch {__version__}")
        raise typer.Exit


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
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    try:
        asked_for(sys.argv[1:])()
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
    finally:
        # The interpreter looks through all objects once more before it ends: they go with the process.
        gc.freeze()


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
