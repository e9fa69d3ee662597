"""Questions that a generator has made of passages: where they come from, how far it has got, and that they go with
their passages.

A generator with its settings and one language is a row of `generators`; its questions are rows of `generated`, its
progress rows of `generation_runs`. All passages below a run's `through` are done, whether they got a question or not:
whoever begins again goes on there. The tables are made with the first question, which makes the store one of format 2.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from xsearch.core.wording import counted
from xsearch.storage.readonly import ReadOnlyDatabase
from xsearch.storage.schema import AUGMENTED, chunks, statements, visible

GENERATED_FORMAT = 2
"""The format of a store that has these tables."""
BUILT = "built"
"""The counter that says up to which commit the parts of a generation were made of the questions there were."""


class Generator(NamedTuple):
    """What makes questions in one language. fingerprint: of its weights or tables. settings: JSON, all that decides
    what it makes."""

    name: str
    fingerprint: str
    lang: str
    settings: str


class NewQuestion(NamedTuple):
    """A question made of a passage. weight: what it counts beside the passage's others."""

    passage: int
    text: str
    weight: float = 1.0


class Question(NamedTuple):
    """A question as kept."""

    passage: int
    lang: str
    text: str
    weight: float
    generator: str


class GeneratorCount(NamedTuple):
    """What one generator has made in one language: live questions, the passages they are of, by reason how many were
    dropped, and the passage number up to which it is through."""

    generator: Generator
    questions: int
    passages: int
    dropped: dict[str, int]
    through: int


class Changes(NamedTuple):
    """What became of the questions after a commit. before, new: (number, language) of the generators whose live
    questions were stored up to it and since. first: the lowest passage with a new one. lost: whether some that were
    there were taken out."""

    before: frozenset[tuple[int, str]]
    new: frozenset[tuple[int, str]]
    first: int
    lost: bool


class QuestionWriter:
    """The questions of a store being written. `writing`: the store's transaction."""

    def __init__(self, db: sqlite3.Connection, writing: Callable[[], AbstractContextManager[None]]) -> None:
        self._db, self._writing = db, writing

    @property
    def there(self) -> bool:
        """Whether the store has the tables."""
        return has_questions(self._db.execute)

    def number_of(self, generator: Generator) -> int:
        """The generator's number in this store; a new one gets the next."""
        with self._writing():
            if not self.there:
                for statement in statements(AUGMENTED):
                    self._db.execute(statement)
                self._db.execute("UPDATE counters SET value = ? WHERE name = 'format'", (GENERATED_FORMAT,))
            self._db.execute(
                "INSERT OR IGNORE INTO generators (name, fingerprint, lang, settings) VALUES (?,?,?,?)", generator
            )
            ((number,),) = self._db.execute(
                "SELECT number FROM generators WHERE name = ? AND fingerprint = ? AND lang = ? AND settings = ?",
                generator,
            )
            return int(number)

    def add(
        self, number: int, questions: Sequence[NewQuestion], through: int, dropped: dict[str, int], commit: int
    ) -> None:
        """Store what the generator `number` made of all passages below `through` that it had not done; `dropped`
        counts by reason what was thrown away."""
        rows = [(passage, number, text, weight) for passage, text, weight in questions]
        with self._writing():
            self._db.executemany(
                "INSERT INTO generated VALUES (?,?,?,?,?,?,NULL)",
                [(*row, question_checksum(*row), commit) for row in rows],
            )
            self._db.execute(
                "INSERT INTO generation_runs VALUES (?,?,?,?,NULL)", (number, through, json.dumps(dropped), commit)
            )

    def through(self, number: int) -> int:
        """The passage number below which the generator has done all."""
        ((through,),) = self._db.execute(
            "SELECT ifnull(max(through), 0) FROM generation_runs WHERE generator = ? AND removed IS NULL", (number,)
        )
        return int(through)

    def supersede(self, number: int, commit: int) -> None:
        """Mark as gone, as of `commit`, what generators of the same name made in the same language with other weights
        or settings: the questions of the generator `number` take their place."""
        others = (
            "generator IN (SELECT other.number FROM generators other JOIN generators own "
            "ON own.name = other.name AND own.lang = other.lang WHERE own.number = ? AND other.number != own.number)"
        )
        with self._writing():
            for table in ("generated", "generation_runs"):
                self._db.execute(f"UPDATE {table} SET removed = ? WHERE removed IS NULL AND {others}", (commit, number))

    def remove_all(self, commit: int) -> int:
        """Mark every question as gone as of `commit`; returns how many there were."""
        if not self.there:
            return 0
        with self._writing():
            self._db.execute("UPDATE generation_runs SET removed = ? WHERE removed IS NULL", (commit,))
            return self._db.execute("UPDATE generated SET removed = ? WHERE removed IS NULL", (commit,)).rowcount

    def take_back(self, commit: int) -> None:
        """Undo what came after `commit`, within the caller's transaction."""
        for table in ("generated", "generation_runs") if self.there else ():
            self._db.execute(f"DELETE FROM {table} WHERE added > ?", (commit,))
            self._db.execute(f"UPDATE {table} SET removed = NULL WHERE removed > ?", (commit,))


class QuestionReader:
    """The questions of live passages as a reader at `commit` sees them."""

    def __init__(self, db: ReadOnlyDatabase, commit: int) -> None:
        self._db, self._commit = db, commit
        # A question lives as long as its passage's document does.
        self._from = (
            "FROM generated JOIN generators g ON g.number = generated.generator "
            "JOIN passages p ON p.number = generated.passage JOIN documents ON documents.number = p.document "
            f"WHERE {visible(commit, 'generated')} AND {visible(commit)}"
        )
        self._runs = visible(commit, "generation_runs")

    @cached_property
    def _there(self) -> bool:
        return has_questions(self._db.rows)

    def between(self, first: int, end: int, after: int = 0) -> list[Question]:
        """Those of the passages ``first <= number < end``, stored after the commit `after`, by passage, then in the
        order they were stored."""
        return self._select(
            "generated.passage >= ? AND generated.passage < ? AND generated.added > ?", (first, end, after)
        )

    def of(self, passages: Sequence[int]) -> list[Question]:
        """Those of these passages, likewise ordered."""
        found: list[Question] = []
        for marks, piece in chunks(sorted({int(passage) for passage in passages})):
            found += self._select(f"generated.passage IN ({marks})", piece)
        return found

    def firsts(self, after: int) -> dict[str, int]:
        """By language of passages, the lowest one with a question stored after the commit `after`."""
        if not self._there:
            return {}
        return dict(
            self._db.rows(
                f"SELECT p.lang, min(generated.passage) {self._from} AND generated.added > ? GROUP BY p.lang", (after,)
            )
        )

    def counts(self) -> list[GeneratorCount]:
        """What each generator has made in each language, in the order they were first used."""
        if not self._there:
            return []
        found = []
        made = {
            number: (questions, passages)
            for number, questions, passages in self._db.rows(
                f"SELECT g.number, count(*), count(DISTINCT generated.passage) {self._from} GROUP BY g.number"
            )
        }
        for number, *described in self._db.rows(
            "SELECT number, name, fingerprint, lang, settings FROM generators ORDER BY number"
        ):
            runs = self._db.rows(
                f"SELECT through, dropped FROM generation_runs WHERE generator = ? AND {self._runs}", (number,)
            )
            if runs:
                dropped = _summed(msgspec.json.decode(text, type=dict[str, int]) for _, text in runs)
                through = max(through for through, _ in runs)
                found.append(GeneratorCount(Generator(*described), *made.get(number, (0, 0)), dropped, through))
        return found

    def built(self) -> int:
        """The commit whose questions the parts had when this generation was made."""
        return dict(self._db.rows("SELECT name, value FROM counters")).get(BUILT, 0) if self._there else 0

    def after(self, commit: int) -> Changes:
        """What became of the questions after `commit`."""
        if not self._there:
            return Changes(frozenset(), frozenset(), 0, False)
        rows = self._db.rows(
            f"SELECT g.number, g.lang, generated.added > ?, min(generated.passage) {self._from} "
            "GROUP BY g.number, generated.added > ?",
            (commit, commit),
        )
        ((lost,),) = self._db.rows(
            "SELECT EXISTS (SELECT 1 FROM generated WHERE added <= ? AND removed > ? AND removed <= ?)",
            (commit, commit, self._commit),
        )
        made = {
            is_new: frozenset((number, lang) for number, lang, new, _ in rows if new == is_new) for is_new in (0, 1)
        }
        return Changes(made[0], made[1], min((first for *_, new, first in rows if new), default=0), bool(lost))

    def _select(self, condition: str, parameters: Sequence[Any]) -> list[Question]:
        if not self._there:
            return []
        rows = self._db.rows(
            "SELECT generated.passage, g.lang, generated.text, generated.weight, g.name "
            f"{self._from} AND {condition} ORDER BY generated.passage, generated.rowid",
            parameters,
        )
        return [Question(*row) for row in rows]


def has_questions(rows: Callable[[str], Any]) -> bool:
    """Whether a store has the tables; `rows` answers a query."""
    ((format,),) = rows("SELECT value FROM counters WHERE name = 'format'")
    return int(format) >= GENERATED_FORMAT


def question_checksum(passage: int, generator: int, text: str, weight: float) -> int:
    """CRC-32 over a row of `generated`, so that a changed byte shows."""
    return zlib.crc32(msgspec.json.encode((passage, generator, text, weight)))


def question_problems(db: ReadOnlyDatabase, commit: int, page: int = 4096) -> Iterator[str]:
    """What is wrong with the questions stored up to `commit`."""
    if not has_questions(db.rows):
        return
    last = 0
    while rows := db.rows(
        "SELECT rowid, passage, generator, text, weight, checksum FROM generated "
        f"WHERE rowid > ? AND added <= ? ORDER BY rowid LIMIT {page}",
        (last, commit),
    ):
        last = rows[-1][0]
        for number, *content, checksum in rows:
            if question_checksum(*content) != checksum:
                yield f"generated question {number} (of passage {content[0]}) was altered"
    ((strays,),) = db.rows(
        "SELECT count(*) FROM generated WHERE added <= ? AND NOT EXISTS "
        "(SELECT 1 FROM passages p JOIN generators g WHERE p.number = generated.passage "
        "AND g.number = generated.generator)",
        (commit,),
    )
    if strays:
        yield f"{counted(strays, 'generated question')} of passages or generators that are not there"


def _summed(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return total
