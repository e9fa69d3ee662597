"""Learned sparse encoders against sentence-transformers, and BGE-M3's three heads against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router, Transformer
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding, SpladePooling
from transformers import AutoModel, AutoTokenizer

from xsearch.encode import Runtime, load_encoder, load_multivector, load_sparse
from xsearch.encode.neural.sparse import rows_of

pytestmark = pytest.mark.neural

CPU = Runtime("cpu", tokens=300)
CLOSE = {"atol": 3e-6}


def dense(found, size):
    """Sparse rows as a matrix."""
    made = np.zeros((len(found), size), dtype=np.float32)
    for row in range(len(found)):
        inside = slice(found.starts[row], found.starts[row + 1])
        made[row, found.terms[inside]] = found.weights[inside]
        assert np.all(np.diff(found.terms[inside]) > 0)
        assert np.all(found.weights[inside] > 0)
    return made


def test_splade(models):
    base = tiny.bert(models / "mlm", masked=True)
    torch.manual_seed(0)
    model = SparseEncoder(modules=[Transformer(str(base), transformer_task="fill-mask"), SpladePooling("max")])
    folder = models / "splade"
    model.save(str(folder))
    encoder = load_sparse(folder, CPU)
    expected = model.encode_document(tiny.TEXTS, convert_to_sparse_tensor=False).numpy()
    found = encoder.encode_passages([*tiny.TEXTS, ""])
    np.testing.assert_allclose(dense(found, encoder.card.dim)[:-1], expected, **CLOSE)
    assert found.starts[-1] == found.starts[-2]
    plain = load_sparse(base, CPU).encode_queries(tiny.TEXTS)
    np.testing.assert_allclose(dense(plain, encoder.card.dim), expected, **CLOSE)


def test_queries_of_a_model_without_inference_for_them(models):
    base = tiny.bert(models / "routed", masked=True)
    tokenizer = AutoTokenizer.from_pretrained(base)
    table = SparseStaticEmbedding(tokenizer, torch.rand(len(tokenizer)) + 0.1)
    document = [Transformer(str(base), transformer_task="fill-mask"), SpladePooling("max")]
    model = SparseEncoder(modules=[Router.for_query_document([table], document)], device="cpu")
    folder = models / "router"
    model.save(str(folder))
    encoder = load_sparse(folder, CPU)
    for ours, theirs in (
        (encoder.encode_queries(tiny.TEXTS), model.encode_query(tiny.TEXTS, convert_to_sparse_tensor=False)),
        (encoder.encode_passages(tiny.TEXTS), model.encode_document(tiny.TEXTS, convert_to_sparse_tensor=False)),
    ):
        np.testing.assert_allclose(dense(ours, len(tokenizer)), theirs.numpy(), **CLOSE)


def test_all_three_heads_of_bge_m3(models):
    folder = tiny.xlmr(models / "bge-m3-like")
    torch.manual_seed(4)
    tokens, weights = torch.nn.Linear(32, 32), torch.nn.Linear(32, 1)
    save_file(tokens.state_dict(), folder / "colbert_linear.safetensors")
    save_file(weights.state_dict(), folder / "sparse_linear.safetensors")
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = [text[:70] for text in tiny.TEXTS]
    vectors, entries = (
        load_multivector(folder, CPU).encode_passages(texts),
        load_sparse(folder, CPU).encode_queries(texts),
    )
    found = dense(entries, len(tokenizer))
    for row, text in enumerate(texts):
        with torch.inference_mode():
            inputs = tokenizer(text, return_tensors="pt")
            states = model(**inputs).last_hidden_state[0]
            expected = torch.nn.functional.normalize(tokens(states[1:]), dim=-1).numpy()
            lexical = torch.relu(weights(states))[:, 0].tolist()
        np.testing.assert_allclose(vectors[row], expected, **CLOSE)
        by_term = {}
        for number, weight in zip(inputs["input_ids"][0].tolist(), lexical, strict=True):
            if number not in tokenizer.all_special_ids:
                by_term[number] = max(weight, by_term.get(number, 0.0))
        wanted = np.zeros(len(tokenizer), dtype=np.float32)
        wanted[list(by_term)] = list(by_term.values())
        np.testing.assert_allclose(found[row], wanted, **CLOSE)
    assert load_encoder(folder, CPU).encode_passages(texts).vectors.shape == (len(texts), 32)


@given(st.lists(st.tuples(st.integers(0, 3), st.dictionaries(st.integers(0, 9), st.floats(0, 2, width=32)))))
def test_a_text_has_the_largest_weight_of_its_windows(windows):
    windows.sort(key=lambda window: window[0])
    entries = [
        (np.array(sorted(row), dtype=np.int32), np.array([row[t] for t in sorted(row)], dtype=np.float32))
        for _, row in windows
    ]
    owners = np.array([owner for owner, _ in windows], dtype=np.int64)
    expected = np.zeros((4, 10), dtype=np.float32)
    for owner, row in windows:
        for term, weight in row.items():
            expected[owner, term] = max(expected[owner, term], weight)
    np.testing.assert_array_equal(dense(rows_of(entries, owners, 4), 10), expected)
