"""Processes killed in the middle of writing; what is left, recovered, is what a manifest named."""

import signal
import time

import pytest
from doubles.store_writer import batch, doomed, model, spawn, write_commits

from xsearch.storage import DiskFiles, Liveness, Store, StoreReader, copy_live, failpoints, live_name
from xsearch.storage.rows import store_problems


def check(path, commit):
    """The store at `path` is, after recovery, what the model has at `commit`, and goes on from there."""
    alive, high_water = model(commit)
    reader = StoreReader(path, commit)
    assert {one.id: (one.number, one.first, one.text, len(one.spans)) for one in reader.documents()} == alive
    reader.close()
    store = Store.open(path)
    store.recover(commit, high_water)
    store.add(batch(commit + 1), commit + 1)
    store.remove(doomed(commit + 1), commit + 1)
    store.commit(commit + 1)
    store.close()
    later, _ = model(commit + 1)
    reader = StoreReader(path, commit + 1)
    assert {one.id: (one.number, one.first, one.text, len(one.spans)) for one in reader.documents()} == later
    reader.close()
    assert store_problems(path, commit + 1) == []


@pytest.fixture
def path(tmp_path):
    Store.create(tmp_path / "store.db").close()
    return tmp_path / "store.db"


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.04])
def test_a_process_killed_at_any_time(path, delay):
    process = spawn(path, "write_commits(path, 1, 1000)")
    committed = 0
    while committed < 3:
        committed = int(process.stdout.readline())
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    check(path, int(rest[-1]) if rest else committed)


POINTS = [name for name in failpoints.POINTS if name.startswith("storage.") and "write" not in name]


@pytest.mark.parametrize("point", [name for name in POINTS if "copy" not in name])
def test_a_process_killed_at_each_point(path, point):
    body = f"""
    write_commits(path, 1, 2)
    failpoints.arm({point!r}, failpoints.kill)
    store = Store.open(path)
    store.recover(2, model(2)[1])
    write_commits(path, 3, 3)
    """
    process = spawn(path, body)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert output.split() == ["1", "2"]
    check(path, 2)


@pytest.mark.parametrize("point", [name for name in POINTS if "copy" in name])
def test_a_compaction_cut_off_leaves_the_old_store_and_can_run_again(path, point):
    write_commits(path, 1, 3)
    target = path.with_name("next.db")
    with pytest.raises(failpoints.Crash), failpoints.armed(point, failpoints.crash):
        copy_live(path, target, 3, model(3)[1], DiskFiles())
    copy_live(path, target, 3, model(3)[1], DiskFiles())
    check(target, 3)
    check(path, 3)


def test_killed_while_recovering(path):
    body = """
    write_commits(path, 1, 3)
    failpoints.arm("storage.recover.after", failpoints.kill)
    Store.open(path).recover(1, model(1)[1])
    """
    process = spawn(path, body)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    check(path, 1)


def test_a_disk_that_fills_up_fails_the_commit_and_keeps_what_was(path):
    body = """
    import resource
    from xsearch.core import CannotWrite
    write_commits(path, 1, 2)
    size = os.path.getsize(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, -1))
    store = Store.open(path)
    store.recover(2, model(2)[1])
    noise = [NewDocument(Document(str(i), os.urandom(50_000).hex()), []) for i in range(50)]
    for _ in range(2):
        try:
            store.add(noise, 3)
            store.commit(3)
        except CannotWrite as error:
            print(error)
    store.close()
    """
    output, _ = spawn(path, body).communicate(timeout=60)
    _, _, first, second = output.splitlines()
    assert f"cannot write {path}" in first
    assert "what was committed before is unharmed" in first
    assert "an earlier change failed" in second
    check(path, 2)


def test_liveness_follows_the_store(path, tmp_path):
    """The engine's bookkeeping over commits: liveness from what add and remove say is what the store holds alive."""
    store, live = Store.open(path), Liveness.empty()
    for commit in range(1, 6):
        added = store.add(batch(commit), commit)
        removed = store.remove(doomed(commit), commit)
        store.commit(commit)
        live = live.changed(model(commit)[1], [*added.dead, *removed.dead])
        live.write(DiskFiles(), tmp_path / live_name(commit))
        reader = StoreReader(path, commit)
        expected = {n for _, first, passages in reader.places() for n in range(first, first + passages)}
        reader.close()
        assert set(live.mask().nonzero()[0].tolist()) == expected
        assert live.count == len(expected)
    store.close()
