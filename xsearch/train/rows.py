"""Parallel text: multi-way rows from JSONL files, as columns.

A row is a line ``{"_id"?: …, "en": "…" or ["…", …], "de": "…", …}`` with at least two texts. A section is a line
``{"title": {"en": "…", …}, "text": {"en": "…", …}}``. Files may be compressed (.xz, .gz, .zst).
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.train.recipe import Source

IDENTIFIER = "_id"
"""The one key of a row that is no language: `id` is Indonesian."""
SAME_LANGUAGE = {"no": "nb"}
NO_WORD = re.compile(r"[\W_]+")


def open_lines(path: Path) -> io.TextIOBase:
    """The UTF-8 lines of a file, decompressed by its suffix."""
    if path.suffix == ".xz":
        return io.TextIOWrapper(lzma.open(path), encoding="utf-8")
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8")
    if path.suffix == ".zst":
        import zstandard

        return io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(path.open("rb")), encoding="utf-8")
    return path.open(encoding="utf-8")


def read_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(``file:line``, object) of every non-empty line. Raises `BadInput` for a line that is no JSON object."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with open_lines(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                yield where, decode(line)
            except msgspec.MsgspecError as error:
                raise BadInput(f"not a JSON object: {error}", where) from error


@dataclass
class Texts:
    """Rows as columns: text t is `texts[t]` in language `languages[langs[t]]`; row r holds texts
    ``starts[r]:starts[r + 1]``, ascending in language number; `sources[r]` is the number of its source."""

    texts: list[str] = field(default_factory=list)
    langs: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    sources: list[int] = field(default_factory=list)

    def append(self, row: list[tuple[int, str]], source: int) -> None:
        """Add a row of (language number, text)."""
        for lang, text in sorted(row):
            self.langs.append(lang)
            self.texts.append(text)
        self.starts.append(len(self.texts))
        self.sources.append(source)

    def __len__(self) -> int:
        return len(self.sources)


@dataclass
class ParallelText:
    """All rows of the data. `titles` and `bodies` have a row each for every section."""

    languages: dict[str, int] = field(default_factory=dict)
    rows: Texts = field(default_factory=Texts)
    titles: Texts = field(default_factory=Texts)
    bodies: Texts = field(default_factory=Texts)
    files: list[str] = field(default_factory=list)
    excluded: int = 0

    def count_by_language(self) -> NDArray[np.int64]:
        """Texts of rows (not of sections) in every language, by number."""
        return np.bincount(np.asarray(self.rows.langs, dtype=np.int64), minlength=len(self.languages))


def normalised(text: str) -> str:
    """`text` for comparison: compatibility forms unified, case folded, everything but letters and digits gone."""
    return NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


def read_excluded(files: Collection[Path]) -> frozenset[int]:
    """Hashes of all normalised lines and whole texts (any string under any key) that training must not see."""
    found: set[int] = set()
    for path in files:
        for _, record in read_records(path):
            for key, value in record.items():
                if key in (IDENTIFIER, "id") or not isinstance(value, str):
                    continue
                found.update(hash(normalised(line)) for line in [value, *value.split("\n")])
    found.discard(hash(""))
    return frozenset(found)


def excluded_files(globs: Sequence[str], data: Path) -> list[Path]:
    """The files whose texts must stay out: what globs of `data` match, and files named by an absolute path. A glob
    without files is an error: nothing would be kept out, unnoticed."""
    found: list[Path] = []
    for glob in globs:
        files = [Path(glob)] if Path(glob).is_file() else [] if Path(glob).is_absolute() else sorted(data.glob(glob))
        if not files:
            raise BadInput(
                f"no file matches '{glob}' of `exclude`: without it evaluation text may be learnt. Put yours there, or "
                "name it with --exclude FILE where the command has that",
                str(data),
            )
        found += files
    return found


def read_parallel(
    data: Path, sources: tuple[Source, ...], excluded: frozenset[int] = frozenset(), most: int | None = None
) -> ParallelText:
    """The rows, of each file the first `most`, of every file of `data` that a source of positive weight matches. Raises
    `BadInput` for a source without files."""
    parallel = ParallelText()
    seen: set[Path] = set()
    for number, source in enumerate(sources):
        files = [path for path in sorted(data.glob(source.files)) if path not in seen]
        if not files:
            raise BadInput(f"no file matches '{source.files}'", str(data))
        for path in files:
            seen.add(path)
            if not source.weight:
                continue
            parallel.files.append(path.relative_to(data).as_posix())
            for where, record in islice(read_records(path), most):
                _add(parallel, record, number, excluded, where)
    return parallel


def _add(parallel: ParallelText, record: dict[str, Any], source: int, excluded: frozenset[int], where: str) -> None:
    if isinstance(record.get("title"), dict) and isinstance(record.get("text"), dict):
        titles = _clean(parallel, record["title"], excluded, where)
        bodies = _clean(parallel, record["text"], excluded, where)
        if titles and bodies:
            parallel.titles.append(titles, source)
            parallel.bodies.append(bodies, source)
        return
    row = _clean(parallel, record, excluded, where)
    if len(row) > 1:
        parallel.rows.append(row, source)


def _clean(
    parallel: ParallelText, record: dict[str, Any], excluded: frozenset[int], where: str
) -> list[tuple[int, str]]:
    """(language number, text) of a record, without empty and excluded texts."""
    row = []
    for lang, value in record.items():
        if lang == IDENTIFIER:
            continue
        lang = SAME_LANGUAGE.get(lang, lang)
        for text in value if isinstance(value, list) else [value]:
            if not isinstance(text, str):
                raise BadInput(f"'{lang}' must be a text or a list of texts, not {type(text).__name__}", where)
            if not text.strip():
                continue
            if excluded and hash(normalised(text)) in excluded:
                parallel.excluded += 1
                continue
            row.append((parallel.languages.setdefault(lang, len(parallel.languages)), text))
    return row
