"""One module a command group: parse, call, print; no logic.

Commands import what they need inside, so that `--help` costs no more than typer.
"""

from xsearch.cli.app import main

__all__ = ["main"]
