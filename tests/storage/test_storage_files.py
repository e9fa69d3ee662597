"""The file layer: what `durable_write` promises, on a disk that forgets, is full, or refuses."""

import os
from pathlib import Path

import pytest
from doubles.lossy_files import ForgetfulFiles, LossyFiles, NamelessFiles

from xsearch.core import CannotWrite
from xsearch.storage import DiskFiles, durable_write, failpoints, remove_folder

OLD, NEW = b"old" * 100, b"new, and longer" * 100


def test_write_takes_bytes_and_chunks(tmp_path):
    files = DiskFiles()
    durable_write(files, tmp_path / "a", b"abc")
    durable_write(files, tmp_path / "b", (piece for piece in [b"a", memoryview(b"b"), b"c"]))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"abc"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_remove_folder_and_absent_files(tmp_path):
    files = DiskFiles()
    files.make_folder(tmp_path / "x" / "y")
    files.make_folder(tmp_path / "x" / "y")
    files.write(tmp_path / "x" / "y" / "f", b"1")
    files.write(tmp_path / "x" / "g", b"2")
    files.remove(tmp_path / "x" / "absent")
    remove_folder(files, tmp_path / "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("seed", [None, *range(40)])
def test_a_write_that_returned_survives_a_power_cut(tmp_path, seed):
    files = LossyFiles()
    path = tmp_path / "f"
    path.write_bytes(OLD)
    durable_write(files, path, NEW)
    files.power_cut(seed)
    assert path.read_bytes() == NEW


def test_at_a_power_cut_between_any_two_steps_the_file_is_old_or_new(tmp_path):
    steps = _steps(tmp_path / "count")
    assert steps >= 4
    seen = set()
    for crash_at in range(steps):
        for seed in [None, *range(30)]:
            path = tmp_path / f"f-{crash_at}-{seed}"
            path.write_bytes(OLD)
            files = LossyFiles(crash_at)
            with pytest.raises(failpoints.Crash):
                durable_write(files, path, NEW)
            files.power_cut(seed)
            content = path.read_bytes()
            assert content in (OLD, NEW)
            seen.add(content)
    assert seen == {OLD, NEW}


@pytest.mark.parametrize("mutant", [ForgetfulFiles, NamelessFiles])
def test_without_a_sync_the_loss_shows(tmp_path, mutant):
    lost = 0
    for seed in [None, *range(20)]:
        path = tmp_path / f"f-{seed}"
        path.write_bytes(OLD)
        files = mutant()
        durable_write(files, path, NEW)
        files.power_cut(seed)
        lost += path.read_bytes() != NEW
    assert lost > 5


def test_a_new_name_is_lost_without_its_folder_synced(tmp_path):
    files = NamelessFiles()
    durable_write(files, tmp_path / "f", NEW)
    files.power_cut()
    assert not (tmp_path / "f").exists()


def test_a_removal_that_was_not_synced_may_come_back(tmp_path):
    (tmp_path / "f").write_bytes(OLD)
    files = LossyFiles()
    files.remove(tmp_path / "f")
    files.power_cut()
    assert (tmp_path / "f").read_bytes() == OLD
    files = LossyFiles()
    files.remove(tmp_path / "f")
    files.sync_folder(tmp_path)
    files.power_cut()
    assert not (tmp_path / "f").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_reported_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(OLD)
    (tmp_path / "f.new").symlink_to("/dev/full")
    with pytest.raises(CannotWrite, match="disk is full") as caught:
        durable_write(DiskFiles(), path, NEW)
    assert caught.value.exit_code == 4
    assert str(tmp_path) in str(caught.value)
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["f"]


def test_other_errors_pass(tmp_path):
    with pytest.raises(FileNotFoundError):
        durable_write(DiskFiles(), tmp_path / "absent" / "f", NEW)


@pytest.mark.parametrize("point", [name for name in failpoints.POINTS if name.startswith("storage.write.")])
def test_a_crash_at_each_point_of_a_write_leaves_old_or_new(tmp_path, point):
    path = tmp_path / "f"
    path.write_bytes(OLD)
    with pytest.raises(failpoints.Crash), failpoints.armed(point, failpoints.crash):
        durable_write(DiskFiles(), path, NEW)
    assert path.read_bytes() == (NEW if point == "storage.write.replaced" else OLD)
    durable_write(DiskFiles(), path, NEW)
    assert os.listdir(tmp_path) == ["f"]
    assert path.read_bytes() == NEW


def _steps(path):
    files = LossyFiles()
    durable_write(files, path, NEW)
    return files.operations
