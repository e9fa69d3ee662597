"""Encoders of tokens' vectors against the libraries that made the formats, and against Stanford's steps written out."""

from __future__ import annotations

import json
import string

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from transformers import AutoModel, AutoTokenizer

from xsearch.core import UsageError
from xsearch.encode import Runtime, load_encoder, load_multivector

pytestmark = pytest.mark.neural

CPU = Runtime("cpu", tokens=300)
CLOSE = {"atol": 3e-6}
SHORT = [text[:60] for text in tiny.TEXTS]


def by_stanfords_steps(folder, base, text, side, marker, length, attend, lang=None, extra=None):
    """Tokenise with a full stop where the marker goes, replace it, fill up with the mask token, project, drop."""
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModel.from_pretrained(base).eval()
    saved = load_file(folder / "model.safetensors")
    if extra is not None:
        model.resize_token_embeddings(len(tokenizer) + extra, mean_resizing=False)
        name = next(name for name in saved if name.endswith("word_embeddings.weight"))
        model.get_input_embeddings().weight.data.copy_(saved[name])
    if lang:
        model.set_default_language(lang)
    ids = tokenizer(text, add_special_tokens=True)["input_ids"]
    ids = [ids[0], marker, *ids[1:]]
    mask = [1] * len(ids)
    if side == "query":
        added = max(0, length - len(ids))
        ids, mask = ids + [tokenizer.mask_token_id] * added, mask + [int(attend)] * added
    with torch.inference_mode():
        states = model(torch.tensor([ids]), attention_mask=torch.tensor([mask])).last_hidden_state[0]
        vectors = torch.nn.functional.normalize(states @ saved["linear.weight"].T, dim=-1).numpy()
    if side == "query":
        return vectors
    signs = {tokenizer.encode(sign, add_special_tokens=False)[0] for sign in string.punctuation}
    return vectors[[number not in signs for number in ids]]


@pytest.mark.parametrize("attend", [False, True])
def test_stanford_colbert(models, attend):
    base = tiny.bert(models / f"bert{attend}")
    settings = {"query_maxlen": 24, "doc_maxlen": 60, "attend_to_mask_tokens": attend, "mask_punctuation": True}
    folder = tiny.stanford(models / f"stanford{attend}", base, settings)
    encoder = load_multivector(folder, CPU)
    vocabulary = AutoTokenizer.from_pretrained(base).get_vocab()
    queries, passages = encoder.encode_queries(["a short one, really", ""]), encoder.encode_passages(SHORT)
    expected = by_stanfords_steps(folder, base, "a short one, really", "query", vocabulary["[unused0]"], 24, attend)
    np.testing.assert_allclose(queries[0], expected, **CLOSE)
    assert len(queries[1]) == 0
    for text, found in zip(SHORT, [passages[i] for i in range(len(passages))], strict=True):
        step = by_stanfords_steps(folder, base, text, "passage", vocabulary["[unused1]"], 60, attend)
        np.testing.assert_allclose(found, step, **CLOSE)
    assert encoder.card.dim == 16


def test_markers_that_plaid_x_added_behind_the_vocabulary(models):
    base = tiny.xlmr(models / "plaidbase")
    folder = tiny.stanford(models / "plaid", base, {"query_maxlen": 20, "doc_maxlen": 60}, extra_rows=2)
    encoder = load_multivector(folder, CPU)
    size = len(AutoTokenizer.from_pretrained(base))
    np.testing.assert_allclose(
        encoder.encode_queries(SHORT[:1])[0],
        by_stanfords_steps(folder, base, SHORT[0], "query", size, 20, False, extra=2),
        **CLOSE,
    )
    np.testing.assert_allclose(
        encoder.encode_passages(SHORT[:1])[0],
        by_stanfords_steps(folder, base, SHORT[0], "passage", size + 1, 60, False, extra=2),
        **CLOSE,
    )


def test_colbert_xm_reads_each_text_with_its_language(models):
    base = tiny.xmod(models / "xmbase")
    folder = tiny.stanford(models / "xm", base, {"query_maxlen": 20, "doc_maxlen": 60})
    encoder = load_multivector(folder, CPU)
    unknown = AutoTokenizer.from_pretrained(base).unk_token_id
    found = encoder.encode_passages(SHORT[:3], ["en", "de", "ru"])
    for row, module in enumerate(["en_XX", "de_DE", "ru_RU"]):
        step = by_stanfords_steps(folder, base, SHORT[row], "passage", unknown, 60, False, lang=module)
        np.testing.assert_allclose(found[row], step, **CLOSE)


def library_model(base, expansion):
    torch.manual_seed(3)
    transformer = Transformer(str(base), document_length=100, query_expansion=expansion)
    head = Dense(32, 12, bias=False, activation_function=None, module_input_name="token_embeddings")
    mask = MultiVectorMask(skiplist_words=[",", "."])
    modules = [transformer, head, mask, Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules, prompts={"query": "ask: ", "document": "text: "}, device="cpu")


@pytest.mark.parametrize("expansion", [None, {"strategy": "fixed", "attend": False, "length": 40}])
def test_sentence_transformers_own_class(models, expansion):
    model = library_model(tiny.bert(models / f"mve{expansion is None}"), expansion)
    folder = models / f"saved{expansion is None}"
    model.save(str(folder))
    encoder = load_multivector(folder, CPU)
    texts = [text for text in SHORT if len(text) < 60 or expansion is None][:3] or SHORT[-2:]
    for ours, theirs in (
        (encoder.encode_queries(texts), model.encode_query(texts, convert_to_numpy=True)),
        (encoder.encode_passages(texts), model.encode_document(texts, convert_to_numpy=True)),
    ):
        for row, expected in enumerate(theirs):
            np.testing.assert_allclose(ours[row], expected, **CLOSE)


def test_pylate(models):
    """PyLate's folder: transformer and a bias-free projection, the rest in the top configuration."""
    model = library_model(tiny.bert(models / "pylatebase"), None)
    folder = models / "pylate"
    model.save(str(folder))
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([modules[0], modules[1] | {"type": "pylate.models.Dense.Dense"}]))
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps(
            {
                "model_type": "ColBERT",
                "query_prefix": "[unused0]",
                "document_prefix": "[unused1]",
                "query_length": 32,
                "document_length": 90,
                "attend_to_expansion_tokens": True,
                "skiplist_words": [",", "."],
            }
        )
    )
    encoder = load_multivector(folder, CPU)
    theirs = MultiVectorEncoder(str(folder), device="cpu")
    query = "a short one, really"
    np.testing.assert_allclose(
        encoder.encode_queries([query])[0], theirs.encode_query([query], convert_to_numpy=True)[0], **CLOSE
    )
    found = encoder.encode_passages(SHORT)
    for row, expected in enumerate(theirs.encode_document(SHORT, convert_to_numpy=True)):
        np.testing.assert_allclose(found[row], expected, **CLOSE)
    assert len(encoder.encode_queries([query])[0]) == 32


def test_long_passages_are_joined_windows(models):
    base = tiny.bert(models / "longbase")
    folder = tiny.stanford(models / "long", base, {"query_maxlen": 24, "doc_maxlen": 40, "mask_punctuation": False})
    encoder = load_multivector(folder, CPU)
    text = " ".join(tiny.TEXTS[:2])
    found = encoder.encode_passages([text, SHORT[0]])
    tokens = len(AutoTokenizer.from_pretrained(base).tokenize(text))
    # Three more of every window: the special tokens and the marker.
    windows = (len(found[0]) - tokens) / 3
    assert windows == int(windows)
    assert windows >= tokens / 40
    np.testing.assert_allclose(found[1], encoder.encode_passages([SHORT[0]])[0], **CLOSE)


def test_a_plain_transformer_has_no_tokens_vectors(models):
    folder = tiny.xlmr(models / "plain")
    with pytest.raises(UsageError, match="dense vectors, not multivector"):
        load_multivector(folder, CPU)
    with pytest.raises(UsageError, match="multivector vectors, not dense"):
        load_encoder(tiny.stanford(models / "notdense", tiny.bert(models / "b"), {}), CPU)


def test_an_index_of_token_vectors_scores_by_maxsim(tmp_path, models):
    """Through the engine: words beside token vectors, deletion, compaction, other encoders refused."""
    import xsearch
    from xsearch.core import Document, EncoderMismatch

    folder = tiny.stanford(
        models / "indexed", tiny.bert(models / "indexedbase"), {"query_maxlen": 16, "doc_maxlen": 60}
    )
    index = xsearch.create(tmp_path / "i", "colbert", folder, runtime=CPU)
    with index.writer() as w:
        for i, text in enumerate([*SHORT, ""]):
            w.add(Document(str(i), text, lang=["en", "de", "ru", "fr", "zh", "tr", "en", "en", "en"][i]))
    with index.writer() as w:
        w.delete(["3"])
    xsearch.engine.compact(index.path)
    reopened = xsearch.open(index.path, CPU)
    encoder = load_multivector(folder, CPU)
    asked, passages = encoder.encode_queries(["a short one"])[0], encoder.encode_passages(SHORT)
    expected = np.array([(asked @ passages[i].T).max(axis=1).sum() for i in range(len(SHORT))])
    hits = reopened.search("a short one", k=20, retrievers=["colbert"], explain=True)
    assert {hit.id for hit in hits} == {str(i) for i in range(8) if i != 3}
    for hit in hits:
        assert hit.explain[0].score == pytest.approx(expected[int(hit.id)], abs=0.03)
    assert reopened.search("short one", k=1, retrievers=["bm25"])[0].id == "6"
    record = reopened.manifest.encoder
    assert (record["kind"], record["path"]) == ("multivector", str(folder.resolve()))
    with pytest.raises(UsageError, match="--encoder"):
        xsearch.create(tmp_path / "none", "colbert")
    with pytest.raises(UsageError, match="multivector"):
        xsearch.create(tmp_path / "plain", "colbert", tiny.xlmr(tmp_path / "plainmodel"), runtime=CPU)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(EncoderMismatch, match="compact"):
        xsearch.open(index.path, CPU).search("bread", retrievers=["colbert"])
