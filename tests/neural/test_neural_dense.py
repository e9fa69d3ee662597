"""Dense neural encoders against sentence-transformers and plain loops over transformers."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoModel, AutoTokenizer

from xsearch.core import BadInput, MissingExtra, UsageError
from xsearch.encode import Runtime, load_encoder, load_sparse
from xsearch.encode.neural.fingerprint import content_hash

pytestmark = pytest.mark.neural

CLOSE = {"atol": 2e-6}


@pytest.fixture(scope="module")
def xlmr(models):
    return tiny.xlmr(models / "xlmr")


@pytest.fixture(scope="module")
def pooled(models, xlmr):
    """A folder of sentence-transformers with prompts, a projection and normalisation."""
    torch.manual_seed(1)
    modules = [Transformer(str(xlmr)), Pooling(32, "mean"), Dense(32, 24), Normalize()]
    model = SentenceTransformer(modules=modules, prompts={"query": "query: ", "document": "passage: "})
    folder = models / "pooled"
    model.save(str(folder))
    return folder


def reference(folder, texts, pooling="mean"):
    """One text after the other, no padding, by transformers alone."""
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        with torch.inference_mode():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        row = {"mean": states.mean(0), "cls": states[0], "lasttoken": states[-1]}[pooling]
        rows.append((row / row.norm()).numpy())
    return np.array(rows)


@pytest.mark.parametrize("budget", [1, 50, 4096])
def test_plain_transformer_is_the_mean_of_its_tokens(xlmr, budget):
    encoder = load_encoder(xlmr, Runtime("cpu", tokens=budget))
    windows = encoder.encode_passages(tiny.TEXTS)
    np.testing.assert_array_equal(windows.owners, np.arange(len(tiny.TEXTS)))
    np.testing.assert_allclose(windows.vectors, reference(xlmr, tiny.TEXTS), **CLOSE)
    np.testing.assert_allclose(encoder.encode_queries(tiny.TEXTS), windows.vectors, **CLOSE)
    assert windows.vectors.dtype == np.float32


def test_modules_and_prompts_are_those_of_sentence_transformers(pooled):
    encoder = load_encoder(pooled, Runtime("cpu", tokens=60))
    theirs = SentenceTransformer(str(pooled), device="cpu")
    np.testing.assert_allclose(encoder.encode_queries(tiny.TEXTS), theirs.encode_query(tiny.TEXTS), **CLOSE)
    np.testing.assert_allclose(encoder.encode_passages(tiny.TEXTS).vectors, theirs.encode_document(tiny.TEXTS), **CLOSE)
    assert (encoder.card.dim, encoder.card.prefixes.query, encoder.card.max_length) == (24, "query: ", 128)


def test_last_token_pooling_of_a_decoder_without_padding_token(models):
    folder = tiny.decoder(models / "decoder")
    card = models / "decoder.toml"
    card.write_text(
        'name = "d"\nkind = "dense"\ndim = 32\nlicence = "MIT"\nmodel = "decoder"\npooling = "lasttoken"\n'
        '[prefixes]\nquery = "find: "\n'
    )
    encoder = load_encoder(card, Runtime("cpu"))
    np.testing.assert_allclose(
        encoder.encode_passages(tiny.TEXTS).vectors, reference(folder, tiny.TEXTS, "lasttoken"), **CLOSE
    )
    np.testing.assert_allclose(
        encoder.encode_queries(tiny.TEXTS[:2]),
        reference(folder, [f"find: {text}" for text in tiny.TEXTS[:2]], "lasttoken"),
        **CLOSE,
    )


def test_long_texts_are_read_in_windows(xlmr):
    encoder = load_encoder(xlmr, Runtime("cpu"))
    text = " ".join(tiny.TEXTS)
    windows = encoder.encode_passages(["", text, tiny.TEXTS[0], " \n"])
    tokens = len(AutoTokenizer.from_pretrained(xlmr)(text)["input_ids"])
    counts = np.bincount(windows.owners, minlength=4)
    assert counts[0] == counts[3] == 0
    assert counts[2] == 1
    assert tokens / 128 <= counts[1] <= tokens / 128 * 2 + 2
    query = encoder.encode_queries([text, ""])
    mean = windows.vectors[windows.owners == 1].sum(0)
    np.testing.assert_allclose(query[0], mean / np.linalg.norm(mean), **CLOSE)
    assert not query[1].any()


def test_matryoshka_cut_is_the_first_components_scaled_again(pooled):
    whole = load_encoder(pooled, Runtime("cpu")).encode_passages(tiny.TEXTS).vectors[:, :8]
    cut = load_encoder(pooled, Runtime("cpu"), dim=8)
    np.testing.assert_allclose(
        cut.encode_passages(tiny.TEXTS).vectors, whole / np.linalg.norm(whole, axis=1, keepdims=True), **CLOSE
    )
    assert cut.card.dim == 8
    assert cut.card.fingerprint != load_encoder(pooled, Runtime("cpu")).card.fingerprint


def test_xmod_sends_each_text_through_its_languages_module(models):
    folder = tiny.xmod(models / "xmod")
    encoder = load_encoder(folder, Runtime("cpu"))
    langs = ["en", "de", "ru", "fr", "zh", "ur", "en", "xx"]
    read_by = ["en_XX", "de_DE", "ru_RU", "ru_RU", "en_XX", "hi_IN", "en_XX", "en_XX"]
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    found = encoder.encode_passages(tiny.TEXTS, langs).vectors
    for text, module, vector in zip(tiny.TEXTS, read_by, found, strict=True):
        if module == "ru_RU" and text is tiny.TEXTS[3]:
            continue  # French is as far from English, German and Russian: see the next test
        model.set_default_language(module)
        with torch.inference_mode():
            state = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, (state / state.norm()).numpy(), **CLOSE)
    assert encoder.supports("de") == 1.0
    assert encoder.supports("fr") == 0.5


def test_fingerprint_follows_weights_and_settings(models, xlmr):
    same = load_encoder(xlmr, Runtime("cpu")).card.fingerprint
    assert load_encoder(xlmr, Runtime("cpu", "bf16", tokens=10)).card.fingerprint == same
    other = shutil.copytree(xlmr, models / "other")
    assert load_encoder(other, Runtime("cpu")).card.fingerprint == same
    weights = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert load_encoder(other, Runtime("cpu")).card.fingerprint != same


def test_half_precision_is_close(pooled):
    exact = load_encoder(pooled, Runtime("cpu")).encode_passages(tiny.TEXTS).vectors
    for precision, least in (("bf16", 0.995), ("fp16", 0.995), ("int8", 0.97)):
        rough = load_encoder(pooled, Runtime("cpu", precision)).encode_passages(tiny.TEXTS).vectors
        assert np.einsum("nd,nd->n", exact, rough).min() > least
        assert not np.array_equal(exact, rough)


def test_batches_that_do_not_fit_are_halved(xlmr, monkeypatch, caplog):
    encoder = load_encoder(xlmr, Runtime("cpu"))
    network = encoder._network
    forward, sizes = network._forward, []

    def small(features, task):
        sizes.append(features["input_ids"].shape)
        if features["input_ids"].numel() > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(features, task)

    monkeypatch.setattr(network, "_forward", small)
    np.testing.assert_allclose(encoder.encode_passages(tiny.TEXTS).vectors, reference(xlmr, tiny.TEXTS), **CLOSE)
    assert max(rows * width for rows, width in sizes[3:]) <= 100
    assert "out of memory" in caplog.text


def test_what_modules_json_names_must_be_there(tmp_path, pooled):
    (tmp_path / "modules.json").write_text(json.dumps({"type": 1}))
    with pytest.raises(BadInput, match=r"modules\.json"):
        load_encoder(tmp_path)


def test_code_among_the_modules_runs_only_for_who_vouches_for_it(models, pooled):
    folder = shutil.copytree(pooled, models / "coded")
    listed = json.loads((folder / "modules.json").read_text())
    listed.append({"idx": len(listed), "name": "turned", "path": "", "type": "turned.Turned"})
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "turned.py").write_text(
        "import torch\n\n\n"
        "class Turned(torch.nn.Module):\n"
        "    def forward(self, features, **_):\n"
        "        return {**features, 'sentence_embedding': -features['sentence_embedding']}\n\n"
        "    @classmethod\n"
        "    def load(cls, *_, **__):\n"
        "        return cls()\n"
    )
    for trust in (None, "0" * 40):
        with pytest.raises(UsageError, match=r"turned.Turned is code.*--trust"):
            load_encoder(folder, Runtime("cpu", trust=trust))
    found = load_encoder(folder, Runtime("cpu", trust=content_hash(folder)))
    expected = load_encoder(pooled, Runtime("cpu")).encode_queries(tiny.TEXTS)
    np.testing.assert_allclose(found.encode_queries(tiny.TEXTS), -expected, **CLOSE)


def test_weights_behind_a_router_are_part_of_what_a_checkpoint_is(models, xlmr):
    torch.manual_seed(2)
    router = Router.for_query_document([Dense(32, 24)], [Dense(32, 24)])
    folder = models / "routed"
    SentenceTransformer(modules=[Transformer(str(xlmr)), Pooling(32, "mean"), router]).save(str(folder))
    before = load_encoder(folder, Runtime("cpu"))
    theirs = SentenceTransformer(str(folder), device="cpu").encode_query(tiny.TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(before.encode_queries(tiny.TEXTS), theirs, **CLOSE)
    path = folder / "2_Router" / "query_0_Dense" / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert load_encoder(folder, Runtime("cpu")).card.fingerprint != before.card.fingerprint
    torch.save(load_file(path), path.with_name("pytorch_model.bin"))
    path.unlink()
    with pytest.raises(UsageError, match="pickled weights"):
        load_encoder(folder, Runtime("cpu"))


@pytest.mark.parametrize("make", [tiny.xlmr, tiny.bert, tiny.decoder])
def test_a_checkpoint_without_its_vocabulary_is_no_encoder(models, make):
    folder = make(models / f"mute-{make.__name__}")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(BadInput, match=r"no vocabulary.*tokenizer\.json"):
        load_encoder(folder, Runtime("cpu"))


def test_weights_that_are_missing_are_not_made_up(models, xlmr):
    folder = shutil.copytree(xlmr, models / "lacking")
    weights = load_file(folder / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    save_file({key: value for key, value in weights.items() if key != name}, folder / "model.safetensors")
    with pytest.raises(BadInput, match=rf"lacks weights of its network \({name}\)"):
        load_encoder(folder, Runtime("cpu"))
    save_file(weights | {name: weights[name][:, :40].contiguous()}, folder / "model.safetensors")
    with pytest.raises(BadInput, match=rf"{name} has another shape than config\.json says"):
        load_encoder(folder, Runtime("cpu"))


def test_folders_that_hold_no_transformer(tmp_path, pooled):
    with pytest.raises(UsageError, match="neither a model"):
        load_encoder(tmp_path)
    (tmp_path / "modules.json").write_text(
        json.dumps([{"idx": 0, "path": "", "type": "sentence_transformers.models.StaticEmbedding"}])
    )
    with pytest.raises(BadInput, match="begins with a StaticEmbedding"):
        load_encoder(tmp_path)


def test_several_devices_give_what_one_gives(xlmr, models):
    texts = [*tiny.TEXTS, "", " ".join(tiny.TEXTS)]
    one, two = load_encoder(xlmr, Runtime("cpu")), load_encoder(xlmr, Runtime("cpu,cpu"))
    expected, found = one.encode_passages(texts), two.encode_passages(texts)
    np.testing.assert_array_equal(found.owners, expected.owners)
    np.testing.assert_allclose(found.vectors, expected.vectors, **CLOSE)
    assert two.card == one.card
    masked = tiny.xlmr(models / "masked", masked=True)
    alone = load_sparse(masked, Runtime("cpu")).encode_passages(texts)
    spread = load_sparse(masked, Runtime("cpu,cpu")).encode_passages(texts)
    np.testing.assert_array_equal(spread.starts, alone.starts)
    np.testing.assert_array_equal(spread.terms, alone.terms)
    np.testing.assert_allclose(spread.weights, alone.weights, **CLOSE)


def test_a_model_that_is_not_here_is_told_of_in_whole_sentences():
    with pytest.raises(MissingExtra) as told:
        load_encoder("nobody/has-this-model", Runtime("cpu"))
    said = str(told.value)
    assert said.startswith("the model 'nobody/has-this-model' is not on this machine and cannot be fetched (")
    # The library's second sentence would be cut in its middle.
    assert said.partition("(")[2].partition("): where there is a network run `hf download")[0].count(". ") == 0
    assert "HF_HUB_OFFLINE)" not in said
