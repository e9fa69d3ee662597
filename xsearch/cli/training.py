"""`xsearch train`: weights from parallel text."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Train what searches across languages.")


@app.callback()
def _group() -> None:
    """Keeps `static` a subcommand while it is the only one."""
