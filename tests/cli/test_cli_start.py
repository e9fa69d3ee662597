"""What the command line builds and imports for a question, and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer
from typer.main import get_command

import xsearch
from xsearch.cli.app import COMMANDS, application, asked_for


def _names(app: typer.Typer) -> list[str]:
    return list(get_command(app).commands)


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_registers_the_commands_that_the_table_says(module):
    assert _names(application([module])) == list(COMMANDS[module])


@pytest.mark.parametrize(
    ("arguments", "built"),
    [
        (["query", "bees"], COMMANDS["searching"]),
        (["runs", "fuse"], COMMANDS["trec_files"]),
        (["--debug", "query"], sum(COMMANDS.values(), ())),
        (["qurey"], sum(COMMANDS.values(), ())),
        ([], sum(COMMANDS.values(), ())),
    ],
)
def test_only_the_module_of_the_command_asked_for_is_built(arguments, built):
    assert _names(asked_for(arguments)) == list(built)


def test_help_on_all_commands_imports_no_numpy():
    code = (
        "import sys; from xsearch.cli.app import main\n"
        "sys.argv = ['xsearch', '--help']\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "query" in done.stdout
    assert {"numpy", "msgspec", "xsearch.core"}.intersection(done.stderr.split()) == set()


def test_a_question_imports_nothing_that_it_does_not_need(tmp_path):
    index = xsearch.create(tmp_path / "idx")
    with index.writer() as writer:
        writer.add(xsearch.Document("1", "Bees visit flowers.", lang="en"))
    code = (
        "import sys; from xsearch.cli.app import main\n"
        f"sys.argv = ['xsearch', 'query', 'flowers', '-i', {str(tmp_path / 'idx')!r}, '--format', 'json']\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert '"id": "1"' in done.stdout
    unneeded = {
        "faiss",
        "multiprocessing",
        "numba",
        "socket",
        "torch",
        "importlib.metadata",
        "numpy.ma",
        "numpy.random",
        "xsearch.encode.neural.load",
        "xsearch.retrieve.colbert",
        "xsearch.retrieve.static_late",
        "xsearch.cli.evaluation",
    }
    assert unneeded.intersection(done.stderr.split()) == set()
