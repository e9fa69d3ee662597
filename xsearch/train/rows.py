"""Parallel text: multi-way rows from JSONL and TSV files, as columns.

A row is a line ``{"_id"?: …, "en": "…" or ["…", …], "de": "…", …}`` with at least two texts. A section is a line
``{"title": {"en": "…", …}, "text": {"en": "…", …}}``. In a TSV file the first line names the languages, and a row is a
line with a text, or nothing, in each; nothing is quoted. Files may be compressed (.xz, .gz, .zst).
"""

from __future__ import annotations

import glob
import gzip
import io
import lzma
import re
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.train.recipe import Source

IDENTIFIER = "_id"
"""The one key of a row that is no language: `id` is Indonesian."""
NO_TEXT = frozenset({IDENTIFIER, "id", "lang"})
"""Keys of evaluation files whose values are no text: the code of Norwegian is a word of many languages."""
SAME_LANGUAGE = {"no": "nb"}
FORMS = (".jsonl", ".tsv")
TELLING = 40
"""Letters and digits of a line from which on it is hardly in two texts by chance."""
NO_WORD = re.compile(r"[\W_]+")


def open_lines(path: Path) -> io.TextIOBase:
    """The UTF-8 lines of a file, decompressed by its suffix."""
    if path.suffix == ".xz":
        return io.TextIOWrapper(lzma.open(path), encoding="utf-8")
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8")
    if path.suffix == ".zst":
        return io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(path.open("rb")), encoding="utf-8")
    return path.open(encoding="utf-8")


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a file, decompressed by its suffix. Raises `BadInput` for one that cannot be read."""
    try:
        with open_lines(path) as lines:
            yield from lines
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8: {error.reason}", str(path)) from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
        raise BadInput(f"cannot be read: {getattr(error, 'strerror', None) or error}", str(path)) from error


def read_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(``file:line``, object) of every non-empty line. Raises `BadInput` for a line that is no JSON object, or of TSV
    has not as many columns as the first, and for a file that cannot be read."""
    yield from (_table if ".tsv" in path.suffixes else _objects)(read_lines(path), path)


def _objects(lines: Iterable[str], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield where, decode(line)
        except (msgspec.MsgspecError, UnicodeEncodeError) as error:
            raise BadInput(f"not a JSON object: {error}", where) from error


def _table(lines: Iterable[str], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    languages: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        cells = line.rstrip("\r\n").removeprefix("\ufeff").split("\t")
        if not languages:
            languages = [cell.strip() for cell in cells]
            if len(set(languages)) < len(languages) or "" in languages:
                raise BadInput("the first line must name the columns' languages, each once: en⇥sw", where)
        elif len(cells) != len(languages):
            raise BadInput(f"{len(cells)} columns where the first line names {len(languages)}", where)
        else:
            yield where, dict(zip(languages, cells, strict=True))


def check_folder(data: Path) -> None:
    """Raise `BadInput` where there is no folder of data."""
    if not data.is_dir():
        raise BadInput("there is no such folder: name that of the data with --data DIR", str(data))


def own_sources(data: Path) -> tuple[Source, ...]:
    """A source of equal weight for every JSONL and TSV file of a folder and those below it, compressed or not, but what
    is hidden. Raises `BadInput` where there is none."""
    check_folder(data)
    found = (path.relative_to(data) for path in data.rglob("*") if path.is_file())
    files = sorted(
        path for path in found
        if set(FORMS) & set(path.suffixes[-2:]) and not any(part.startswith(".") for part in path.parts)
    )  # fmt: skip
    if not files:
        raise BadInput('no parallel text: neither *.jsonl (lines of {"en": "…", "sw": "…"}) nor *.tsv', str(data))
    return tuple(Source(glob.escape(path.as_posix())) for path in files)


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
    """Hashes of all normalised lines and whole texts (any string but codes) that training must not see."""
    found: set[int] = set()
    for path in files:
        for _, record in read_records(path):
            for key, value in record.items():
                if key in NO_TEXT or not isinstance(value, str):
                    continue
                found.update(hash(normalised(line)) for line in [value, *value.split("\n")])
    found.discard(hash(""))
    return frozenset(found)


def is_excluded(text: str, excluded: frozenset[int]) -> bool:
    """Whether a text, or a line of it of `TELLING` letters and digits or more, is among those of `read_excluded`: an
    evaluation document may stand in a text with its title above it."""
    lines = [line for line in map(normalised, text.split("\n")) if len(line) >= TELLING]
    return any(hash(line) in excluded for line in (normalised(text), *lines))


def excluded_files(globs: Sequence[str], data: Path) -> list[Path]:
    """The files whose texts must stay out: what globs of `data` match, and files named by an absolute path. A glob
    without files is an error: nothing would be kept out, unnoticed. Raises `BadInput` for that, and where `data` is no
    folder."""
    check_folder(data)
    found: list[Path] = []
    for pattern in globs:
        named = Path(pattern)
        files = [named] if named.is_file() else [] if named.is_absolute() else sorted(data.glob(pattern))
        if not files:
            raise BadInput(
                f"no file matches '{pattern}' of `exclude`: without it evaluation text may be learnt. Put yours there, "
                "or name it with --exclude FILE where the command has that",
                str(data),
            )
        found += files
    return found


def file_stats(data: Path, sources: Sequence[Source], exclude: Sequence[str]) -> list[tuple[str, int, int]]:
    """Path, size and time of every file that `sources` and `exclude` lead to: another state of them is another text."""
    files = {path for source in sources for path in data.glob(source.files)} | set(excluded_files(exclude, data))
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(files)]


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
