"""Reading a file of given bytes, with all that was said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from xsearch.core import Document
from xsearch.corpora import ReadOptions, read, scan


@dataclass
class Outcome:
    documents: list[Document]
    bad: list[str]
    notes: list[str]

    @property
    def texts(self) -> list[str]:
        return [document.text for document in self.documents]

    @property
    def ids(self) -> list[str]:
        return [document.id for document in self.documents]


def read_bytes(folder: Path, name: str, data: bytes, **options) -> Outcome:
    path = folder / name
    path.write_bytes(data)
    [source] = scan([path], lambda skipped, reason: pytest.fail(f"{skipped} skipped: {reason}"))
    outcome = Outcome([], [], [])
    outcome.documents.extend(
        read(source, ReadOptions(**options), lambda bad: outcome.bad.append(str(bad)), outcome.notes.append)
    )
    return outcome


@pytest.fixture
def reading(tmp_path: Path) -> Callable[..., Outcome]:
    return lambda name, data, **options: read_bytes(tmp_path, name, data, **options)


@pytest.fixture(scope="session")
def reading_many(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcome]:
    """The same for property tests: one folder for all examples, each of which overwrites the last."""
    folder = tmp_path_factory.mktemp("examples")
    return lambda name, data, **options: read_bytes(folder, name, data, **options)
