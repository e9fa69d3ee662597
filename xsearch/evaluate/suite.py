"""What a suite is: collections, systems and measures in a TOML file, and what others scored on them."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from xsearch.core import BadInput, UsageError
from xsearch.core.data import data_path

SUITES = "eval/suites"


class System(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way to search: an index recipe, and what its searches are told beyond it. Systems of one recipe and encoder
    share an index."""

    name: str
    recipe: str = "hybrid"
    encoder: str | None = None
    retrievers: tuple[str, ...] | None = None
    fusion: str | None = None
    depth: int | None = None
    rerank: str | None = None
    rerank_depth: int | None = None

    def options(self) -> dict[str, Any]:
        """Keyword arguments of `Index.search_many`."""
        names = ("retrievers", "fusion", "depth", "rerank", "rerank_depth")
        return {name: getattr(self, name) for name in names}


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures of others. source: where they stand. questions: the language they were asked in, "native" for that of
    the documents, "each" for a mean over all languages that weighs them alike, "all" for one over all questions.
    figures: by collection and measure; the collection "*" stands for the mean over all of the suite's."""

    system: str
    source: str
    figures: dict[str, dict[str, float]]
    questions: str = "all"


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A suite's TOML. measures: the collection's own where empty. topic_langs: wordings to use, all where empty.
    by: breakdowns (see `evaluate`). k: documents per topic. sample: about so many wordings, see `sampled`; 0 for all.
    published: what others scored there.
    """

    name: str
    title: str
    collections: tuple[str, ...]
    systems: tuple[System, ...]
    measures: tuple[str, ...] = ()
    topic_langs: tuple[str, ...] = ()
    by: tuple[Literal["pair", "query_lang", "doc_lang"], ...] = ("query_lang",)
    k: int = 1000
    sample: int = 0
    published: tuple[Published, ...] = ()


def known_suites() -> dict[str, Path]:
    """Suites that ship, by name."""
    return {path.stem: path for path in sorted(data_path(SUITES).glob("*.toml"))}


def load_suite(name: str | Path) -> Suite:
    """A suite that ships, by name, or one in a file. Raises `UsageError` for a name nobody knows, `BadInput` for a
    file that is no suite."""
    path = Path(name)
    if path.suffix != ".toml":
        known = known_suites()
        if str(name) not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"unknown suite '{name}': {hint}")
        path = known[str(name)]
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Suite)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise BadInput(f"no suite: {error}", where=str(path)) from error
