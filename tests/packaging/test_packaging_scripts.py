"""The scripts beside the package take from it what is there: no type checker reads them, and few are run by a test."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for folder in ("eval", "encoders") for path in (ROOT / folder).rglob("*.py"))


def imports(path):
    """(module, name) of everything that a script takes from the package, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "xsearch":
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.partition(".")[0] == "xsearch")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_script_imports_what_is_there(path):
    for module, name in imports(path):
        try:
            taken = importlib.import_module(module)
        except ModuleNotFoundError as error:
            # An extra may not be installed; a module of the package's own must be there.
            if (error.name or "").startswith("xsearch"):
                raise
            continue
        if name and not hasattr(taken, name):
            importlib.import_module(f"{module}.{name}")
