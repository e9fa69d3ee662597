"""Collections by name, by folder, by description file, and those of ir_datasets."""

from __future__ import annotations

import difflib
from functools import partial
from pathlib import Path

from xsearch.core import UsageError
from xsearch.core.data import data_path
from xsearch.corpora.collections.collection import Collection
from xsearch.corpora.collections.description import Description, Part, Parts, read_descriptions
from xsearch.corpora.collections.irds import PREFIX, IrDatasetsCollection
from xsearch.corpora.formats.lines import Note, note_to_log

AnyCollection = Collection | IrDatasetsCollection

DESCRIPTIONS = "eval/collections"
_FOLDER = {"docs": ("docs.jsonl",), "topics": ("topics.jsonl",), "qrels": ("qrels.txt",)}


def known_collections() -> dict[str, tuple[Description, Path]]:
    """The collections that are described here, with their descriptions' files."""
    folder = data_path(DESCRIPTIONS)
    return {
        about.name: (about, path)
        for path in sorted([*folder.glob("*.toml"), *folder.glob("*/*.toml")])
        for about in read_descriptions(path)
    }


def collection(name: str | Path, root: str | Path | None = None, on_note: Note = note_to_log) -> AnyCollection:
    """The collection `name`: one that is described here (``demo``, ``hc4-fa``; ``./demo`` is a folder of that name), a
    description's file (``mine.toml``), a folder with a description or with ``docs.jsonl``, ``topics.jsonl`` and
    ``qrels.txt`` in it (each may be compressed), or one of ir_datasets (``irds:hc4/fa/test``).

    root: where its files are, by default beside the description; files that ship are read from there whatever `root`
    says. `on_note` gets remarks and records that cannot be used. Raises `UsageError` for a name nobody knows; a missing
    file is an error of whoever reads it.
    """
    if str(name).startswith(PREFIX):
        return IrDatasetsCollection(str(name).removeprefix(PREFIX))
    path = Path(name)
    make = partial(Collection, on_note=on_note)
    known = known_collections()
    if str(name) in known:
        about, described = known[str(name)]
        # A description in a folder of its own has its files beside it; the others describe what may not be passed on.
        ships = described.parent != data_path(DESCRIPTIONS)
        return make(about, described.parent if ships or root is None else Path(root))
    if path.is_dir():
        return make(_of_folder(path), Path(root or path))
    if path.suffix == ".toml":
        return make(_only(path), Path(root or path.parent))
    near = difflib.get_close_matches(str(name), known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
    raise UsageError(f"unknown collection '{name}': {hint} A folder, a .toml file and irds:ID are taken too.")


def _only(path: Path) -> Description:
    found = read_descriptions(path)
    if len(found) > 1:
        raise UsageError(f"{path} describes {len(found)} collections; one is wanted")
    return found[0]


def _of_folder(folder: Path) -> Description:
    described = sorted(folder.glob("*.toml"))
    if len(described) == 1:
        return _only(described[0])
    parts = {kind: tuple(Part(name) for name in names) for kind, names in _FOLDER.items()}
    return Description(name=folder.resolve().name, title=str(folder), parts=Parts(**parts))
