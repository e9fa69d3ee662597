"""The store without what is gone, in a file of its own."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files
from xsearch.storage.generated import BUILT, GENERATED_FORMAT
from xsearch.storage.schema import (
    AUGMENTED,
    INDEXES,
    connect,
    make_tables,
    statements,
    store_errors,
    visible,
)


def copy_live(source: Path, target: Path, commit: int, high_water: int, files: Files) -> None:
    """Write what is alive at `commit` of the store `source` to a new store `target`, every number kept; durable when
    it returns. The numbers given so far, `high_water` for passages, are not given again."""
    for suffix in ("", "-wal", "-shm"):
        files.remove(target.with_name(target.name + suffix))
    with store_errors(target, writing=True), contextlib.closing(connect(target, "mode=rwc")) as db:
        # Nobody names the new file yet: a journal would only double the writing, a crash leaves it to be removed.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        make_tables(db)
        db.execute("ATTACH ? AS old", (f"{source.resolve().as_uri()}?mode=rw",))
        db.execute("BEGIN")
        db.execute(
            "INSERT INTO documents SELECT number, id, title, lang, metadata, source, first, passages, checksum, added, "
            f"NULL FROM old.documents AS documents WHERE {visible(commit)} ORDER BY number"
        )
        for table, key in (("texts", "document"), ("passages", "number")):
            db.execute(
                f"INSERT INTO {table} SELECT t.* FROM old.{table} AS t "
                f"JOIN documents ON documents.number = t.document ORDER BY t.{key}"
            )
        db.execute("INSERT INTO paths SELECT * FROM old.paths")
        db.execute(
            "INSERT INTO sources SELECT path, size, mtime_ns, hash, added, NULL FROM old.sources AS sources "
            f"WHERE {visible(commit, 'sources')}"
        )
        db.execute(
            "UPDATE counters SET value = max((SELECT value FROM old.counters WHERE name = 'documents'), "
            "(SELECT ifnull(max(number) + 1, 0) FROM old.documents)) WHERE name = 'documents'"
        )
        db.execute("UPDATE counters SET value = ? WHERE name = 'passages'", (high_water,))
        db.execute("UPDATE counters SET value = ? WHERE name = 'commit'", (commit,))
        _copy_questions(db, commit)
        db.execute("COMMIT")
        db.executescript(INDEXES)
        db.execute("DETACH old")
        db.execute("PRAGMA journal_mode = WAL")
    reach("storage.copy.copied")
    files.sync(target)
    files.sync_folder(target.parent)
    reach("storage.copy.synced")


def _copy_questions(db: sqlite3.Connection, commit: int) -> None:
    """Copy the generated questions of live passages; the parts that are about to be made will have them all."""
    ((format,),) = db.execute("SELECT value FROM old.counters WHERE name = 'format'")
    if format < GENERATED_FORMAT:
        return
    for statement in statements(AUGMENTED):
        db.execute(statement)
    db.execute("INSERT INTO generators SELECT * FROM old.generators")
    db.execute(
        "INSERT INTO generated SELECT passage, generator, generated.text, weight, checksum, added, NULL "
        "FROM old.generated AS generated JOIN passages ON passages.number = generated.passage "
        f"WHERE {visible(commit, 'generated')} "
        "ORDER BY generated.passage, generated.rowid"
    )
    db.execute(
        "INSERT INTO generation_runs SELECT generator, through, dropped, added, NULL "
        f"FROM old.generation_runs AS generation_runs WHERE {visible(commit, 'generation_runs')}"
    )
    db.execute("UPDATE counters SET value = ? WHERE name = 'format'", (format,))
    db.execute("INSERT INTO counters VALUES (?, ?)", (BUILT, commit))
