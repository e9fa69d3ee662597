"""One module a command group: parse, call, print; no logic."""
