"""Vectors kept as floats and signs: scores against plain products, segments, masks, damage; the same as int8's life."""

from __future__ import annotations

import numpy as np
import pytest
from retrieve_oracles import unit, vector_batch, vector_query

from xsearch.core import EncoderMismatch, IndexDamaged
from xsearch.retrieve import Dense, DenseWriter
from xsearch.retrieve.stored import KINDS, stored_as
from xsearch.storage import DiskFiles

DIM = 20
TOLERANCE = {"fp32": 1e-6, "fp16": 1e-3, "int8": 2e-2, "binary": 1e-6}


def build(folder, kind, vectors, owners, langs, commits=3):
    state, before = {"codes": kind}, 0
    for numbers in np.array_split(np.arange(len(langs)), commits):
        inside = np.isin(owners, numbers)
        writer = DenseWriter(folder, state, high_water=before, files=DiskFiles())
        writer.add(vector_batch(numbers, [langs[n] for n in numbers], vectors[inside], owners[inside]))
        state, before = writer.flush(), int(numbers[-1]) + 1
        writer.close()
    return state


def collection(rng, passages=90):
    owners = np.repeat(np.arange(passages), rng.integers(1, 4, passages))
    return unit(rng.standard_normal((len(owners), DIM))), owners, rng.choice(["de", "en"], passages).tolist()


def exact(kind, vectors, query):
    """What the rows say: of a row of signs, the cosine with the vector of those signs."""
    kept = {"binary": np.where(vectors >= 0, 1, -1) / np.sqrt(DIM), "fp16": vectors.astype(np.float16)}
    return kept.get(kind, vectors).astype(np.float64) @ query.astype(np.float64)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("commits", [1, 11])
def test_scores_and_order(tmp_path, kind, commits):
    rng = np.random.default_rng(commits)
    vectors, owners, langs = collection(rng)
    state = build(tmp_path, kind, vectors, owners, langs, commits)
    reader = Dense(tmp_path, state)
    allowed = rng.random(len(langs)) < 0.4
    for query in unit(rng.standard_normal((8, DIM))):
        best = np.full(len(langs), -9.0)
        np.maximum.at(best, owners, exact(kind, vectors, query))
        for mask in (None, allowed):
            ranking = reader.search(vector_query(query), 7, mask)
            np.testing.assert_allclose(ranking.scores, best[ranking.passages], atol=TOLERANCE[kind])
            for lang in ("de", "en"):
                inside = np.array([spoken == lang for spoken in langs]) & (mask if mask is not None else True)
                found = [p for p in ranking.passages.tolist() if langs[p] == lang]
                assert len(found) == min(7, inside.sum())
                assert best[found].min() >= np.sort(best[inside])[-len(found)] - TOLERANCE[kind]
    assert len(reader.search(vector_query(np.zeros(DIM, np.float32)), 5)) == 0


@pytest.mark.parametrize("kind", ["fp32", "fp16", "binary"])
def test_bytes_on_disk_and_damage(tmp_path, kind):
    rng = np.random.default_rng(3)
    vectors, owners, langs = collection(rng)
    state = build(tmp_path, kind, vectors, owners, langs, 1)
    assert state["codes"] == kind
    files = [tmp_path / name for name in state["files"] if "vectors" in name or "signs" in name]
    width = {"fp32": 4 * DIM, "fp16": 2 * DIM, "binary": 3}[kind]
    assert sum(path.stat().st_size for path in files) == width * len(owners) + 128 * len(files)
    files[0].write_bytes(files[0].read_bytes()[:-1])
    with pytest.raises(IndexDamaged, match="repair"):
        Dense(tmp_path, state)
    files[0].unlink()
    with pytest.raises(IndexDamaged, match="repair"):
        Dense(tmp_path, state)


def test_other_dimensions_and_kinds_are_refused(tmp_path):
    rng = np.random.default_rng(4)
    state = build(tmp_path, "fp16", *collection(rng), 1)
    writer = DenseWriter(tmp_path, state, high_water=90, files=DiskFiles())
    with pytest.raises(EncoderMismatch, match="components"):
        writer.add(vector_batch([90], ["en"], unit(rng.standard_normal((1, DIM + 1))), [90]))
    with pytest.raises(ValueError, match="finite"):
        writer.add(vector_batch([91], ["en"], np.full((1, DIM), np.nan, np.float32), [91]))
    with pytest.raises(IndexDamaged, match="int4"):
        stored_as({"dim": 3, "codes": "int4"})
    assert stored_as({}) is None
