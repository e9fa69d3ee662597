"""A store of documents in the columns that filters read, and what a filter chooses of it."""

import itertools
import json
import sqlite3

from xsearch.engine.filters import compile_filter

SCHEMA = """
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, title TEXT, metadata TEXT NOT NULL, source INTEGER
);
CREATE TABLE passages (number INTEGER PRIMARY KEY, document INTEGER NOT NULL, lang TEXT NOT NULL);
CREATE TABLE paths (number INTEGER PRIMARY KEY, path BLOB NOT NULL);
"""


def store(rows):
    """A store of rows {id, title, metadata, source, langs}, in the columns that filters read."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    passage = itertools.count()
    for number, row in enumerate(rows):
        metadata = json.dumps(row.get("metadata", {}), ensure_ascii=row.get("ascii", False))
        source = None
        if row.get("source") is not None:
            source = number
            connection.execute("INSERT INTO paths VALUES (?, ?)", (number, row["source"].encode()))
        values = (number, row.get("id", str(number)), row.get("title"), metadata, source)
        connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", values)
        for lang in row.get("langs", ()):
            connection.execute("INSERT INTO passages VALUES (?, ?, ?)", (next(passage), number, lang))
    return connection


def select(connection, expression, **options):
    condition = compile_filter(expression, **options)
    # A NULL would be dropped by WHERE and by WHERE NOT alike.
    values = connection.execute(f"SELECT number, {condition.sql} FROM documents ORDER BY number", condition.parameters)
    found = list(values)
    assert {value for _, value in found} <= {0, 1}
    return [number for number, value in found if value]


def chosen(metadata, expression):
    """Whether one document's metadata satisfies the filter."""
    return bool(select(store([{"metadata": metadata}]), expression))
