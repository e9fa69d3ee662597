"""Liveness against a plain list of bools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import IndexDamaged
from xsearch.storage import DiskFiles, Liveness, live_name


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 20), st.lists(st.integers(0, 60))), max_size=6))
def test_changes_are_those_of_a_list(steps):
    live, expected = Liveness.empty(), []
    for grown, dead in steps:
        expected += [True] * grown
        dead = [number for number in dead if number < len(expected)]
        for number in dead:
            expected[number] = False
        live = live.changed(len(expected), np.array(dead, np.int64))
        assert live.mask().tolist() == expected
        assert (live.high_water, live.count) == (len(expected), sum(expected))
        assert live.mask().dtype == np.bool_


def test_the_file_is_as_documented(tmp_path):
    path = tmp_path / live_name(7)
    live = Liveness.of(np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 1], np.bool_))
    live.write(DiskFiles(), path)
    content = path.read_bytes()
    assert path.name == "live-000007.bits"
    assert content[:8] == b"XSLIVE\0\1"
    assert content[8:24] == (10).to_bytes(8, "little") + (3).to_bytes(8, "little")
    assert content[28:] == bytes([0, 0, 0, 0, 0b1, 0b11])
    again = Liveness.open(path)
    assert (again.mask().tolist(), again.count, again.high_water) == (live.mask().tolist(), 3, 10)


@pytest.mark.parametrize("numbers", [0, 1, 8, 9, 1000])
def test_every_damage_is_noticed(tmp_path, numbers):
    path = tmp_path / "live"
    Liveness.of(np.random.default_rng(0).random(numbers) < 0.5).write(DiskFiles(), path)
    whole = path.read_bytes()
    assert Liveness.open(path).high_water == numbers
    for damaged in (
        *(whole[:length] for length in range(len(whole))),
        *(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole)) if not 28 <= at < 32),
        whole + b"\0",
    ):
        path.write_bytes(damaged)
        with pytest.raises(IndexDamaged):
            Liveness.open(path)
    path.unlink()
    with pytest.raises(IndexDamaged):
        Liveness.open(path)


def test_a_mask_is_the_callers_own():
    live = Liveness.of(np.ones(5, np.bool_))
    live.mask()[:] = False
    assert live.mask().all()
