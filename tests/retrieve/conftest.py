"""Folders in memory where the system has such: tantivy syncs every file of every commit, and what these tests check
is in the order of the calls, not in the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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
