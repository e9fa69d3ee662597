"""Vectors on GPUs, with a stand-in for FAISS's GPU build that keeps its indexes in this machine's memory: which device
is chosen, what is asked of FAISS, that answers are the processor's, what happens where there is no room or no GPU."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from retrieve_oracles import unit, vector_batch, vector_query

from xsearch.core import UsageError
from xsearch.retrieve import Dense, DenseWriter, windows
from xsearch.retrieve import dense as module
from xsearch.retrieve.gpu import STRUCTURES, gpus
from xsearch.storage import DiskFiles

faiss = pytest.importorskip("faiss")
DIM = 32


class Gpus:
    """FAISS as its GPU build shows itself. room: vectors that one GPU holds."""

    StandardGpuResources = SimpleNamespace
    GpuMultipleClonerOptions = SimpleNamespace
    GpuIndexCagraConfig = SimpleNamespace

    def __init__(self, count: int, room: int = 10**9) -> None:
        self.count, self.room = count, room
        self.moved: list[tuple[list[int], bool]] = []
        self.made: list[str] = []

    def __getattr__(self, name):
        return getattr(faiss, name)

    def get_num_gpus(self):
        return self.count

    def index_factory(self, dim, description, metric):
        """Without the product quantiser, which takes seconds to learn."""
        self.made.append(description)
        return faiss.index_factory(dim, description.split(",")[0] + ",Flat", metric)

    def index_cpu_to_gpus_list(self, index, options, numbers):
        assert options.useFloat16
        self.moved.append((numbers, options.shard))
        if index.ntotal > self.room * len(numbers):
            raise RuntimeError("Error in StandardGpuResources: cudaMalloc error out of memory\nat line 1")
        return index

    def GpuIndexCagra(self, resources, dim, metric, config):
        """A graph that takes all vectors at once."""
        flat = faiss.IndexFlat(dim, metric)
        return SimpleNamespace(train=flat.add, search=flat.search, device=config.device)


@pytest.fixture
def collection(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FAISS_WINDOWS", 0)
    monkeypatch.setattr(module, "FROM_WINDOWS", 500)
    monkeypatch.setattr(windows, "SCAN_COST", 4)
    # Learning inverted lists in several threads on a busy machine is mostly waiting.
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield _written(tmp_path)
    faiss.omp_set_num_threads(before)


def _written(tmp_path):
    rng = np.random.default_rng(1)
    owners = np.repeat(np.arange(2000), rng.integers(1, 3, 2000))
    vectors = unit(rng.standard_normal((len(owners), DIM)))
    langs = ["de"] * 1500 + ["fa"] * 500
    writer = DenseWriter(tmp_path, {"search": "exact"}, high_water=0, files=DiskFiles())
    writer.add(vector_batch(np.arange(2000), langs, vectors, owners))
    state = writer.flush()
    del state["search"]
    return tmp_path, state


def asked(seed=2, count=20):
    return [vector_query(vector) for vector in unit(np.random.default_rng(seed).standard_normal((count, DIM)))]


def use(monkeypatch, stand_in):
    monkeypatch.setattr(module, "need_faiss", lambda: stand_in)


@pytest.mark.parametrize(
    ("device", "count", "chosen"),
    [
        ("auto", 0, ()),
        ("auto", 2, (0, 1)),
        ("cpu", 2, ()),
        ("mps", 2, ()),
        ("cuda", 2, (0,)),
        ("cuda:1", 2, (1,)),
        ("cuda:1, cuda:0", 2, (1, 0)),
    ],
)
def test_which_gpus(device, count, chosen):
    assert gpus(Gpus(count), device) == chosen


def test_no_gpu_is_said_and_a_missing_one_refused(caplog):
    with caplog.at_level(logging.WARNING):
        assert gpus(faiss, "auto") == ()
        assert not caplog.records
        assert gpus(faiss, "cuda") == ()
        assert gpus(Gpus(0), "cuda") == ()
    assert "the processor searches" in caplog.text
    with pytest.raises(UsageError, match=r"cuda:2.*finds 2"):
        gpus(Gpus(2), "cuda:2")


@pytest.mark.parametrize("kind", list(STRUCTURES))
def test_answers_are_the_processors(collection, monkeypatch, kind):
    folder, state = collection
    exact = Dense(folder, state, device="cpu")
    stand_in = Gpus(1)
    use(monkeypatch, stand_in)
    reader = Dense(folder, state, device="cuda", gpu=kind)
    allowed = np.random.default_rng(3).random(2000) < 0.5
    shared = []
    for query in asked():
        for mask in (None, allowed):
            ours, theirs = reader.search(query, 10, mask), exact.search(query, 10, mask)
            assert len(ours) == len(theirs) == 20
            everything = exact.search(query, 2000, mask)
            scores = dict(zip(everything.passages, everything.scores, strict=True))
            # Of a passage's windows, inverted lists may miss the best.
            assert all(scores[p] >= s for p, s in zip(ours.passages, ours.scores, strict=True))
            if kind in ("flat", "cagra"):
                assert np.array_equal(ours.scores, theirs.scores)
            shared.append(len(np.intersect1d(ours.passages, theirs.passages)) / 20)
    assert [type(segment._scan).__name__ for (segment,) in reader._segments.values()] == ["GpuScan", "GpuScan"]
    assert np.mean(shared) == 1 if kind in ("flat", "cagra") else np.mean(shared) > 0.3
    content = {"ivf-flat": "Flat", "ivf-pq": "PQ32"}.get(kind)
    assert stand_in.made == ([f"IVF189,{content}", f"IVF110,{content}"] if content else [])
    if kind != "cagra":
        assert stand_in.moved == [([0], False)] * 2


def test_auto_leaves_small_segments_to_the_processor(collection, monkeypatch):
    folder, state = collection
    stand_in = Gpus(1)
    use(monkeypatch, stand_in)
    reader = Dense(folder, state)
    reader.search(asked()[0], 5)
    assert stand_in.moved == []
    monkeypatch.setattr(module, "FROM_WINDOWS_GPU", 1000)
    reader = Dense(folder, state)
    reader.search(asked()[0], 5)
    assert len(stand_in.moved) == 1


def test_what_one_gpu_cannot_hold_is_divided_or_stays(collection, monkeypatch, caplog):
    folder, state = collection
    exact = Dense(folder, state, device="cpu")
    for room, devices, moved, kinds in (
        (1500, "cuda:0,cuda:1", [([0], False), ([0, 1], True), ([0], False)], ["GpuScan", "GpuScan"]),
        (800, "cuda", [([0], False), ([0], False)], ["NoneType", "GpuScan"]),
    ):
        stand_in = Gpus(2, room)
        use(monkeypatch, stand_in)
        reader = Dense(folder, state, device=devices)
        for query in asked(count=4):
            assert reader.search(query, 10).passages.tolist() == exact.search(query, 10).passages.tolist()
        assert stand_in.moved == moved
        assert [type(segment._scan).__name__ for (segment,) in reader._segments.values()] == kinds
    assert "do not fit on 1 GPUs" in caplog.text


def test_lists_longer_than_a_gpu_selects_come_from_the_processor(collection, monkeypatch):
    folder, state = collection
    use(monkeypatch, Gpus(1))
    monkeypatch.setattr("xsearch.retrieve.gpu.GpuScan.most", 100)
    ours, theirs = (Dense(folder, state, device=device).search(asked()[0], 200) for device in ("cuda", "cpu"))
    assert np.array_equal(ours.passages, theirs.passages)


def test_cagra_needs_cuvs_and_an_exact_index_no_gpu(collection, monkeypatch):
    folder, state = collection
    stand_in = Gpus(1)
    use(monkeypatch, stand_in)
    monkeypatch.delattr(Gpus, "GpuIndexCagra")
    with pytest.raises(UsageError, match="faiss-gpu-cuvs"):
        Dense(folder, state, device="cuda", gpu="cagra").search(asked()[0], 5)
    Dense(folder, {**state, "search": "exact"}, device="cuda").search(asked()[0], 5)
    assert stand_in.moved == []
