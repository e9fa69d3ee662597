"""An index whose every commit is known beforehand, and what a right index must answer at each.

Commit `c` (1, 2, …) adds and replaces a few documents and deletes one. `expected(c)` is the state by a plain dict;
`observed(index)` asks the store, BM25 and the vectors for all they have, each on its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from doubles.word_tables import write_word_tables

import xsearch
from xsearch.core import Document
from xsearch.engine import Recipe

LANGUAGES = ("en", "de", "ru", "fa")
WORDS = {
    "en": "water river bridge mountain winter music garden paper market doctor school bread",
    "de": "Wasser Fluss Brücke Berg Winter Musik Garten Papier Markt Arzt Schule Brot",
    "ru": "вода река мост гора зима музыка сад бумага рынок врач школа хлеб",
    "fa": "آب رودخانه پل کوه زمستان موسیقی باغ کاغذ بازار پزشک مدرسه نان",
}
EVERYWHERE = "xcommonx"
"""A word in every document: BM25 asked for it must return all that live."""
PER_COMMIT = 6


def create(folder: Path, *more: str) -> xsearch.Index:
    """An empty index with a retriever on every part that answers exactly. Its translation tables, beside it, hold no
    word of the model's documents: such words are their own translation, in every language. more: further retrievers."""
    tables = folder.parent / f"{folder.name}.tables"
    write_word_tables(tables, {lang: [("river", "river")] for lang in LANGUAGES if lang != "en"})
    return xsearch.create(
        folder, Recipe("all", retrievers=("bm25", "dense", "psq", "late", "names", *more), tables=str(tables))
    )


def document(number: int, version: int) -> Document:
    lang = LANGUAGES[number % len(LANGUAGES)]
    words = WORDS[lang].split()
    chosen = [words[(number * 5 + version * 3 + i) % len(words)] for i in range(5)]
    text = f"{' '.join(chosen)} {EVERYWHERE} v{version}n{number}."
    return Document(f"doc {number}", text, lang=lang, metadata={"version": version, "number": number})


def changes(commit: int) -> tuple[list[Document], list[str]]:
    """Documents that commit `commit` adds or replaces, and ids it deletes."""
    first = (commit - 1) * PER_COMMIT
    added = [document(number, commit) for number in range(first, first + PER_COMMIT)]
    replaced = [document(number, commit) for number in range(max(0, first - PER_COMMIT), first, 3)]
    deleted = [f"doc {first - 2}"] if commit > 1 else []
    return added + replaced, deleted


def apply(writer: Any, commit: int) -> None:
    added, deleted = changes(commit)
    for one in added:
        writer.add(one)
    writer.delete(deleted)


def expected(commit: int) -> dict[str, str]:
    """Text by id after `commit`."""
    state: dict[str, str] = {}
    for number in range(1, commit + 1):
        added, deleted = changes(number)
        state.update((one.id, one.text) for one in added)
        for id in deleted:
            state.pop(id, None)
    return state


def observed(index: Any) -> dict[str, Any]:
    """What each part of an index holds: texts by the store, ids by each retriever."""
    snapshot = index.snapshot
    found: dict[str, Any] = {
        "commit": index.manifest.commit,
        "count": index.manifest.documents,
        "store": {stored.id: stored.text for stored in snapshot.store.documents()},
    }
    for name in snapshot.retrievers:
        hits = index.search(f"{EVERYWHERE} river", k=5_000, retrievers=[name], lang="en")
        found[name] = sorted(hit.id for hit in hits)
    return found


def problems(found: dict[str, Any], commits: Iterable[int]) -> str:
    """Why `found` is not the state after any of `commits`; "" when it is."""
    for commit in commits:
        right = expected(commit)
        if found["store"] != right:
            continue
        if found["count"] != len(right):
            return f"the manifest counts {found['count']}, {len(right)} are alive"
        for name in set(found) - {"commit", "count", "store"}:
            if found[name] != sorted(right):
                return f"{name} has {found[name]}, alive are {sorted(right)}"
        return ""
    return f"no commit of {list(commits)} holds {sorted(found['store'])}"
