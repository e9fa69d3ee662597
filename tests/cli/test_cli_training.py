"""Commands of neural training where the extra is not installed."""

import sys

import pytest
from typer.testing import CliRunner

from xsearch.cli.app import app
from xsearch.core import MissingExtra


@pytest.mark.parametrize(
    "command",
    [
        ("encoder", "--recipe", "dap"),
        ("colbert", "--recipe", "colbert-x"),
        ("sparse", "--recipe", "splade"),
        ("qgen",),
        ("reranker", "--base", "any", "--module", "adapter", "--lang", "sw", "--text", "sw.txt"),
    ],
)
def test_training_without_torch_says_what_to_install(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = CliRunner().invoke(app, ["train", *command, "--out", str(tmp_path)])
    assert isinstance(result.exception, MissingExtra), result.exception
    assert "needs the package 'torch': pip install 'xsearch-clir[neural]'" in str(result.exception)
    assert not any(tmp_path.iterdir())
