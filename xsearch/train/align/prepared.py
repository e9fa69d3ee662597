"""Parallel text made ready on disk: rows as piece numbers, mapped by every process that aligns a pair of languages.

The folder also holds what is done already (a file for every pair), so that a training that was interrupted goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput
from xsearch.encode import StaticEncoder
from xsearch.train.align.recipe import TablesRecipe
from xsearch.train.heldout import hold_out
from xsearch.train.rows import excluded_files, file_stats, read_excluded, read_parallel
from xsearch.train.tokenrows import TokenRows, tokenise_rows

ARRAYS = ("tokens", "offsets", "langs", "starts", "sources", "row_of")


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder was prepared from. `key` changes with everything that shapes its arrays; languages: code → the
    numbers of the languages of the data that count as it; files: those read."""

    key: str
    languages: dict[str, list[int]]
    files: list[str]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows, which of them are kept from training, and what they are."""

    table: TokenRows
    held: NDArray[np.bool_]
    contents: Contents
    folder: Path


def prepare(
    recipe: TablesRecipe,
    encoder: StaticEncoder,
    data: Path,
    folder: Path,
    on_progress: Callable[[str, int, int], None],
) -> Prepared:
    """The rows of `data` in pieces of `encoder`, made in `folder` unless they stand there already."""
    key = _key(recipe, encoder, data)
    if (folder / "contents.json").is_file():
        opened = open_prepared(folder)
        if opened.contents.key == key:
            return opened
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.iterdir():
        stale.unlink()
    on_progress("read", 0, 1)
    parallel = read_parallel(data, recipe.sources, read_excluded(excluded_files(recipe.exclude, data)))
    if not len(parallel.rows):
        raise BadInput("no row has texts in two languages", str(data))
    table = tokenise_rows(parallel.rows, encoder.subwords, lambda done, total: on_progress("tokenise", done, total))
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(table, name))
    np.save(folder / "held.npy", hold_out(table, np.random.default_rng(recipe.seed)))
    languages: dict[str, list[int]] = {}
    for code, number in parallel.languages.items():
        languages.setdefault(recipe.variants.get(code, code), []).append(number)
    # Last, and whole or not at all: a folder without it is begun anew.
    _replace(folder / "contents.json", msgspec.json.encode(Contents(key, languages, parallel.files)))
    return open_prepared(folder)


def open_prepared(folder: Path) -> Prepared:
    """A folder that `prepare` has made, its arrays mapped."""
    contents = msgspec.json.decode((folder / "contents.json").read_bytes(), type=Contents)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    return Prepared(TokenRows(**arrays), np.load(folder / "held.npy"), contents, folder)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(data)
    os.replace(beside, path)


def _key(recipe: TablesRecipe, encoder: StaticEncoder, data: Path) -> str:
    """A digest of all that the arrays and the alignments depend on: recipe, pieces, and the files as they stand."""
    stats = file_stats(data, recipe.sources, recipe.exclude)
    told = msgspec.json.encode([msgspec.to_builtins(recipe), encoder.vocabulary, stats])
    return hashlib.blake2b(told, digest_size=16).hexdigest()
