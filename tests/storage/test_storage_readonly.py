"""Readers leave no trace, need no permission, and keep their snapshot while another process writes."""

import contextlib
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest
from doubles.store_writer import spawn

from xsearch.core import CannotWrite, Document
from xsearch.storage import NewDocument, NewPassage, Store, StoreReader, copy_live, in_use
from xsearch.storage.files import DiskFiles

NOBODY = 65534


def new(id, text):
    return NewDocument(Document(id, text), [NewPassage(0, len(text), "en", "Latn", 1.0)])


def documents(n, version):
    return [new(f"d{i}", f"document {i} version {version} " * 20) for i in range(n)]


@pytest.fixture
def path(tmp_path):
    store = Store.create(tmp_path / "store.db")
    store.add(documents(200, 1), 1)
    store.commit(1)
    store.close()
    return tmp_path / "store.db"


def trace(folder):
    """Names, sizes, times and contents of all in a folder, and its own time."""
    return [
        (
            found.name,
            found.stat().st_size,
            found.stat().st_mtime_ns,
            hashlib.sha256(found.read_bytes()).hexdigest() if found.is_file() else None,
        )
        for found in [folder, *sorted(folder.rglob("*"))]
    ]


def use(path, commit):
    reader = StoreReader(path, commit)
    try:
        texts = {found.id: found.text for found in reader.documents()}
        assert reader.ids([3, 1]) == ["d3", "d1"]
        assert len(reader.select("id LIKE ?", ["d1%"])) == 111
        assert reader.counts().documents == len(texts) == 200
        return texts
    finally:
        reader.close()


def test_reading_leaves_no_trace(path):
    assert os.listdir(path.parent) == ["store.db"]
    before = trace(path.parent)
    use(path, 1)
    assert trace(path.parent) == before


def test_reading_beside_the_log_of_a_dead_writer_leaves_no_trace(path):
    _run(
        """
        store.add(documents(200, 2), 2)
        store.commit(2)
        store.add(documents(200, 3), 3)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    ).wait()
    assert path.with_name("store.db-wal").stat().st_size > 0
    before = trace(path.parent)
    assert use(path, 2)["d7"].startswith("document 7 version 2")
    assert use(path, 1)["d7"].startswith("document 7 version 1")
    assert trace(path.parent) == before


@pytest.mark.parametrize("log", [False, True])
def test_reading_where_nothing_may_be_written(path, log):
    if log:
        _run("store.add(documents(200, 2), 2); store.commit(2); os.kill(os.getpid(), signal.SIGKILL)", path).wait()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "index"
        shutil.copytree(path.parent, folder)
        Path(place).chmod(0o755)
        for found in folder.iterdir():
            found.chmod(0o444)
        folder.chmod(0o555)
        try:
            assert _as_nobody(lambda: use(folder / "store.db", 2 if log else 1)["d0"]) == 0
            assert _as_nobody(lambda: _refuses(folder / "store.db")) == 0
        finally:
            folder.chmod(0o755)


def test_reading_a_log_without_its_shared_memory_leaves_no_trace(path):
    _run("store.add(documents(200, 2), 2); store.commit(2); os.kill(os.getpid(), signal.SIGKILL)", path).wait()
    path.with_name("store.db-shm").unlink()
    before = trace(path.parent)
    assert use(path, 2)["d7"].startswith("document 7 version 2")
    assert trace(path.parent) == before


def test_a_writer_may_open_in_the_process_of_a_reader_of_a_dead_ones_log(path):
    _run("store.add(documents(200, 2), 2); store.commit(2); os.kill(os.getpid(), signal.SIGKILL)", path).wait()
    reader = StoreReader(path, 2)
    assert reader.document("d7").text.startswith("document 7 version 2")
    store = Store.open(path)
    store.recover(2, 400)
    store.add(documents(100, 3), 3)
    store.commit(3)
    later = StoreReader(path, 3)
    assert later.document("d7").text.startswith("document 7 version 3")
    later.close()
    assert reader.document("d7").text.startswith("document 7 version 2")
    store.close()
    assert {found.text.split()[3] for found in reader.documents()} == {"2"}
    reader.close()


def test_a_reader_keeps_its_snapshot_while_a_process_writes_checkpoints_and_closes(path):
    reader = StoreReader(path, 1)
    early = StoreReader(path, 1)
    expected = {f"d{i}": f"document {i} version 1 " * 20 for i in range(200)}
    stop, failures, rounds = threading.Event(), [], []

    def keep_reading():
        while not stop.is_set():
            found = {one.id: one.text for one in reader.documents()}
            rounds.append(1)
            if found != expected:
                failures.append(found)

    thread = threading.Thread(target=keep_reading)
    thread.start()
    try:
        for first in (2, 6):
            writer = _run(
                f"""
                for commit in range({first}, {first} + 4):
                    store.add(documents(200, commit), commit)
                    store.remove([f"d{{i}}" for i in range(0, 200, 7)], commit)
                    store.commit(commit)
                store.close()
                """,
                path,
            )
            assert writer.wait() == 0
    finally:
        stop.set()
        thread.join()
    assert not failures
    assert rounds
    # One that did not look while it happened.
    assert {one.id: one.text for one in early.documents()} == expected
    assert early.document("d5").text == expected["d5"]
    early.close()
    reader.close()
    late = StoreReader(path, 9)
    assert late.document("d8").text.startswith("document 8 version 9")
    assert late.document("d7") is None
    late.close()


def test_reader_and_writer_in_one_process(path):
    reader = StoreReader(path, 1)
    assert reader.counts().documents == 200
    store = Store.open(path)
    store.recover(1, 200)
    for commit in (2, 3):
        store.add(documents(300, commit), commit)
        store.commit(commit)
        assert reader.counts().documents == 200
        after = StoreReader(path, commit)
        assert after.counts().documents == 300
        after.close()
    # Closing readers must not have taken the writer's locks away: no other process may write.
    blocked = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=0); c.execute('BEGIN IMMEDIATE')"
    store.add(documents(1, 4), 4)
    outcome = subprocess.run([sys.executable, "-c", blocked, str(path)], capture_output=True, text=True, check=False)
    assert "database is locked" in outcome.stderr
    store.close()
    assert reader.document("d3").text.startswith("document 3 version 1")
    reader.close()


def test_a_reader_holds_its_generation(path):
    reader = StoreReader(path, 1)
    assert in_use(path.parent)
    other = path.parent / "next" / "store.db"
    other.parent.mkdir()
    copy_live(path, other, 1, 200, DiskFiles())
    assert not in_use(other.parent)
    reader.close()
    reader.close()
    assert not in_use(path.parent)


def test_compaction_keeps_numbers_and_drops_what_is_gone(path):
    store = Store.open(path)
    store.recover(1, 200)
    store.remove([f"d{i}" for i in range(200) if i % 10 != 3], 2)
    store.add([new("d3", "later")], 2)
    store.set_source("f", (1, 2, "h"), 2)
    store.commit(2)
    store.remove(["d3"], 3)
    store.add([new("extra", "not in any manifest")], 3)
    store.commit(3)
    store.close()
    target = path.with_name("new.db")
    copy_live(path, target, 2, 201, DiskFiles())
    assert target.stat().st_size < path.stat().st_size
    old, compact = StoreReader(path, 2), StoreReader(target, 2)
    assert list(compact.documents()) == list(old.documents())
    assert compact.document("d3").number == 200
    assert [one.number for one in compact.documents()] == [*range(13, 200, 10), 200]
    assert compact.sources() == old.sources()
    old.close()
    compact.close()
    with contextlib.closing(sqlite3.connect(target)) as db:
        assert dict(db.execute("SELECT name, value FROM counters")) == {
            "format": 1,
            "commit": 2,
            "documents": 202,
            "passages": 201,
        }
    again = Store.open(target)
    assert again.recover(2, 201) == 0
    added = again.add([new("d3", "latest"), new("new", "x")], 3)
    assert added.first.tolist() == [201, 202]
    assert added.documents.tolist() == [202, 203]
    assert added.dead.tolist() == [200]
    again.close()


DEFINITIONS = """
import signal
store = Store.open(path)
def documents(n, version):
    texts = [f"document {i} version {version} " * 20 for i in range(n)]
    return [NewDocument(Document(f"d{i}", text), [NewPassage(0, 5, "", "", 1.0)]) for i, text in enumerate(texts)]
"""


def _run(body, path):
    """Start a process that opens the store for writing and runs `body`."""
    return spawn(path, DEFINITIONS + textwrap.dedent(body), subprocess.DEVNULL)


def _as_nobody(action):
    """Run `action` in a child process without privileges; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            action()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _refuses(path):
    with pytest.raises(CannotWrite):
        Store.open(path).recover(1, 200)
