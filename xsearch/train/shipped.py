"""Everything that ships with learnt weights, made anew from one folder of data: `xsearch train shipped`.

Vectors come first, tables are of their pieces, the small reranker reads both; spellings and the readings of kanji need
neither. Left out is what
was not learnt by a recipe: the weights and the calibration of fusion, tuned by hand on several collections
(`rank/fusion/fair.py`), and the profiles that languages are told by (`lang/data/README.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from xsearch.core import BadInput
from xsearch.encode import StaticEncoder, load_encoder
from xsearch.train.align import load_tables_recipe, train_tables
from xsearch.train.names import train_spellings
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.readings import COUNTS, train_readings
from xsearch.train.recipe import load_recipe
from xsearch.train.recipe_file import read_recipe
from xsearch.train.small_reranker import load_small_recipe, train_small_reranker
from xsearch.train.static import train_static

SPELLINGS = "spellings.tsv"


class Spellings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """lexicons: of names, relative to the data folder. exclude: files whose words are not learnt from, relative to the
    recipe."""

    lexicons: tuple[str, ...]
    exclude: tuple[str, ...] = ()


class Readings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """lexicons: of Japanese words with their readings, relative to the data folder. ipadic: learn from its nouns too.
    exclude: as for spellings."""

    lexicons: tuple[str, ...]
    ipadic: bool = True
    exclude: tuple[str, ...] = ()


class ShippedRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The recipes of the parts, relative to this one's file."""

    static: str
    tables: str
    reranker: str
    spellings: Spellings
    readings: Readings


def load_shipped_recipe(path: Path) -> ShippedRecipe:
    """The recipe in a TOML file. Raises `BadInput` for one that is none."""
    return read_recipe(path, ShippedRecipe)


def train_shipped(
    recipe: Path, data: Path, out: Path, workers: int = 1, on_progress: OnProgress = lambda _: None
) -> list[Path]:
    """Make what the recipe in a file names from `data`, in `out`. Returns the files: cards, the tables of spellings
    and of readings (beside which is one of words).

    A part whose file is there already is not made again, and one that was cut short goes on, so that the same command
    finishes what was begun; delete a file to have it made anew. workers: processes that align. Raises `BadInput` for
    data or recipes that cannot be used.
    """
    made = []
    for path, make in _parts(recipe, data, out, workers, on_progress):
        if not path.is_file():
            on_progress(Progress("begin", note=f"{path.name} …"))
            make()
        made.append(path)
    return made


def _parts(
    path: Path, data: Path, out: Path, workers: int, on_progress: OnProgress
) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Each part's file, and what makes it."""
    # Whatever may be missing is looked for before hours of work.
    recipe = load_shipped_recipe(path)
    banned = _words(path, recipe.spellings.exclude)
    unread = _words(path, recipe.readings.exclude)
    static = load_recipe(path.parent / recipe.static)
    tables = load_tables_recipe(path.parent / recipe.tables)
    reranker = load_small_recipe(path.parent / recipe.reranker)
    card = out / f"{static.name}.toml"

    def report(stage: str, done: int, total: int) -> None:
        on_progress(Progress(stage, done, total))

    def spellings() -> None:
        table = train_spellings([data / name for name in recipe.spellings.lexicons], banned)
        out.mkdir(parents=True, exist_ok=True)
        (out / SPELLINGS).write_text(table, encoding="utf-8")

    def readings() -> None:
        wanted = recipe.readings
        tables = train_readings([data / name for name in wanted.lexicons], wanted.ipadic, unread)
        out.mkdir(parents=True, exist_ok=True)
        # The part is made once its first table is there: that comes last.
        for name, table in reversed(tables.items()):
            (out / name).write_text(table, encoding="utf-8")

    yield card, lambda: train_static(static, data, out, on_progress)
    yield out / f"{tables.name}.toml", lambda: train_tables(tables, _static(card), data, out, workers, report)
    yield out / f"{reranker.name}.toml", lambda: train_small_reranker(reranker, data, out, report, card)
    yield out / SPELLINGS, spellings
    yield out / COUNTS, readings


def _static(card: Path) -> StaticEncoder:
    encoder = load_encoder(card)
    if not isinstance(encoder, StaticEncoder):
        raise BadInput("not a static encoder: tables are of the pieces of such", str(card))
    return encoder


def _words(recipe: Path, names: Sequence[str]) -> list[str]:
    """The words of files beside a recipe."""
    return [word for name in names for word in _text(recipe.parent / name).split()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"words that are not to be learnt from cannot be read: {error}", str(path)) from error
