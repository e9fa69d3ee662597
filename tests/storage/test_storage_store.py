"""The store: what goes in comes out, at every commit as it was then."""

import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xsearch.core import BadInput, Document, FilterError, IndexDamaged
from xsearch.storage import NewDocument, NewPassage, SourceState, Store, StoreReader


def new(id, text="some text", *, spans=None, source=None, **fields):
    if spans is None:
        spans = [NewPassage(0, len(text), "en", "Latn", 0.5)]
    return NewDocument(Document(id, text, **fields), spans, source)


@pytest.fixture
def store(tmp_path):
    made = Store.create(tmp_path / "store.db")
    yield made
    made.close()


@pytest.fixture
def read(tmp_path):
    opened = []

    def open_at(commit):
        opened.append(StoreReader(tmp_path / "store.db", commit))
        return opened[-1]

    yield open_at
    for reader in opened:
        reader.close()


def test_a_document_comes_back_as_it_was(store, read):
    text = "Zürich liegt am See. 北京是首都。"
    spans = [NewPassage(0, 20, "de", "Latn", 0.75), NewPassage(21, 28, "zh", "Hans", 1)]
    metadata = {"year": 2020, "tags": ["a", "é"], "deep": {"x": None, "y": 1.5}, "flag": True}
    added = store.add([new("1", text, spans=spans, title="Städte", lang="de", metadata=metadata, source="a.txt")], 1)
    assert (added.documents.tolist(), added.first.tolist(), added.dead.tolist(), added.replaced) == ([0], [0], [], 0)
    store.commit(1)
    reader = read(1)
    found = reader.document("1")
    assert found.document == Document("1", text, "Städte", "de", metadata)
    assert (found.number, found.first, found.source, list(found.spans)) == (0, 0, "a.txt", spans)
    second, first = reader.passages(np.array([1, 0]))
    assert (second.text, second.ordinal, second.number, second.lang, second.script) == (
        "北京是首都。"[:7],
        1,
        1,
        "zh",
        "Hans",
    )
    assert (first.text, first.id, first.title, first.metadata) == (text[:20], "1", "Städte", metadata)
    assert reader.ids(np.array([0])) == ["1"]
    assert reader.document("2") is None


def test_numbers_run_on_and_documents_may_be_empty(store, read):
    added = store.add([new("a", spans=[]), new("b", spans=[NewPassage(0, 1, "x", "", 0)] * 3), new("c")], 1)
    assert added.documents.tolist() == [0, 1, 2]
    assert added.first.tolist() == [0, 0, 3]
    assert store.add([new("d")], 1).first.tolist() == [4]
    store.commit(1)
    reader = read(1)
    assert [found.id for found in reader.documents()] == ["a", "b", "c", "d"]
    assert [len(found.spans) for found in reader.documents()] == [0, 3, 1, 1]
    assert reader.counts() == (4, 5, {"en": 2, "x": 3})
    assert list(reader.places()) == [(0, 0, 0), (1, 0, 3), (2, 3, 1), (3, 4, 1)]


def test_a_later_document_of_the_same_id_replaces(store, read):
    store.add([new("a", "one"), new("b", "two")], 1)
    store.commit(1)
    added = store.add([new("a", "three"), new("a", "four"), new("c", "five")], 2)
    assert added.first.tolist() == [2, 3, 4]
    assert (added.dead.tolist(), added.replaced) == ([0, 2], 2)
    store.commit(2)
    assert {found.id: found.text for found in read(1).documents()} == {"a": "one", "b": "two"}
    assert {found.id: found.text for found in read(2).documents()} == {"a": "four", "b": "two", "c": "five"}
    assert read(2).document("a").number == 3


def test_remove(store, read):
    store.add([new(id) for id in "abc"], 1)
    store.commit(1)
    removed = store.remove(["c", "x", "a", "a", "x"], 2)
    assert (removed.missing, removed.dead.tolist()) == (["x"], [2, 0])
    assert store.remove(["a"], 2).missing == ["a"]
    added = store.add([new("a", "again")], 2)
    assert (added.first.tolist(), added.replaced) == ([3], 0)
    store.commit(2)
    assert [found.id for found in read(1).documents()] == ["a", "b", "c"]
    assert [(found.id, found.text) for found in read(2).documents()] == [("b", "some text"), ("a", "again")]
    assert read(2).document("c") is None


def test_recover_takes_back_what_no_manifest_names(tmp_path, store, read):
    store.add([new("a"), new("b", source="f")], 1)
    store.set_source("f", SourceState(1, 2, "h"), 1)
    store.commit(1)
    store.add([new("a", "newer", source="f"), new("c", spans=[])], 2)
    store.remove(["b"], 2)
    store.set_source("f", SourceState(9, 9, "i"), 2)
    store.set_source("g", SourceState(3, 3, "j"), 2)
    store.commit(2)
    store.close()
    again = Store.open(tmp_path / "store.db")
    assert again.recover(1, 2) == 2
    assert again.sources() == {"f": SourceState(1, 2, "h")}
    assert again.ids_of_source("f") == ["b"]
    assert [(found.id, found.text) for found in read(1).documents()] == [("a", "some text"), ("b", "some text")]
    added = again.add([new("d"), new("b")], 2)
    assert (added.documents.tolist(), added.first.tolist(), added.dead.tolist()) == ([2, 3], [2, 3], [1])
    again.close()


def test_what_was_not_committed_is_gone_after_close(tmp_path, store):
    store.add([new("a")], 1)
    store.commit(1)
    store.add([new("b")], 2)
    store.close()
    again = Store.open(tmp_path / "store.db")
    assert again.recover(1, 1) == 0
    assert again.remove(["b"], 2).missing == ["b"]
    again.close()


def test_a_store_behind_the_manifest_is_damaged(tmp_path, store):
    store.commit(1)
    with pytest.raises(IndexDamaged, match="holds commit 1, the manifest 2"):
        store.recover(2, 0)
    with pytest.raises(IndexDamaged, match="manifest's commit 2"):
        StoreReader(tmp_path / "store.db", 2)


def test_missing_newer_and_foreign_files(tmp_path, store):
    with pytest.raises(IndexDamaged, match="missing"):
        Store.open(tmp_path / "absent.db")
    with pytest.raises(IndexDamaged, match="missing"):
        StoreReader(tmp_path / "absent.db", 0)
    with pytest.raises(IndexDamaged):
        StoreReader(tmp_path / "absent" / "store.db", 0)
    (tmp_path / "text.db").write_text("This is no database." * 100)
    for opening in (Store.open, lambda path: StoreReader(path, 0)):
        with pytest.raises(IndexDamaged):
            opening(tmp_path / "text.db")
    store.close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("UPDATE counters SET value = 99 WHERE name = 'format'")
    db.close()
    for opening in (Store.open, lambda path: StoreReader(path, 0)):
        with pytest.raises(IndexDamaged, match="newer"):
            opening(tmp_path / "store.db")


def test_create_clears_what_an_earlier_attempt_left(tmp_path):
    store = Store.create(tmp_path / "store.db")
    store.add([new("a")], 1)
    store.commit(1)
    store.close()
    (tmp_path / "store.db-wal").write_bytes(b"rubbish")
    store = Store.create(tmp_path / "store.db")
    assert store.remove(["a"], 1).missing == ["a"]
    store.close()


def test_unknown_numbers_are_damage(store, read):
    store.add([new("a")], 1)
    store.commit(1)
    with pytest.raises(IndexDamaged, match="no passage 5"):
        read(1).passages([0, 5])
    with pytest.raises(IndexDamaged, match="no document 7"):
        read(1).ids([7])
    assert read(1).passages([]) == []
    assert read(1).ids([]) == []


def test_many_ids_in_any_order(store, read):
    store.add([new(f"d{i}") for i in range(3000)], 1)
    store.commit(1)
    wanted = np.random.default_rng(0).permutation(3000)
    assert read(1).ids(wanted) == [f"d{i}" for i in wanted]
    assert [passage.id for passage in read(1).passages(wanted[:1200])] == [f"d{i}" for i in wanted[:1200]]
    assert store.remove([f"d{i}" for i in wanted[:1700]], 2).dead.tolist() == wanted[:1700].tolist()


def test_sources(store, read):
    state, later = SourceState(1, 2, "h"), SourceState(1 << 40, 1 << 62, "i")
    odd = "Ünï\udcff/ file"
    store.set_source("a", state, 1)
    store.set_source(odd, state, 1)
    store.add([new("1", source="a"), new("2", source=odd), new("3", source="a"), new("4")], 1)
    store.commit(1)
    store.set_source("a", later, 2)
    store.remove_source(odd, 2)
    store.remove(["1"], 2)
    assert store.sources() == {"a": later}
    assert store.ids_of_source("a") == ["3"]
    assert store.ids_of_source("nowhere") == []
    store.commit(2)
    assert read(1).sources() == {"a": state, odd: state}
    assert read(2).sources() == {"a": later}
    assert [found.source for found in read(2).documents()] == [odd, "a", None]


def test_select(store, read):
    store.add(
        [new(f"{y}", lang="de" if y % 2 else None, metadata={"year": y, "o'k": "x"}) for y in range(2000, 2010)], 1
    )
    store.commit(1)
    store.remove(["2009"], 2)
    store.commit(2)
    assert read(2).select("json_extract(metadata, ?) >= ?", ["$.year", 2007]).tolist() == [7, 8]
    assert read(1).select("json_extract(metadata, ?) >= ?", ["$.year", 2007]).tolist() == [7, 8, 9]
    assert read(2).select("lang = ? OR id = ?", ["de", "2000"]).tolist() == [0, 1, 3, 5, 7]
    assert read(2).select("0").dtype == np.int64
    with pytest.raises(FilterError, match="cannot be evaluated"):
        read(2).select("json_extract(metadata, ?) = 1", ["year["])


@pytest.mark.parametrize(
    "metadata", [{"a": object()}, {"a": "\ud800"}, {"a": {1: {2, 3}}, "b": b"\xff", "c": object()}]
)
def test_metadata_that_is_no_json_is_refused_and_nothing_stored(store, metadata):
    with pytest.raises(BadInput, match="'bad'"):
        store.add([new("good"), new("bad", metadata=metadata)], 1)
    assert store.remove(["good"], 1).missing == ["good"]
    assert store.add([new("good")], 1).first.tolist() == [0]


def test_half_a_surrogate_pair(store, read):
    for bad in (new("\ud800"), new("1", lang="\udfff")):
        with pytest.raises(BadInput, match="surrogate"):
            store.add([bad], 1)
    text = "a\ud800b\U0001f600c"
    store.add([new("1", text, spans=[NewPassage(1, 4, "x", "", 0.0)], title="t\udfff")], 1)
    store.commit(1)
    (passage,) = read(1).passages([0])
    assert (passage.text, passage.title) == (text[1:4], "t?")
    assert read(1).document("1").text == text


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(
        st.tuples(
            words.filter(bool),
            st.text(max_size=200),
            st.none() | words,
            st.dictionaries(words, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words, max_size=3),
        ),
        max_size=30,
        unique_by=lambda record: record[0],
    )
)
def test_any_text_comes_back(tmp_path, records):
    store = Store.create(tmp_path / "any.db")
    store.add([new(id, text, title=title, metadata=metadata) for id, text, title, metadata in records], 1)
    store.commit(1)
    store.close()
    reader = StoreReader(tmp_path / "any.db", 1)
    found = [(one.id, one.text, one.title, one.metadata) for one in reader.documents()]
    assert found == records
    assert all(reader.document(id).text == text for id, text, _, _ in records)
    assert reader.ids(range(len(records))) == [record[0] for record in records]
    reader.close()
