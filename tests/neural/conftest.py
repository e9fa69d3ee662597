"""Neural tests: offline, quiet, each skipped with the line that installs what it needs."""

import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Where models are made; each is made once."""
    return tmp_path_factory.mktemp("models")
