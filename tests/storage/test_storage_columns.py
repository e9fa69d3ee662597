"""Passage columns against a dict, through commits, merges and compaction."""

import itertools
import math

import numpy as np
import pytest
from doubles.lossy_files import LossyFiles
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import IndexDamaged
from xsearch.storage import DiskFiles, PassageColumns, append_columns, column_files
from xsearch.storage.columns import GROWTH

CODES = ("de", "fa", "zh")


def append(folder, state, commit, passages, rng, expected, files=None):
    documents = rng.integers(0, 1 << 40, len(passages))
    languages = rng.integers(0, len(CODES), len(passages)).astype(np.uint16)
    expected.update(zip(passages, zip(documents.tolist(), languages.tolist(), strict=True), strict=True))
    numbers = np.array(passages, np.int64)
    return append_columns(files or DiskFiles(), folder, state, commit, numbers, documents, languages)


def check(columns, expected, high_water):
    everything = np.arange(-2, high_water + 3)
    holes = (-1, 0)
    wanted = [expected.get(number, holes) for number in everything.tolist()]
    assert columns.document_of(everything).tolist() == [document for document, _ in wanted]
    assert columns.language_of(everything).tolist() == [language for _, language in wanted]
    assert columns.documents.tolist() == [document for document, _ in wanted[2:-3]]
    assert columns.languages.tolist() == [language for _, language in wanted[2:-3]]
    assert columns.document_of(everything[::-1])[0] == -1
    assert (columns.documents.dtype, columns.languages.dtype) == (np.int64, np.uint16)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_commits_and_merges(tmp_path_factory, sizes, seed):
    folder = tmp_path_factory.mktemp("columns")
    rng, expected, state, end = np.random.default_rng(seed), {}, {}, 0
    for commit, size in enumerate(sizes):
        before = PassageColumns.open(folder, state, CODES, end)
        known = dict(expected)
        state = append(folder, state, commit, range(end, end + size), rng, expected, LossyFiles())
        check(before, known, end)
        end += size
        check(PassageColumns.open(folder, state, CODES, end), expected, end)
        counts = [segment["count"] for segment in state["segments"]]
        assert all(earlier >= GROWTH * later for earlier, later in itertools.pairwise(counts))
        assert len(counts) <= 1 + math.log(end + 1, GROWTH)


def test_compaction_leaves_holes(tmp_path):
    rng, expected = np.random.default_rng(0), {}
    state = append(tmp_path, {}, 1, [3, 4, 9], rng, expected)
    check(PassageColumns.open(tmp_path, state, CODES, 12), expected, 12)
    state = append(tmp_path, state, 2, [15, 17], rng, expected)
    check(PassageColumns.open(tmp_path, state, CODES, 20), expected, 20)
    check(PassageColumns.open(tmp_path, {}, CODES, 0), {}, 0)
    check(PassageColumns.open(tmp_path, {}, CODES, 5), {}, 5)


def test_one_segment_is_mapped_not_copied(tmp_path):
    state = append(tmp_path, {}, 1, range(100), np.random.default_rng(0), {})
    columns = PassageColumns.open(tmp_path, state, CODES, 100)
    assert not columns.documents.flags.writeable
    assert not columns.languages.flags.writeable


def test_the_file_is_as_documented(tmp_path):
    state = append_columns(
        DiskFiles(), tmp_path, {}, 7, np.array([5, 6]), np.array([258, 3]), np.array([1, 513], np.uint16)
    )
    assert column_files(state) == ["columns-000007.col"]
    content = (tmp_path / "columns-000007.col").read_bytes()
    little = [content[at : at + 8] for at in (8, 16, 32, 40)]
    assert content[:8] == b"XSCOLS\0\1"
    assert [int.from_bytes(number, "little") for number in little] == [5, 2, 258, 3]
    assert content[24:32] == bytes(8)
    assert content[48:] == bytes([1, 0, 1, 2])


def test_numbers_only_grow(tmp_path):
    state = append(tmp_path, {}, 1, range(5), np.random.default_rng(0), {})
    with pytest.raises(ValueError, match="passage 4"):
        append(tmp_path, state, 2, range(4, 6), np.random.default_rng(0), {})


def test_damage_is_noticed(tmp_path):
    state = append(tmp_path, {}, 1, range(5), np.random.default_rng(0), {})
    (name,) = column_files(state)
    whole = (tmp_path / name).read_bytes()
    for damaged in (b"", whole[:-1], whole + b"\0", b"Y" + whole[1:], whole[:8] + b"\1" + whole[9:]):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(IndexDamaged, match=name):
            PassageColumns.open(tmp_path, state, CODES, 5)
    (tmp_path / name).unlink()
    with pytest.raises(IndexDamaged, match=name):
        PassageColumns.open(tmp_path, state, CODES, 5)
