"""What every peer reads and writes. Standard library only: peers run in environments of their own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path


def parser(about: str) -> argparse.ArgumentParser:
    """The options every peer has."""
    made = argparse.ArgumentParser(description=about)
    for name in ("docs", "topics", "run", "times"):
        made.add_argument(f"--{name}", type=Path, required=True)
    made.add_argument("-k", type=int, default=1000)
    return made


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_run(path: Path, rows: Iterable[tuple[str, str, float]], tag: str) -> None:
    """(topic, document, score) rows, topics together. Tabs between the columns: ids may hold blanks."""
    with path.open("w", encoding="utf-8") as file:
        for topic, document, score in rows:
            file.write(f"{topic}\tQ0\t{document}\t1\t{score!r}\t{tag}\n")


def write_times(path: Path, peer: str, index_seconds: float, search_seconds: float, index_bytes: int = 0) -> None:
    times = {"peer": peer, "index_seconds": index_seconds, "search_seconds": search_seconds, "index_bytes": index_bytes}
    path.write_text(json.dumps(times))


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
