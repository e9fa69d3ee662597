"""One module a command group: parse, call, print; no logic. `app` puts them together.

Commands import what they need inside, so that `--help` costs no more than typer.
"""
