"""An index of token vectors that several files test; and folders in memory where the system has such: tantivy syncs
every file of every commit, and what these tests check is in the order of the calls, not in the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from colbert_oracles import batches_of, build, topics

from xsearch.retrieve.colbert import writer
from xsearch.retrieve.views import memory_folder


@dataclass(frozen=True)
class Folders:
    root: Path

    def mktemp(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))


@pytest.fixture(scope="session")
def tmp_path_factory() -> Iterator[Folders]:
    with tempfile.TemporaryDirectory(prefix="xsearch-test-", dir=memory_folder()) as root:
        yield Folders(Path(root))


@pytest.fixture
def tmp_path(tmp_path_factory: Folders) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("test")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def small(monkeypatch):
    """A codebook from few tokens on."""
    monkeypatch.setattr(writer, "TRAINED_FROM", 500)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An index with a codebook: 1,500 passages, one commit and three small ones behind it."""
    rng = np.random.default_rng(5)
    batches = batches_of(rng, 1500, 1, topics(rng))
    later = batches_of(rng, 60, 3, topics(np.random.default_rng(5)))
    for batch in later:
        batch.numbers[:] += 1500
    folder = tmp_path_factory.mktemp("colbert")
    before, writer.TRAINED_FROM = writer.TRAINED_FROM, 500
    try:
        state = build(folder, [*batches, *later])
    finally:
        writer.TRAINED_FROM = before
    return folder, state, [*batches, *later]
