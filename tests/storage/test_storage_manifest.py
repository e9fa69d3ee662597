"""The manifest: what is read is what was written, or an error that says what to do."""

import json

import msgspec
import pytest
from doubles.lossy_files import ForgetfulFiles, LossyFiles
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import BadInput, IndexDamaged
from xsearch.storage import FORMAT, MANIFEST, DiskFiles, FileEntry, Manifest, read_manifest, write_manifest
from xsearch.storage.failpoints import Crash
from xsearch.storage.manifest import parse_manifest


def manifest(**changes):
    made = Manifest(
        commit=7,
        generation=1,
        high_water=12,
        documents=5,
        passages=9,
        languages=("de", "zh-Hant"),
        recipe={"name": "hybrid", "weights": {"bm25": 0.1, "dense": 1e-7}, "note": "Zoë 北京"},
        encoder={"name": "static", "fingerprint": "ab12"},
        analyzers={"de": ("snowball", "2", "cd34")},
        retrievers={"bm25": {"languages": {"de": {}}, "files": []}},
        live="live-000007.bits",
        columns={"segments": []},
        files={"gen-000001/live-000007.bits": FileEntry(34, "00ff")},
        created="2026-01-02T03:04:05+00:00",
        updated="2026-01-03T03:04:05+00:00",
    )
    return msgspec.structs.replace(made, **changes)


def test_round_trip(tmp_path):
    for made in (manifest(), manifest(encoder=None, languages=(), files={}), manifest(recipe={"a": [1, 2.5, None]})):
        write_manifest(DiskFiles(), tmp_path, made)
        assert read_manifest(tmp_path) == made


def test_where_there_is_none(tmp_path):
    with pytest.raises(BadInput, match=r"no index at .*xsearch index"):
        read_manifest(tmp_path)
    with pytest.raises(BadInput, match="no index at"):
        read_manifest(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file"):
        read_manifest(tmp_path / "file")


def test_a_newer_format_says_upgrade(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps({"format": FORMAT + 1, "things": "unheard of"}))
    with pytest.raises(IndexDamaged, match=rf"newer xsearch \(format {FORMAT + 1}\).*reads {FORMAT}: upgrade"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b'{"format": "1"}', b'{"format": 1}', b"\xff\xfe{}"])
def test_other_files_of_that_name(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"manifest\.json"):
        read_manifest(tmp_path)


def test_cut_short_anywhere(tmp_path):
    write_manifest(DiskFiles(), tmp_path, manifest())
    whole = (tmp_path / MANIFEST).read_bytes()
    for length in range(len(whole)):
        with pytest.raises(IndexDamaged):
            parse_manifest(whole[:length], tmp_path)


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed(tmp_path_factory, at, flip):
    folder = tmp_path_factory.getbasetemp() / "flipped"
    folder.mkdir(exist_ok=True)
    if not (folder / MANIFEST).exists():
        write_manifest(DiskFiles(), folder, manifest())
    content = bytearray((folder / MANIFEST).read_bytes())
    content[at % len(content)] ^= flip
    try:
        found = parse_manifest(bytes(content), folder)
    except IndexDamaged:
        return
    # Only white space between tokens may change without changing the manifest.
    assert found == manifest()


def test_an_unknown_field_is_damage(tmp_path):
    write_manifest(DiskFiles(), tmp_path, manifest())
    fields = json.loads((tmp_path / MANIFEST).read_bytes())
    fields["more"] = 1
    (tmp_path / MANIFEST).write_text(json.dumps(fields))
    with pytest.raises(IndexDamaged, match="altered"):
        read_manifest(tmp_path)


def test_a_commit_cut_off_anywhere_is_the_old_one_or_the_new_one(tmp_path):
    old, new = manifest(), manifest(commit=8, documents=6)
    crash_at, done, seen = 0, False, set()
    while not done:
        for seed in [None, *range(20)]:
            folder = tmp_path / f"{crash_at}-{seed}"
            folder.mkdir()
            write_manifest(DiskFiles(), folder, old)
            files = LossyFiles(crash_at)
            try:
                write_manifest(files, folder, new)
                done = True
            except Crash:
                pass
            files.power_cut(seed)
            found = read_manifest(folder)
            assert found in (old, new)
            assert found == new or not done
            seen.add(found.commit)
        crash_at += 1
    assert seen == {7, 8}


def test_a_disk_that_does_not_sync_loses_a_commit_and_it_shows(tmp_path):
    write_manifest(DiskFiles(), tmp_path, manifest())
    files = ForgetfulFiles()
    write_manifest(files, tmp_path, manifest(commit=8))
    files.power_cut()
    with pytest.raises(IndexDamaged):
        read_manifest(tmp_path)
