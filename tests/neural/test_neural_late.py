"""Late interaction over token vectors on a device of torch: here the CPU, where no GPU is needed to test it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'xsearch-clir[neural]'")

import torch

from xsearch.core import IndexDamaged, PassageBatch, Query, TokenVectors
from xsearch.retrieve.colbert import Colbert, ColbertWriter, device, reader, writer
from xsearch.storage import DiskFiles

pytestmark = pytest.mark.neural

DIM = 20


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=[1, 2, 4, 8])
def index(request, tmp_path, monkeypatch):
    """An index of 600 passages with so many bits a component."""
    monkeypatch.setattr(writer, "TRAINED_FROM", 10**9 if request.param == 8 else 500)
    rng = np.random.default_rng(request.param)
    counts = rng.integers(1, 9, 600)
    starts = np.concatenate(([0], np.cumsum(counts)))
    vectors = unit(rng.standard_normal((30, DIM))[rng.integers(0, 30, starts[-1])] + rng.random((starts[-1], DIM)))
    made = ColbertWriter(tmp_path, {"bits": min(request.param, 4)}, high_water=0, files=DiskFiles())
    made.add(PassageBatch(np.arange(600), ["en", "de"] * 300, (), (), token_vectors=TokenVectors(vectors, starts)))
    return tmp_path, made.flush()


def test_a_device_scores_as_numpy_does_to_the_bit(index, monkeypatch):
    folder, state = index
    monkeypatch.setattr(reader, "RESCORED", 100)
    monkeypatch.setattr(reader, "EXHAUSTIVE", 50)
    by_numpy = Colbert(folder, state)
    on_device = Colbert(folder, state, device="device")
    monkeypatch.setattr(reader, "gpu", lambda name: "cpu" if name == "device" else None)
    for size in (1, 5, 32):
        query = Query("", (), vectors={"colbert": unit(np.random.default_rng(size).standard_normal((size, DIM)))})
        expected, found = by_numpy.search(query, 20), on_device.search(query, 20)
        np.testing.assert_array_equal(found.passages, expected.passages)
        np.testing.assert_array_equal(found.scores, expected.scores)
        assert found.background == expected.background
    assert by_numpy._prepared.device is None
    assert on_device._prepared.device is not None


def test_a_device_is_not_asked_for_a_centroid_that_there_is_not(index, monkeypatch):
    folder, state = index
    if not state["trained"]:
        pytest.skip("kept whole: there are no centroids")
    monkeypatch.setattr(reader, "gpu", lambda name: "cpu")
    opened = Colbert(folder, state)
    query = Query("", (), vectors={"colbert": unit(np.ones((2, DIM)))})
    opened.search(query, 5)
    for segments in opened._prepared.segments.values():
        for segment in segments:
            object.__setattr__(segment.tokens, "cells", np.full(len(segment.tokens), 60_000))
    with pytest.raises(IndexDamaged, match="check --repair"):
        opened.search(query, 5)


def test_which_device(monkeypatch):
    assert device.gpu("cpu") is None
    assert device.gpu("cuda:1,cuda:0") == "cuda:1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.gpu("auto") == "cuda"
    monkeypatch.delitem(sys.modules, "torch")
    assert device.gpu("auto") is None
