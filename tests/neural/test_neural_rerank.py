"""Rerankers in the formats they are published in: scores against what transformers computes of each pair alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from xsearch.core import BadInput, Query, UsageError
from xsearch.encode import Runtime, load_multivector
from xsearch.rank.rerank import RerankCandidate, load_reranker
from xsearch.rank.rerank.windows import QUERIES_CUT

pytestmark = pytest.mark.neural

CPU = Runtime("cpu", tokens=150)
CLOSE = {"atol": 2e-5, "rtol": 1e-4}
ASKED = "Which bridge was closed?"
QUERY = Query(ASKED, (("en", 1.0),))
SHORT = [*(text[:50] for text in tiny.TEXTS), ""]


def passages(texts, title=None):
    return [RerankCandidate(n, f"d{n}", "en", title, text, 0.0) for n, text in enumerate(texts)]


def write_card(path, kind, model, **more):
    settings = more.pop("settings", {})
    rows = [f'name = "own"\nkind = "reranker-{kind}"\nmodel = "{model}"']
    rows += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    rows += ["[settings]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("family", ["xlmr", "bert", "deberta", "decoder"])
@pytest.mark.parametrize("labels", [1, 2])
def test_cross_encoders(models, family, labels):
    folder = tiny.classifier(models / f"cross-{family}-{labels}", family, labels)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    want = []
    for text in SHORT:
        with torch.inference_mode():
            logits = model(**tokenizer([ASKED], [text], return_tensors="pt")).logits[0]
        want.append(float(logits[0] if labels == 1 else logits[1] - logits[0]))
    found = load_reranker(folder, CPU).score(QUERY, passages(SHORT))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, want, **CLOSE)
    assert np.std(want) > 0.01


def test_a_batch_and_its_order_change_nothing(models):
    folder = tiny.classifier(models / "cross-batches")
    one = load_reranker(folder, Runtime("cpu", tokens=1)).score(QUERY, passages(SHORT))
    all_at_once = load_reranker(folder, Runtime("cpu", tokens=100_000)).score(QUERY, passages(SHORT[::-1]))
    np.testing.assert_allclose(one, all_at_once[::-1], **CLOSE)


def test_sentence_transformers_own_format(models):
    from sentence_transformers import CrossEncoder

    plain = tiny.classifier(models / "cross-plain", "bert")
    theirs = CrossEncoder(str(plain), device="cpu")
    theirs.save_pretrained(str(models / "cross-saved"))
    texts = [text for text in SHORT if text]
    want = theirs.predict([(ASKED, text) for text in texts], activation_fn=torch.nn.Identity())
    found = load_reranker(models / "cross-saved", CPU)
    np.testing.assert_allclose(found.score(QUERY, passages(texts)), want, **CLOSE)
    assert found.card.kind == "reranker-cross"


@pytest.mark.parametrize(("precision", "off"), [("bf16", 0.05), ("int8", 0.1)])
def test_lower_precision_is_near(models, precision, off):
    folder = tiny.classifier(models / f"cross-{precision}")
    want = load_reranker(folder, CPU).score(QUERY, passages(SHORT))
    found = load_reranker(folder, Runtime("cpu", precision)).score(QUERY, passages(SHORT))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - want).max() < off


def test_the_title_is_read_before_the_text(models):
    reranker = load_reranker(tiny.classifier(models / "cross-title"), CPU)
    titled = reranker.score(QUERY, passages(["the river"], title="A bridge"))
    np.testing.assert_allclose(titled, reranker.score(QUERY, passages(["A bridge\nthe river"])), **CLOSE)


@pytest.mark.parametrize("family", ["xlmr", "bert"])
def test_a_long_passage_is_as_good_as_its_best_window(models, monkeypatch, family):
    folder = tiny.classifier(models / f"cross-long-{family}", family)
    reranker = load_reranker(folder, CPU)
    run, seen = reranker._forward.run, []
    monkeypatch.setattr(reranker._forward, "run", lambda sequences: seen.extend(sequences) or run(sequences))
    (found,) = reranker.score(QUERY, passages([" ".join(tiny.TEXTS * 3)]))
    model, each = AutoModelForSequenceClassification.from_pretrained(folder), []
    for ids, types in seen:
        kinds = {"token_type_ids": torch.tensor([types])} if family == "bert" else {}
        with torch.inference_mode():
            each.append(float(model(torch.tensor([ids]), **kinds).logits[0, 0]))
    assert len(each) > 5
    assert found == pytest.approx(max(each), abs=2e-5)
    assert reranker.counts == {}


def test_a_query_too_long_is_cut_and_counted(models):
    reranker = load_reranker(tiny.classifier(models / "cross-query"), CPU)
    long = Query(" ".join(tiny.TEXTS * 2), (("en", 1.0),))
    scores = reranker.score(long, passages(SHORT))
    assert np.isfinite(scores).all()
    assert reranker.counts == {QUERIES_CUT: 1}


def test_t5(models):
    folder = tiny.mt5(models / "mt5")
    settings = {"prompt": "a: {query} b: {passage} c:", "relevant": "s", "other": "a"}
    card = write_card(models / "mt5.toml", "t5", "mt5", settings=settings)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder)
    yes, no = tokenizer.convert_tokens_to_ids(["s", "a"])
    want = []
    for text in SHORT:
        inputs = tokenizer(f"a: {ASKED} b: {text} c:", return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs, decoder_input_ids=torch.tensor([[1]])).logits[0, 0]
        two = torch.log_softmax(logits[[no, yes]], 0)
        want.append(float(two[1] - two[0]))
    np.testing.assert_allclose(load_reranker(card, CPU).score(QUERY, passages(SHORT)), want, **CLOSE)


def test_braces_of_the_user_are_no_places_to_fill_in(models):
    tiny.mt5(models / "mt5-braces")
    settings = {"prompt": "a: {query} b: {passage} c:", "relevant": "s", "other": "a"}
    card = write_card(models / "mt5-braces.toml", "t5", "mt5-braces", settings=settings)
    reranker = load_reranker(card, CPU)
    encoded = reranker._encode("{passage} {query}", ["{query}"])[0].ids
    assert (
        encoded == AutoTokenizer.from_pretrained(models / "mt5-braces")("a: {passage} {query} b: {query} c:").input_ids
    )


DECODER = {
    "before": "<system>judge<user>",
    "prompt": "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {passage}",
    "after": "<answer>",
    "instruction": "find it",
    "relevant": "s",
    "other": "a",
}


@pytest.mark.parametrize("alone", [False, True])
def test_decoders(models, alone):
    folder = tiny.causal(models / f"causal{alone}")
    card = write_card(
        models / f"causal{alone}.toml", "decoder", folder.name, settings=DECODER | ({"other": ""} if alone else {})
    )
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    yes, no = tokenizer.convert_tokens_to_ids(["s", "a"])
    want = []
    for text in SHORT:
        body = f"<Instruct>: find it\n<Query>: {ASKED}\n<Document>: {text}"
        parts = [DECODER["before"], body, DECODER["after"]]
        ids = [number for part in parts for number in tokenizer(part, add_special_tokens=False).input_ids]
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1]
        want.append(float(logits[yes] - (0 if alone else logits[no])))
    np.testing.assert_allclose(load_reranker(card, CPU).score(QUERY, passages(SHORT)), want, **CLOSE)


def test_late_interaction_over_another_first_stage(models):
    settings = {"query_maxlen": 12, "doc_maxlen": 60, "mask_punctuation": True}
    folder = tiny.stanford(models / "rerank-late", tiny.bert(models / "rerank-late-base"), settings)
    encoder = load_multivector(folder, CPU)
    asked, vectors = encoder.encode_queries([ASKED])[0], encoder.encode_passages(SHORT)
    want = [
        sum(max(float(q @ d) for d in vectors[row]) for q in asked) / len(asked) if len(vectors[row]) else 0.0
        for row in range(len(SHORT))
    ]
    found = load_reranker(folder, CPU)
    assert found.card.kind == "reranker-late"
    np.testing.assert_allclose(found.score(QUERY, passages(SHORT)), want, **CLOSE)


def test_a_model_that_is_no_reranker(models):
    with pytest.raises(BadInput, match="no reranker"):
        load_reranker(tiny.xlmr(models / "bare"), CPU)
    with pytest.raises(BadInput, match="no cross-encoder but a XLMRobertaModel"):
        load_reranker(write_card(models / "wrong.toml", "cross", "bare"), CPU)
    with pytest.raises(BadInput, match="tells 3 classes apart"):
        load_reranker(tiny.classifier(models / "three", labels=3), CPU)
    with pytest.raises(UsageError, match="write a card"):
        load_reranker(tiny.mt5(models / "undescribed"), CPU)


def test_a_head_that_is_missing_is_not_made_up(models):
    folder = tiny.classifier(models / "headless")
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(
        {n: w for n, w in weights.items() if "classifier" not in n}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(BadInput, match=r"lacks weights of a cross-encoder \(classifier"):
        load_reranker(folder, CPU)


def test_missing_and_damaged_files(models, tmp_path):
    folder = tiny.classifier(models / "damaged")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:500])
    with pytest.raises(BadInput, match="damaged"):
        load_reranker(folder, CPU)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="damaged"):
        load_reranker(folder, CPU)
    with pytest.raises(UsageError, match="neither a model"):
        load_reranker(tmp_path, CPU)


def test_pickled_weights_are_refused(models):
    folder = tiny.classifier(models / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match="could run code"):
        load_reranker(folder, CPU)


def test_answers_that_are_not_one_token(models):
    tiny.mt5(models / "mt5-words")
    card = write_card(models / "words.toml", "t5", "mt5-words", settings={"relevant": "nonsense"})
    with pytest.raises(BadInput, match="'nonsense' is not one token"):
        load_reranker(card, CPU)
    card = write_card(models / "words.toml", "t5", "mt5-words", settings={"prompt": "only {query}"})
    with pytest.raises(BadInput, match=r"lacks \{passage\}"):
        load_reranker(card, CPU)
    card = write_card(models / "words.toml", "t5", "mt5-words", settings={"colour": 1})
    with pytest.raises(BadInput, match="colour"):
        load_reranker(card, CPU)
