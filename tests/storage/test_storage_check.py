"""`verify` finds every damage there is, and nothing where there is none; a backup is the index it was made of."""

import hashlib
import os
import random
import sqlite3

import msgspec
import numpy as np
import pytest
from doubles.store_writer import batch, doomed, model, spawn

from xsearch.core import BadInput, IndexDamaged
from xsearch.storage import (
    DiskFiles,
    Liveness,
    Manifest,
    Store,
    StoreReader,
    append_columns,
    backup,
    check_index,
    column_files,
    durable_write,
    generation_folder,
    hash_files,
    live_name,
    read_manifest,
    strays,
    verify,
    write_manifest,
)

FILES = DiskFiles()


def start(folder):
    """An index of nothing but the storage's own files and one segment of a made-up retriever."""
    generation = generation_folder(folder, 1)
    FILES.make_folder(generation / "bm25")
    Store.create(generation / "store.db").close()
    durable_write(FILES, generation / "bm25" / "segment", bytes(range(256)) * 1000)
    Liveness.empty().write(FILES, generation / live_name(0))
    manifest = Manifest(
        commit=0,
        generation=1,
        high_water=0,
        documents=0,
        passages=0,
        languages=("en",),
        recipe={},
        encoder=None,
        analyzers={},
        retrievers={"bm25": {"files": ["segment"]}},
        live=live_name(0),
        columns={},
        files={},
        created="",
        updated="",
    )
    write_manifest(FILES, folder, manifest)


def commit(folder):
    """The next commit of `doubles.store_writer`, as the engine would make it."""
    old = read_manifest(folder)
    number = old.commit + 1
    generation = generation_folder(folder, 1)
    store = Store.open(generation / "store.db")
    store.recover(old.commit, old.high_water)
    given = batch(number)
    added, removed = store.add(given, number), store.remove(doomed(number), number)
    store.commit(number)
    store.close()
    lengths = [len(new.spans) for new in given]
    owners = np.repeat(added.documents, lengths)
    numbers = np.arange(old.high_water, old.high_water + len(owners))
    columns = append_columns(FILES, generation, old.columns, number, numbers, owners, np.zeros(len(owners), np.uint16))
    dead = np.concatenate([added.dead, removed.dead])
    live = Liveness.open(generation / old.live).changed(old.high_water + len(owners), dead)
    live.write(FILES, generation / live_name(number))
    names = [f"gen-000001/{name}" for name in ("bm25/segment", live_name(number), *column_files(columns))]
    manifest = msgspec.structs.replace(
        old,
        commit=number,
        high_water=live.high_water,
        documents=len(model(number)[0]),
        passages=live.count,
        live=live_name(number),
        columns=columns,
        files=hash_files(folder, names, old.files),
    )
    write_manifest(FILES, folder, manifest)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "index"
    folder.mkdir()
    start(folder)
    for _ in range(3):
        commit(folder)
    return folder


def errors(folder):
    return [problem for problem in check_index(folder) if problem.level == "error"]


def test_a_whole_index_has_no_problems_and_what_an_earlier_commit_left_is_none(folder):
    assert check_index(folder) == []
    left = set(strays(folder, read_manifest(folder)))
    assert {"gen-000001/live-000001.bits", "gen-000001/live-000000.bits"} <= left
    assert not left & {"manifest.json", "LOCK", "gen-000001/store.db", *read_manifest(folder).files}


def test_an_unfinished_generation_is_noted(folder):
    left = set(strays(folder, read_manifest(folder)))
    (folder / "gen-000001" / "bm25" / ".tantivy-writer.lock").touch()
    (folder / "gen-000002").mkdir()
    (folder / "gen-000002" / "store.db").touch()
    assert set(strays(folder, read_manifest(folder))) == left | {"gen-000002/store.db"}
    assert [(problem.path, problem.level) for problem in check_index(folder)] == [("gen-000002/store.db", "note")]


def test_every_file_is_verified(folder):
    for name in read_manifest(folder).files:
        path = folder / name
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole + b"x", whole[:-1] + bytes([whole[-1] ^ 1]), None):
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            assert name in {problem.path for problem in errors(folder)}
        path.write_bytes(whole)
    assert errors(folder) == []


def test_altered_rows_are_found(folder):
    store = folder / "gen-000001" / "store.db"
    whole = store.read_bytes()
    for statement in (
        "UPDATE documents SET title = 'x' WHERE id = 'd5' AND removed IS NULL",
        "UPDATE documents SET metadata = '{\"a\":1}' WHERE number = (SELECT max(number) FROM documents)",
        "UPDATE passages SET end = end + 1 WHERE number = (SELECT max(number) FROM passages)",
        "DELETE FROM passages WHERE number = (SELECT max(number) FROM passages)",
        "UPDATE texts SET text = zeroblob(20) WHERE document = (SELECT max(number) FROM documents)",
        "DELETE FROM texts WHERE document = (SELECT max(number) FROM documents WHERE removed IS NULL)",
        "UPDATE documents SET removed = 2 WHERE number = (SELECT max(number) FROM documents WHERE removed IS NULL)",
        "UPDATE documents SET removed = NULL WHERE number = (SELECT min(number) FROM documents WHERE removed > 0)",
        "UPDATE counters SET value = 2 WHERE name = 'commit'",
    ):
        with sqlite3.connect(store) as db:
            db.execute(statement)
        db.close()
        assert errors(folder), statement
        store.write_bytes(whole)
        for suffix in ("-wal", "-shm"):
            store.with_name(f"store.db{suffix}").unlink(missing_ok=True)
    assert errors(folder) == []


def test_a_flipped_byte_in_the_text_of_a_document_is_found_by_readers_too(folder):
    store = folder / "gen-000001" / "store.db"
    with sqlite3.connect(store) as db:
        ((number, frame),) = db.execute(
            "SELECT document, text FROM texts JOIN documents ON number = document WHERE removed IS NULL LIMIT 1"
        )
        flipped = frame[:-6] + bytes([frame[-6] ^ 4]) + frame[-5:]
        db.execute("UPDATE texts SET text = ? WHERE document = ?", (flipped, number))
    db.close()
    reader = StoreReader(store, 3)
    with pytest.raises(IndexDamaged, match=f"text of document {number}"):
        list(reader.documents())
    reader.close()


def test_random_damage_to_the_store_is_found_or_harmless(folder):
    """A page overwritten with noise: either `verify` says so, or every document still reads as before."""
    store = folder / "gen-000001" / "store.db"
    whole = store.read_bytes()
    expected = {id: place[2] for id, place in model(3)[0].items()}
    chance, found = random.Random(0), 0
    for _ in range(30):
        at = chance.randrange(len(whole) - 4096)
        store.write_bytes(whole[:at] + chance.randbytes(4096) + whole[at + 4096 :])
        if errors(folder):
            found += 1
        else:
            reader = StoreReader(store, 3)
            assert {one.id: one.text for one in reader.documents()} == expected
            reader.close()
    assert found > 10


def test_parts_that_disagree(folder):
    manifest = read_manifest(folder)
    for changes in ({"documents": manifest.documents + 1}, {"passages": manifest.passages - 1}):
        assert verify(folder, msgspec.structs.replace(manifest, **changes))[0].level == "error"
    live = folder / "gen-000001" / manifest.live
    mask = Liveness.open(live).mask()
    alive, dead = int(np.flatnonzero(mask)[0]), int(np.flatnonzero(~mask)[0])
    mask[[alive, dead]] = mask[[dead, alive]]
    Liveness.of(mask).write(FILES, live)
    files = hash_files(folder, manifest.files, {})
    changed = msgspec.structs.replace(manifest, files=files)
    assert any("other passages" in problem.message for problem in verify(folder, changed))


def test_only_new_and_grown_files_are_hashed(folder):
    manifest = read_manifest(folder)
    name, other = "gen-000001/bm25/segment", f"gen-000001/{manifest.live}"
    marked = {name: msgspec.structs.replace(manifest.files[name], blake2b="as before")}
    again = hash_files(folder, [name, other], marked)
    assert again == {name: marked[name], other: manifest.files[other]}
    with (folder / name).open("ab") as stream:
        stream.write(b"x")
    grown = hash_files(folder, [name], marked)[name]
    assert grown.size == marked[name].size + 1
    assert grown.blake2b == hashlib.blake2b((folder / name).read_bytes(), digest_size=32).hexdigest()


def test_a_backup_is_the_index_and_goes_back(folder, tmp_path):
    before = sorted(os.listdir(folder / "gen-000001"))
    backup(folder, tmp_path / "copy")
    assert sorted(os.listdir(folder / "gen-000001")) == before
    assert check_index(tmp_path / "copy") == []
    assert read_manifest(tmp_path / "copy") == read_manifest(folder)
    backup(tmp_path / "copy", tmp_path / "again")
    assert check_index(tmp_path / "again") == []
    commit(tmp_path / "again")
    assert errors(tmp_path / "again") == []
    reader = StoreReader(tmp_path / "again" / "gen-000001" / "store.db", 4)
    assert {one.id: one.text for one in reader.documents()} == {id: place[2] for id, place in model(4)[0].items()}
    reader.close()
    with pytest.raises(BadInput, match="not empty"):
        backup(folder, tmp_path / "copy")
    with pytest.raises(BadInput, match="within the index"):
        backup(folder, folder / "copy")
    with pytest.raises(BadInput, match="no index"):
        backup(tmp_path / "absent", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_while_a_process_writes(folder, tmp_path):
    process = spawn(folder / "gen-000001" / "store.db", "write_commits(path, 4, 200)")
    process.stdout.readline()
    backup(folder, tmp_path / "copy")
    process.kill()
    process.communicate()
    assert check_index(tmp_path / "copy") == []


def test_a_damaged_index_is_not_backed_up(folder, tmp_path):
    name = "gen-000001/bm25/segment"
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(b"x" + content[1:])
    with pytest.raises(IndexDamaged, match=r"segment.*altered"):
        backup(folder, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    (folder / name).unlink()
    with pytest.raises(IndexDamaged, match=r"segment.*cannot be read: No such file"):
        backup(folder, tmp_path / "copy2")
