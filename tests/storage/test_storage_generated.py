"""Generated questions in the store: they come and go with commits and with their passages."""

import re
import sqlite3

import pytest

from xsearch.core import Document, IndexDamaged
from xsearch.storage import DiskFiles, Generator, NewDocument, NewPassage, NewQuestion, Store, StoreReader, copy_live
from xsearch.storage.rows import store_problems

LEXICAL = Generator("lexical", "f1", "en", '{"count": 5}')


def new(id, passages=1):
    return NewDocument(Document(id, "some text"), [NewPassage(0, 9, "de", "Latn", 1.0)] * passages)


@pytest.fixture
def store(tmp_path):
    made = Store.create(tmp_path / "store.db")
    made.add([new("a", 2), new("b"), new("c")], 1)
    made.commit(1)
    yield made
    made.close()


def asked(path, commit):
    reader = StoreReader(path, commit)
    try:
        return [(q.passage, q.lang, q.text, q.weight, q.generator) for q in reader.questions.between(0, 100)]
    finally:
        reader.close()


def store_format(path):
    with sqlite3.connect(path) as db:
        return dict(db.execute("SELECT name, value FROM counters"))["format"]


def test_a_store_without_questions_stays_of_format_1_and_one_with_them_becomes_2(store, tmp_path):
    path = tmp_path / "store.db"
    assert asked(path, 1) == []
    assert store_format(path) == 1
    number = store.questions.number_of(LEXICAL)
    store.questions.add(number, [NewQuestion(0, "bees"), NewQuestion(2, "wasps", 0.5)], 4, {"loop": 3}, 2)
    store.commit(2)
    assert store_format(path) == 2
    assert asked(path, 2) == [(0, "en", "bees", 1.0, "lexical"), (2, "en", "wasps", 0.5, "lexical")]
    # A reader at the commit before, opened after, sees none.
    assert asked(path, 1) == []
    store.close()
    again = Store.open(path)
    assert again.questions.number_of(LEXICAL) == number
    assert again.questions.through(number) == 4
    assert again.questions.number_of(LEXICAL._replace(settings="{}")) != number
    again.close()


def test_a_store_of_a_newer_format_is_refused_by_name(store, tmp_path):
    store.close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("UPDATE counters SET value = 3 WHERE name = 'format'")
    with pytest.raises(IndexDamaged, match=r"store format 3.*upgrade xsearch"):
        Store.open(tmp_path / "store.db")


def test_what_no_manifest_names_is_taken_back_with_its_progress(store, tmp_path):
    number = store.questions.number_of(LEXICAL)
    store.questions.add(number, [NewQuestion(0, "first")], 1, {}, 2)
    store.commit(2)
    store.questions.add(number, [NewQuestion(1, "second")], 3, {"loop": 1}, 3)
    assert store.questions.remove_all(3) == 2
    store.commit(3)
    store.close()
    again = Store.open(tmp_path / "store.db")
    again.recover(2, 4)
    assert asked(tmp_path / "store.db", 2) == [(0, "en", "first", 1.0, "lexical")]
    assert again.questions.through(number) == 1
    again.close()


def test_questions_go_with_their_document_and_compaction_keeps_the_others(store, tmp_path):
    number = store.questions.number_of(LEXICAL)
    questions = [NewQuestion(passage, f"q{passage}") for passage in range(4)]
    store.questions.add(number, questions, 4, {"loop": 2, "language": 1}, 2)
    store.questions.add(number, [], 4, {"loop": 1}, 2)
    store.commit(2)
    # "a" is replaced, "c" removed.
    store.add([new("a")], 3)
    store.remove(["c"], 3)
    store.commit(3)
    assert [row[0] for row in asked(tmp_path / "store.db", 2)] == [0, 1, 2, 3]
    assert [row[0] for row in asked(tmp_path / "store.db", 3)] == [2]
    copy_live(tmp_path / "store.db", tmp_path / "copy.db", 3, 5, DiskFiles())
    assert asked(tmp_path / "copy.db", 3) == [(2, "en", "q2", 1.0, "lexical")]
    copied = StoreReader(tmp_path / "copy.db", 3)
    (count,) = copied.questions.counts()
    assert (count.generator, count.questions, count.passages) == (LEXICAL, 1, 1)
    assert (count.dropped, count.through) == ({"loop": 3, "language": 1}, 4)
    assert copied.questions.built() == 3
    assert copied.questions.after(3) == (frozenset({(number, "en")}), frozenset(), 0, False)
    copied.close()
    assert store_problems(tmp_path / "copy.db", 3) == []
    again = Store.open(tmp_path / "copy.db")
    again.questions.add(number, [NewQuestion(4, "new")], 5, {}, 4)
    again.commit(4)
    copied = StoreReader(tmp_path / "copy.db", 4)
    assert copied.questions.after(3) == (frozenset({(number, "en")}), frozenset({(number, "en")}), 4, False)
    assert [question.text for question in copied.questions.between(0, 9, after=3)] == ["new"]
    copied.close()
    other = again.questions.number_of(LEXICAL._replace(settings="{}"))
    again.questions.supersede(other, 5)
    again.commit(5)
    again.close()
    copied = StoreReader(tmp_path / "copy.db", 5)
    assert copied.questions.after(3) == (frozenset(), frozenset(), 0, True)
    assert copied.questions.after(0).lost is False
    copied.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE generated SET text = 'wosps' WHERE passage = 2", "question 2 .of passage 2. was altered"),
        ("UPDATE generated SET weight = 2 WHERE passage = 0", "question 1 .of passage 0. was altered"),
        ("DELETE FROM generators", "2 generated questions of passages or generators that are not there"),
    ],
)
def test_an_altered_question_is_found(store, tmp_path, change, message):
    number = store.questions.number_of(LEXICAL)
    store.questions.add(number, [NewQuestion(0, "bees"), NewQuestion(2, "wasps")], 4, {}, 2)
    store.commit(2)
    store.close()
    assert store_problems(tmp_path / "store.db", 2) == []
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute(change)
    (problem,) = store_problems(tmp_path / "store.db", 2)
    assert re.search(message, problem)
