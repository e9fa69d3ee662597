"""The index of token vectors through commits: snapshots, power cuts, crashes, damaged files."""

from __future__ import annotations

import os

import numpy as np
import pytest
from colbert_oracles import DIM, batches_of, build, question, topics
from retrieve_oracles import RecordedFiles, fingerprint, unit

from xsearch.core import IndexDamaged
from xsearch.core.extras import have
from xsearch.retrieve import Colbert, ColbertWriter
from xsearch.retrieve.colbert import reader, writer
from xsearch.storage import DiskFiles
from xsearch.storage.failpoints import Crash


def test_commits_do_not_show_before_there_is_a_codebook(tmp_path):
    rng = np.random.default_rng(8)
    batches = batches_of(rng, 300, 30, topics(rng))
    many = build(tmp_path / "many", batches)
    assert max(len(entries) for entries in many["languages"].values()) <= writer.MAX_SEGMENTS
    made = ColbertWriter(tmp_path / "one", {}, high_water=0, files=DiskFiles())
    for batch in batches:
        made.add(batch)
    one = made.flush()
    for asked in unit(rng.standard_normal((12, DIM))).reshape(3, 4, DIM):
        left, right = (
            Colbert(tmp_path / name, state).search(question(asked), 25)
            for name, state in (("many", many), ("one", one))
        )
        assert np.array_equal(left.passages, right.passages)
        assert np.array_equal(left.scores, right.scores)
        assert dict(left.background) == dict(right.background)


def test_segments_written_ahead_of_the_flush_are_encoded_too(tmp_path, small, monkeypatch):
    rng = np.random.default_rng(4)
    batches = batches_of(rng, 400, 8, topics(rng))
    states = {}
    for name, size in (("early", 3000), ("late", 1 << 28)):
        monkeypatch.setattr(writer, "BUFFER_BYTES", size)
        made = ColbertWriter(tmp_path / name, {}, high_water=0, files=DiskFiles())
        for batch in batches:
            made.add(batch)
        assert any((tmp_path / name).rglob("*.whole")) == (name == "early")
        states[name] = made.flush()
        assert states[name]["trained"]
        assert not any(file.endswith(".whole") for file in states[name]["files"])
    asked = unit(rng.standard_normal((5, DIM)))
    left, right = (Colbert(tmp_path / name, state).search(question(asked), 400) for name, state in states.items())
    assert np.array_equal(left.passages, right.passages)
    assert np.array_equal(left.scores, right.scores)


def test_a_reader_keeps_its_snapshot_and_writes_nothing(tmp_path, small):
    rng = np.random.default_rng(9)
    batches = batches_of(rng, 400, 12, topics(rng))
    state = build(tmp_path, batches[:2])
    before, asked = fingerprint(tmp_path), question(unit(rng.standard_normal((4, DIM))))
    early = Colbert(tmp_path, state)
    expected = early.search(asked, 20)
    assert fingerprint(tmp_path) == before
    later = build(tmp_path, batches[2:], state, high_water=int(batches[2].numbers[0]))
    for name in set(state["files"]) - set(later["files"]):
        os.unlink(tmp_path / name)
    again = early.search(asked, 20)
    assert np.array_equal(again.passages, expected.passages)
    assert np.array_equal(again.scores, expected.scores)


def test_every_flushed_file_survives_a_power_cut(tmp_path, small):
    files = RecordedFiles()
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 200, 10, topics(rng)), files=files)
    assert state["trained"]
    assert files.unsafe(tmp_path, state["files"]) == []


POINTS = tuple(
    f"retrieve.colbert.{step}"
    for step in ("flush.before", "flush.trained", "write.before", "write.after", "flush.merged", "flush.after")
)


@pytest.mark.parametrize("point", POINTS)
def test_what_a_crash_left_is_dropped(tmp_path, small, monkeypatch, point):
    rng = np.random.default_rng(10)
    batches = batches_of(rng, 240, 12, topics(rng))
    at = 8 if point.endswith("merged") else 1
    state = build(tmp_path, batches[:at])
    asked = question(unit(rng.standard_normal((4, DIM))))
    expected = Colbert(tmp_path, state).search(asked, 50)
    reached = []

    def crash(name):
        reached.append(name)
        if name == point:
            raise Crash

    made = ColbertWriter(tmp_path, state, high_water=20 * at, files=DiskFiles())
    if point.endswith("trained"):
        monkeypatch.setattr(writer, "TRAINED_FROM", 50)
    made.add(batches[at])
    monkeypatch.setattr(writer, "reach", crash)
    with pytest.raises(Crash):
        made.flush()
    assert reached[-1] == point
    monkeypatch.setattr(writer, "reach", lambda name: None)
    found = Colbert(tmp_path, state).search(asked, 50)
    assert np.array_equal(found.scores, expected.scores)
    whole = build(tmp_path, batches[at:], state, high_water=20 * at)
    assert len(Colbert(tmp_path, whole).search(asked, 1000)) == 240


@pytest.mark.parametrize("ending", ["codebook", "tokens", "whole"])
@pytest.mark.parametrize("harm", ["remove", "truncate", "lengthen", "swap"])
def test_missing_or_altered_files_are_damage(tmp_path, monkeypatch, ending, harm):
    monkeypatch.setattr(writer, "TRAINED_FROM", 10**9 if ending == "whole" else 100)
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 90, 2, topics(rng), langs=("en",)))
    victims = [tmp_path / name for name in state["files"] if name.endswith(ending)]
    if harm == "remove":
        victims[0].unlink()
    elif harm == "truncate":
        os.truncate(victims[0], victims[0].stat().st_size - 8)
    elif harm == "lengthen":
        victims[0].write_bytes(victims[0].read_bytes() + bytes(8))
    else:
        other = victims[1] if len(victims) > 1 else next(tmp_path.rglob("*.tokens"))
        victims[0].write_bytes(other.read_bytes())
    with pytest.raises(IndexDamaged, match=r"check --repair"):
        Colbert(tmp_path, state)


def test_a_codebook_of_another_version_is_named_as_such(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "TRAINED_FROM", 100)
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 90, 1, topics(rng), langs=("en",)))
    path = next(tmp_path.glob("*.codebook"))
    content = path.read_bytes()
    path.write_bytes(content[:7] + b"\x01" + content[8:])
    with pytest.raises(IndexDamaged, match="another version of xsearch: run `xsearch compact`"):
        Colbert(tmp_path, state)


@pytest.mark.parametrize("compiled", [True, False])
def test_codes_that_point_nowhere_are_damage(tmp_path, small, monkeypatch, compiled):
    if compiled and not have("numba"):
        pytest.skip("numba is not installed")
    monkeypatch.setattr(reader, "COMPILED", 0 if compiled else 10**9)
    rng = np.random.default_rng(1)
    state = build(tmp_path, batches_of(rng, 300, 1, topics(rng), langs=("en",)))
    path = next(tmp_path.rglob("*.tokens"))
    content = bytearray(path.read_bytes())
    n, t, w = np.frombuffer(content[8:32], "<i8").tolist()
    cells = 64 + 8 * (2 * n + 1) + -(-t * w // 8) * 8
    content[cells : cells + 2 * t] = b"\xff" * (2 * t)
    path.write_bytes(content)
    with pytest.raises(IndexDamaged, match="check --repair"):
        Colbert(tmp_path, state).search(question(unit(rng.standard_normal((2, DIM)))), 5)
