"""Files and the documents that came from them, through changes of both."""

import json

import pytest

import xsearch
from xsearch.corpora import ReadOptions
from xsearch.engine import IngestOptions, index_paths, ingest
from xsearch.engine.ingest import Listener


@pytest.fixture
def home(tmp_path):
    (tmp_path / "f").mkdir()
    return tmp_path


def write(path, *records):
    path.write_text("".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in records))


def texts(index):
    index.refresh()
    return {stored.id: stored.text for stored in index.snapshot.store.documents()}


def test_an_id_in_two_files_survives_the_change_of_either(home):
    write(home / "f" / "a.jsonl", ("1", "from a"))
    write(home / "f" / "b.jsonl", ("1", "from b"), ("2", "two"))
    index = xsearch.create(home / "i")
    index_paths(index, [home / "f"])
    assert texts(index) == {"1": "from b", "2": "two"}
    write(home / "f" / "b.jsonl", ("2", "two again"))
    index_paths(index, [home / "f"])
    assert texts(index) == {"1": "from a", "2": "two again"}
    write(home / "f" / "b.jsonl", ("1", "from b, later"))
    index_paths(index, [home / "f"])
    assert texts(index) == {"1": "from b, later"}
    (home / "f" / "b.jsonl").unlink()
    index_paths(index, [home / "f"], IngestOptions(prune=True))
    assert texts(index) == {"1": "from a"}


def test_a_long_run_that_was_interrupted_leaves_nothing_behind(home, monkeypatch):
    monkeypatch.setattr(ingest, "COMMIT_EVERY", 10)
    path = home / "f" / "r.jsonl"
    write(path, *((str(i), f"record {i}") for i in range(25)))
    index = xsearch.create(home / "i")

    def interrupt(documents: int) -> None:
        if documents == 21:
            raise KeyboardInterrupt

    seen = 0

    def count(document: xsearch.Document) -> None:
        nonlocal seen
        seen += 1
        interrupt(seen)

    original = xsearch.engine.IndexWriter.add
    with monkeypatch.context() as patched:
        patched.setattr(xsearch.engine.IndexWriter, "add", lambda w, d, s=None: (count(d), original(w, d, s)))
        with pytest.raises(KeyboardInterrupt):
            index_paths(index, [home / "f"])
    assert len(texts(index)) == 20
    write(path, *((str(i), f"record {i}") for i in range(15, 25)))
    index_paths(index, [home / "f"])
    assert set(texts(index)) == {str(i) for i in range(15, 25)}


def test_an_interrupted_file_that_vanishes_is_pruned(home, monkeypatch):
    index = xsearch.create(home / "i")
    with index.writer() as writer:
        writer.add(xsearch.Document("x", "half a file"), str((home / "f" / "gone.jsonl").resolve()))
    report = index_paths(index, [home / "f"], IngestOptions(prune=True))
    assert report.removed == 1
    assert texts(index) == {}


def test_a_file_that_cannot_be_read_does_not_end_the_run(home, monkeypatch):
    (home / "f" / "a.txt").write_text("a river")
    (home / "f" / "b.txt").write_text("a bridge")

    def refuse(source):
        if source.path.name == "a.txt":
            raise xsearch.BadInput("cannot be read: Permission denied", where=source.name)
        return "hash"

    monkeypatch.setattr(ingest, "file_hash", refuse)
    index = xsearch.create(home / "i")
    messages = []
    listener = Listener(on_message=messages.append)
    assert index_paths(index, [home / "f"], listener=listener).bad == 1
    assert messages == ["a.txt: cannot be read: Permission denied; skipped"]
    assert set(texts(index)) == {"b.txt"}


def test_what_nobody_may_look_for_has_not_vanished(home, monkeypatch):
    (home / "f" / "sub").mkdir()
    (home / "f" / "sub" / "a.txt").write_text("a river")
    (home / "f" / "b.txt").write_text("a bridge")
    index = xsearch.create(home / "i")
    index_paths(index, [home / "f"])
    is_file = ingest.Path.is_file

    def refuse(path, *rest):
        if path.parent.name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path, *rest)

    monkeypatch.setattr(ingest.Path, "is_file", refuse)
    monkeypatch.setattr(ingest, "scan", lambda paths, skip: iter(()))
    (home / "f" / "b.txt").unlink()
    report = index_paths(index, [home / "f"], IngestOptions(prune=True))
    assert (report.removed, set(texts(index))) == (1, {"sub/a.txt"})


def test_an_index_in_the_folder_is_no_document(home):
    (home / "f" / "a.txt").write_text("a river")
    index = xsearch.create(home / "f" / "idx")
    for _ in range(2):
        index_paths(index, [home / "f"])
        assert set(texts(index)) == {"a.txt"}


def test_judgments_runs_and_topics_in_a_folder_are_no_documents(home):
    (home / "f" / "docs.txt").write_text("a river")
    (home / "f" / "qrels.txt").write_text("q1 0 docs.txt 1\nq2 0 docs.txt 0\n")
    (home / "f" / "topics.jsonl").write_text('{"id": "q1", "lang": "en", "text": "river"}\n')
    index, said = xsearch.create(home / "i"), []
    report = index_paths(index, [home / "f"], listener=Listener(said.append))
    assert (report.documents, report.skipped) == (1, 2)
    assert set(texts(index)) == {"docs.txt"}
    assert said[0].endswith(
        "qrels.txt: judgments of an evaluation, no documents; give the file itself to index it; skipped"
    )
    assert index_paths(index, [home / "f" / "topics.jsonl"]).documents == 1
    assert set(texts(index)) == {"docs.txt", "q1"}


def test_unchanged_files_are_read_again_when_asked_for(home):
    (home / "f" / "t.csv").write_text("id,text,note\n1,a,b\n")
    index = xsearch.create(home / "i")
    index_paths(index, [home / "f"])
    notes = ReadOptions(text_field="note")
    assert index_paths(index, [home / "f"], IngestOptions(read=notes)).unchanged == 1
    assert texts(index) == {"1": "a"}
    report = index_paths(index, [home / "f"], IngestOptions(again=True, read=notes))
    assert (report.documents, report.unchanged, report.removed) == (1, 0, 0)
    assert texts(index) == {"1": "b"}


def test_data_within_a_document_is_counted_and_not_searched(home):
    (home / "f" / "a.txt").write_text("A picture of a bridge: " + "iVBORw0KGgo" * 10_000)
    (home / "f" / "b.txt").write_text("A river.")
    index, said = xsearch.create(home / "i"), []
    report = index_paths(index, [home / "f"], listener=Listener(said.append))
    assert (report.documents, report.data) == (2, 1)
    assert said == ["document 'a.txt': 109,900 characters of data (base64 and the like) not searched"]
    index.refresh()
    assert index.manifest.passages == 2
    assert index.search("bridge")[0].id == "a.txt"


def test_a_file_that_could_not_be_read_is_read_with_other_options(home):
    (home / "f" / "a.csv").write_text("name,note\nx,Bees make honey\ny,Storks nest on roofs\n")
    index = xsearch.create(home / "i")
    wrong = IngestOptions(read=ReadOptions(text_field="text"))
    for _ in range(2):
        report = index_paths(index, [home / "f"], wrong)
        assert (report.documents, report.bad, report.unchanged) == (0, 2, 0)
    right = IngestOptions(read=ReadOptions(text_field="note"))
    assert index_paths(index, [home / "f"], right).documents == 2
    assert index_paths(index, [home / "f"], right).unchanged == 1
    assert sorted(texts(index).values()) == ["Bees make honey", "Storks nest on roofs"]
