"""Indexes whose vectors and weights a neural encoder makes: the same commands and guarantees as with the static one."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import xsearch
from xsearch.cli.app import app
from xsearch.core import Document, EncoderMismatch, IndexDamaged, MissingExtra, UsageError
from xsearch.encode import Runtime, load_encoder, load_sparse
from xsearch.encode.neural.dense import DenseEncoder
from xsearch.encode.neural.fingerprint import content_hash
from xsearch.engine import snapshot, workers, writer
from xsearch.engine.recipe import DenseSettings, Recipe
from xsearch.retrieve.colbert.codebook import read_codebook
from xsearch.storage import DiskFiles, read_manifest, write_manifest
from xsearch.storage.manifest import file_entry

pytestmark = pytest.mark.neural

CPU = Runtime("cpu")
LANGS = ["en", "de", "ru", "fr", "zh", "tr", "en", "en"]


@pytest.fixture(scope="module")
def dense(models):
    return tiny.xlmr(models / "engine-dense")


@pytest.fixture(scope="module")
def splade(models):
    return tiny.bert(models / "engine-splade", masked=True)


def documents(count=8):
    return [
        Document(str(i), f"{tiny.TEXTS[i % 8]} {'' if i < 8 else i}".strip(), lang=LANGS[i % 8]) for i in range(count)
    ]


def filled(path, recipe, encoder, count=8):
    index = xsearch.create(path, recipe, encoder, runtime=CPU)
    with index.writer() as w:
        for document in documents(count):
            w.add(document)
    return index


def test_dense_vectors_are_the_encoders_and_survive_everything(tmp_path, dense):
    index = filled(tmp_path / "i", "dense", dense)
    encoder = load_encoder(dense, CPU)
    asked = "the bridge was closed"
    cosines = encoder.encode_passages(tiny.TEXTS).vectors @ encoder.encode_queries([asked])[0]
    with index.writer() as w:
        w.delete(["3"])
    xsearch.engine.compact(index.path)
    reopened = xsearch.open(tmp_path / "i", CPU)
    run = reopened.search_many([asked], k=10, fusion="rrf")
    assert {row.document for row in run.rows} == {str(i) for i in range(8) if i != 3}
    ranking = reopened.snapshot.retrievers["dense"].search(
        xsearch.core.Query("", (("en", 1.0),), vectors={"dense": encoder.encode_queries([asked])[0]}), 10
    )
    np.testing.assert_allclose(ranking.scores, cosines[ranking.passages], atol=0.01)
    record = reopened.manifest.encoder
    assert (record["kind"], record["path"]) == ("dense", str(dense.resolve()))
    assert record["fingerprint"] == encoder.card.fingerprint


def test_hybrid_keeps_the_pieces_and_words_of_the_encoder_that_ships(tmp_path, dense):
    index = filled(tmp_path / "i", Recipe("both", retrievers=("bm25", "dense")), dense)
    # What random vectors bring first is chance; the word stands in one passage.
    parts = {hit.id: {part.retriever: part for part in hit.explain} for hit in index.search("Brücke", explain=True)}
    assert [name for name, found in parts.items() if found["bm25"].rank] == ["1"]
    assert sorted(found["dense"].rank for found in parts.values()) == list(range(1, 9))
    # Words alone need no torch: the network stays where it is.
    again = xsearch.open(tmp_path / "i", CPU)
    assert again.search("Brücke", k=1, retrievers=["bm25"])[0].id == "1"
    assert not again.snapshot._load.are_loaded


def test_threads_that_ask_at_once_load_a_network_once(tmp_path, splade, monkeypatch):
    index, loads = filled(tmp_path / "i", "sparse", splade), []
    expected = [hit.id for hit in index.search("bread", k=8)]
    load = snapshot.index_encoders
    monkeypatch.setattr(snapshot, "index_encoders", lambda *given: loads.append(given) or load(*given))
    again = xsearch.open(tmp_path / "i", CPU)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [hit.id for hit in again.search("bread", k=8)], range(4)))
        # Networks of several indexes: transformers itself is not made for it.
        encoders = list(pool.map(lambda _: load_sparse(splade, CPU), range(4)))
    assert (found, len(loads)) == ([expected] * 4, 1)
    assert {encoder.card.fingerprint for encoder in encoders} == {again.manifest.encoder["fingerprint"]}


def test_another_or_no_model_at_the_place(tmp_path, models, dense):
    moved = shutil.copytree(dense, models / "moved")
    filled(tmp_path / "i", "dense", moved)
    weights = (moved / "model.safetensors").read_bytes()
    (moved / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(EncoderMismatch, match="compact"):
        xsearch.open(tmp_path / "i", CPU).search("bread")
    shutil.rmtree(moved)
    with pytest.raises(MissingExtra, match="no longer at"):
        xsearch.open(tmp_path / "i", CPU).search("bread")


def test_learned_sparse(tmp_path, splade):
    index = filled(tmp_path / "i", "sparse", splade)
    encoder = load_sparse(splade, CPU)
    size = encoder.card.dim

    def matrix(found):
        made = np.zeros((len(found), size))
        for row in range(len(found)):
            inside = slice(found.starts[row], found.starts[row + 1])
            made[row, found.terms[inside]] = found.weights[inside]
        return made

    asked = "wheat and bread"
    expected = matrix(encoder.encode_passages(tiny.TEXTS)) @ matrix(encoder.encode_queries([asked]))[0]
    query = xsearch.core.Query("", (("en", 1.0),), weights=encoder.encode_queries([asked]))
    ranking = index.snapshot.retrievers["sparse"].search(query, 10)
    assert len(ranking) == 8
    np.testing.assert_allclose(ranking.scores, expected[ranking.passages], rtol=2e-3)
    hits = index.search(asked, retrievers=["sparse"], explain=True)
    assert len(hits) == 8
    with pytest.raises(UsageError, match="--encoder"):
        xsearch.create(tmp_path / "none", "sparse")
    with pytest.raises(UsageError, match="sparse"):
        xsearch.create(tmp_path / "wrong", "sparse", tiny.decoder(tmp_path / "decoder"))


def test_a_codebook_of_version_1_is_refused_until_the_index_is_compacted(tmp_path, models, monkeypatch):
    monkeypatch.setattr("xsearch.retrieve.colbert.writer.TRAINED_FROM", 50)
    base = tiny.bert(models / "engine-colbert-base")
    checkpoint = tiny.stanford(models / "engine-colbert", base, {"query_maxlen": 16, "doc_maxlen": 40})
    root = tmp_path / "i"
    filled(root, "colbert", checkpoint).close()
    found = [(hit.id, hit.score) for hit in xsearch.open(root, CPU).search("wheat prices")]
    manifest = read_manifest(root)
    (name,) = [name for name in manifest.files if name.endswith(".codebook")]
    book = read_codebook(root / name, manifest.retrievers["colbert"]["dim"], 4)
    # As version 1 was: the centroids, in two bytes a component, stand before the weights.
    sizes = np.array([*book.centroids.shape, len(book.weights)], "<i8")
    (root / name).write_bytes(
        b"XSCODE\0\1" + b"".join(part.tobytes() for part in (sizes, book.centroids, book.weights))
    )
    files = {**manifest.files, name: file_entry(root / name)}
    write_manifest(DiskFiles(), root, msgspec.structs.replace(manifest, files=files))

    with pytest.raises(IndexDamaged, match="run `xsearch compact`"):
        xsearch.open(root, CPU)
    checked = CliRunner().invoke(app, ["check", "-i", str(root)])
    assert (checked.exit_code, "run `xsearch compact`" in checked.output) == (1, True)
    compacted = CliRunner().invoke(app, ["compact", "-i", str(root), "--device", "cpu"])
    assert compacted.exit_code == 0, compacted.output
    assert [(hit.id, hit.score) for hit in xsearch.open(root, CPU).search("wheat prices")] == found
    assert CliRunner().invoke(app, ["check", "-i", str(root)]).exit_code == 0


def test_processes_prepare_and_this_one_encodes(tmp_path, dense, monkeypatch):
    monkeypatch.setattr(writer, "MANY", 1)
    monkeypatch.setattr(writer, "BATCH", 16)
    begun = []
    submit = workers.ThenHere.submit
    monkeypatch.setattr(workers.ThenHere, "submit", lambda self, batch: begun.append(1) or submit(self, batch))
    index = xsearch.create(tmp_path / "many", Recipe("both", retrievers=("bm25", "dense")), dense, runtime=CPU)
    with index.writer(workers=2) as w:
        for document in documents(40):
            w.add(document)
    assert begun
    alone = filled(tmp_path / "one", Recipe("both", retrievers=("bm25", "dense")), dense, 40)
    for text in ("the bridge was closed", "цены"):
        found, expected = index.search(text, k=40), alone.search(text, k=40)
        assert [hit.id for hit in found][:5] == [hit.id for hit in expected][:5]


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, dense, monkeypatch):
    monkeypatch.setattr(writer, "BATCH", 8)
    index = xsearch.create(tmp_path / "i", "dense", dense, runtime=CPU)
    with pytest.raises(RuntimeError, match="power"), index.writer() as w:  # noqa: PT012
        for document in documents(40):
            w.add(document)
        w._drain()
        raise RuntimeError("power cut")
    kept = sorted((tmp_path / "i" / "encoded").glob("*.npz"))
    assert len(kept) == 5
    kept[0].write_bytes(kept[0].read_bytes()[:-9])
    kept[1].unlink()
    encoded = []
    encode = DenseEncoder.encode_passages
    monkeypatch.setattr(DenseEncoder, "encode_passages", lambda *arguments: encoded.append(1) or encode(*arguments))
    with index.writer() as w:
        for document in documents(40):
            w.add(document)
    assert len(encoded) == 2
    assert not (tmp_path / "i" / "encoded").exists()
    alone = filled(tmp_path / "one", "dense", dense, 40)
    assert [hit.id for hit in index.search("bread", k=40)] == [hit.id for hit in alone.search("bread", k=40)]


def test_vectors_cut_and_kept_as_the_recipe_says(tmp_path, dense):
    for codes, dim in (("fp32", 0), ("fp16", 16), ("binary", 0)):
        settings = DenseSettings(dim=dim, codes=codes)
        index = filled(tmp_path / codes, Recipe("kept", retrievers=("dense",), dense=settings), dense)
        encoder = load_encoder(dense, CPU, dim)
        vectors = encoder.encode_passages(tiny.TEXTS).vectors
        asked = encoder.encode_queries(["the bridge was closed"])[0]
        if codes == "binary":
            vectors = np.where(vectors >= 0, 1, -1) / np.sqrt(vectors.shape[1])
        query = xsearch.core.Query("", (("en", 1.0),), vectors={"dense": asked})
        ranking = index.snapshot.retrievers["dense"].search(query, 10)
        np.testing.assert_allclose(ranking.scores, (vectors @ asked)[ranking.passages], atol=2e-3)
        assert index.manifest.retrievers["dense"]["dim"] == (dim or 32)
        xsearch.engine.compact(index.path)
        assert xsearch.open(index.path, CPU).manifest.retrievers["dense"]["codes"] == codes


def test_from_the_command_line(tmp_path, dense):
    (tmp_path / "docs.jsonl").write_text(
        "\n".join(json.dumps({"id": d.id, "text": d.text, "lang": d.lang}) for d in documents())
    )
    run = CliRunner().invoke
    folder = str(tmp_path / "i")
    arguments = ["-i", folder, "--encoder", str(dense), "--device", "cpu"]
    made = run(app, ["index", str(tmp_path / "docs.jsonl"), *arguments])
    assert made.exit_code == 0, made.output
    asked = run(app, ["query", "wheat prices", "-i", folder, "--device", "cpu", "--format", "json", "-k", "2"])
    assert len(json.loads(asked.stdout)["hits"]) == 2
    told = run(app, ["info", "-i", folder])
    assert dense.name in told.stdout
    nowhere = run(app, ["compact", "-i", folder, "--device", "cuda:99"])
    assert nowhere.exit_code != 0
    assert "no device" in str(nowhere.exception or nowhere.output)
    assert run(app, ["compact", "-i", folder, "--device", "cpu", "--precision", "bf16"]).exit_code == 0
    assert xsearch.storage.read_manifest(tmp_path / "i").generation == 2


def test_a_trusted_checkpoint_is_trusted_still_when_the_index_is_rebuilt(tmp_path, models, dense):
    pickled = shutil.copytree(dense, models / "engine-pickled")
    weights = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(weights, pickled / "pytorch_model.bin")
    trusting = Runtime("cpu", trust=content_hash(pickled))
    index = xsearch.create(tmp_path / "i", "dense", pickled, runtime=trusting)
    with index.writer() as w:
        for document in documents():
            w.add(document)
    compact = CliRunner().invoke(app, ["compact", "-i", str(tmp_path / "i"), "--device", "cpu"])
    assert compact.exit_code == 0, compact.output
    assert xsearch.open(tmp_path / "i", CPU).search("bread", k=8)
    shutil.rmtree(pickled)
    with pytest.raises(MissingExtra, match="no longer at"):
        xsearch.engine.compact(tmp_path / "i")


def test_devices_and_precisions_nobody_has():
    with pytest.raises(UsageError, match="no device"):
        Runtime("cuda:99" if torch.cuda.is_available() else "cuda").devices(torch)
    with pytest.raises(UsageError, match="no device 'cpu:first'"):
        Runtime("cpu:first").devices(torch)
    with pytest.raises(UsageError, match="precision"):
        Runtime(precision="fp7")
