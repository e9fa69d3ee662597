"""The write lock names its holder and dies with it."""

import os
import signal
import subprocess
import sys

import pytest

from xsearch.core import CannotWrite, IndexLocked
from xsearch.storage import GenerationHold, in_use, write_lock, writer_of

HOLD = """
import sys, time
from pathlib import Path
from xsearch.storage import write_lock
with write_lock(Path(sys.argv[1]), "xsearch index ./docs", "2026-01-02T03:04:05+00:00"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_only_one_in_a_process(tmp_path):
    with (
        write_lock(tmp_path, "first", "now"),
        pytest.raises(IndexLocked, match=rf"process {os.getpid()} .*`first`, since now"),
        write_lock(tmp_path, "second", "later"),
    ):
        pass
    with write_lock(tmp_path, "third", "later"):
        assert writer_of(tmp_path).command == "third"
    assert writer_of(tmp_path) is None


def test_released_when_the_block_raises(tmp_path):
    with pytest.raises(KeyError), write_lock(tmp_path, "a", "now"):
        raise KeyError
    with write_lock(tmp_path, "b", "now"):
        pass


def test_another_process_is_named_and_its_death_frees_the_lock(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(IndexLocked) as caught, write_lock(tmp_path, "mine", "now"):
        pass
    message = str(caught.value)
    assert f"process {process.pid} on {os.uname().nodename}" in message
    assert "`xsearch index ./docs`, since 2026-01-02T03:04:05+00:00" in message
    assert caught.value.exit_code == 4
    assert writer_of(tmp_path).pid == process.pid
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    # What the dead wrote is still there, and holds nobody up.
    assert b"xsearch index ./docs" in (tmp_path / "LOCK").read_bytes()
    assert writer_of(tmp_path) is None
    with write_lock(tmp_path, "mine", "now"):
        assert writer_of(tmp_path).pid == os.getpid()


@pytest.mark.parametrize("content", [b"", b"rubbish", b'{"pid": "x"}', b"\xff" * 5000])
def test_what_the_file_says_does_not_matter(tmp_path, content):
    (tmp_path / "LOCK").write_bytes(content)
    with write_lock(tmp_path, "mine", "now"):
        (tmp_path / "LOCK").write_bytes(content)
        with pytest.raises(IndexLocked, match="being written by another process"), write_lock(tmp_path, "b", "now"):
            pass


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError), write_lock(tmp_path / "absent", "a", "now"):
        pass
    (tmp_path / "LOCK").mkdir()
    with pytest.raises((CannotWrite, IsADirectoryError)), write_lock(tmp_path, "a", "now"):
        pass


def test_generations_are_in_use_while_any_reader_holds_them(tmp_path):
    first, second = GenerationHold(tmp_path), GenerationHold(tmp_path)
    first.close()
    first.close()
    assert in_use(tmp_path)
    second.close()
    assert not in_use(tmp_path)
    assert os.listdir(tmp_path) == []
