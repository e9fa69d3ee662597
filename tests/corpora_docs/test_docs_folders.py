"""Scanning: which files are taken, in which order, and why the others are not."""

import os
import socket

import pytest

from xsearch.core import BadInput
from xsearch.corpora import scan


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "docs"
    for name, data in {
        "b.txt": b"b",
        "a/z.md": b"z",
        "a/y.jsonl.gz": b"y",
        "a.txt": b"a",
        "LICENSE": b"plain words",
        "photo.jpg": b"\xff\xd8\xff\xe0" + bytes(range(256)),
        ".env": b"SECRET=1",
        ".git/config": b"x",
        "old/manifest.json": b"{}",
        "old/gen-000001/store.db": b"x",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def scanned(*paths):
    skipped = {}
    found = list(scan(paths, lambda path, reason: skipped.setdefault(path, []).append(reason)))
    return found, {path.name: reasons for path, reasons in skipped.items()}


def test_files_come_sorted_with_names_relative_to_the_folder(tree):
    found, skipped = scanned(tree)
    assert [source.name for source in found] == ["LICENSE", "a/y.jsonl.gz", "a/z.md", "a.txt", "b.txt"]
    assert all(source.root == tree and source.path == tree / source.name for source in found)
    assert found[-1].size == 1
    assert found[-1].mtime_ns == os.stat(tree / "b.txt").st_mtime_ns
    assert skipped == {
        ".env": ["hidden"],
        ".git": ["hidden"],
        "old": ["an index"],
        "photo.jpg": ["no reader for .jpg: binary data, not text"],
    }


def test_links_stay_within_the_folder_and_never_loop(tree, tmp_path):
    (tmp_path / "outside.txt").write_text("secret")
    (tree / "out.txt").symlink_to(tmp_path / "outside.txt")
    (tree / "in.txt").symlink_to(tree / "a.txt")
    (tree / "a" / "loop").symlink_to(tree)
    (tree / "dead.txt").symlink_to(tree / "nothing")
    (tree / "self.txt").symlink_to(tree / "self.txt")
    found, skipped = scanned(tree)
    assert [source.name for source in found] == ["LICENSE", "a/y.jsonl.gz", "a/z.md", "a.txt", "b.txt", "in.txt"]
    assert skipped["out.txt"] == ["a link that leaves the folder"]
    assert skipped["loop"] == ["a link to a folder inside, which is read under its own name"]
    assert skipped["dead.txt"][0].startswith("cannot be opened")
    assert skipped["self.txt"][0].startswith("cannot be opened")


def test_sockets_and_pipes_are_not_opened(tree, monkeypatch):
    os.mkfifo(tree / "pipe.txt")
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        _, skipped = scanned(tree)
    assert skipped["pipe.txt"] == skipped["socket.txt"] == ["neither a file nor a folder"]
    with pytest.raises(BadInput, match="neither a file nor a folder; standard input is read as '-'"):
        scan([tree / "pipe.txt"], pytest.fail)


def test_a_path_that_does_not_exist_is_an_error_before_anything_is_read(tree):
    with pytest.raises(BadInput, match=r"nothing' does not exist"):
        scan([tree, tree / "nothing"], pytest.fail)
    with pytest.raises(BadInput):
        scan(["a\0b"], pytest.fail)


def test_what_is_named_itself_is_taken_whatever_it_is_called(tree):
    found, skipped = scanned(tree / ".env", tree / ".git", tree / "photo.jpg")
    assert [(source.name, source.root) for source in found] == [
        (".env", tree),
        ("config", tree / ".git"),
        ("photo.jpg", tree),
    ]
    assert skipped == {}


def test_an_empty_folder_is_reported(tmp_path):
    (tmp_path / "empty").mkdir()
    assert scanned(tmp_path / "empty") == ([], {"empty": ["there is no file in it that can be read"]})


def test_a_file_is_read_once_and_two_of_one_name_are_not_confused(tree, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("another")
    found, skipped = scanned(tree / "a.txt", tree / "a.txt", tree, other)
    assert [source.name for source in found].count("a.txt") == 1
    [reason] = skipped["a.txt"]
    assert "has the name 'a.txt'" in reason
    assert "other" not in skipped


def test_names_that_are_no_text_can_still_be_ids(tmp_path):
    for name in (b"caf\xe9.txt", b"line\nbreak.txt"):
        try:
            with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
                file.write(b"x")
        except OSError:
            pytest.skip("the file system takes UTF-8 names only")
    found, _ = scanned(tmp_path)
    assert [source.name for source in found] == ["caf\\xe9.txt", "line\\x0abreak.txt"]
    assert all(source.path.read_bytes() == b"x" for source in found)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root opens everything")
def test_a_folder_that_may_not_be_opened_is_reported(tree):
    (tree / "a").chmod(0)
    try:
        _, skipped = scanned(tree)
    finally:
        (tree / "a").chmod(0o700)
    assert skipped["a"] == ["cannot be opened: Permission denied"]


def test_a_deep_tree_is_no_trouble(tmp_path):
    path = tmp_path
    for _ in range(200):
        path = path / "d"
    path.mkdir(parents=True)
    (path / "x.txt").write_text("deep")
    found, _ = scanned(tmp_path)
    assert [source.name for source in found] == ["d/" * 200 + "x.txt"]
