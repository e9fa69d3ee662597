"""Every recipe that ships, at a size of seconds: it trains, and what it writes is an encoder of its kind."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from safetensors.torch import load_file
from training_data import recipe, write_data

from xsearch.core import BadInput
from xsearch.encode import Runtime, load_encoder, load_multivector, load_sparse
from xsearch.train.neural.fresh import fresh_model, start_words, started_vectors
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import Fresh, adjusted, load_neural_recipe
from xsearch.train.neural.training import begin, train_neural
from xsearch.train.recipe import Source

pytestmark = pytest.mark.neural

CPU = Runtime("cpu")
LOAD = {"dense": load_encoder, "multivector": load_multivector, "sparse": load_sparse}
RECIPES = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "encoders" / "recipes").glob("*.toml")
    if "[[stages]]" in path.read_text()
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="module")
def base(models):
    return tiny.bert(models / "recipes-base", masked=True)


def small(name):
    """A recipe of two steps a stage, with what is large in it made small."""
    found = adjusted(load_neural_recipe(Path(name)), load_neural_recipe(Path(name)).model.kind, True, 2, None)
    replace = msgspec.structs.replace
    stages = []
    for stage in found.stages:
        tasks = [replace(t, queue=8) if hasattr(t, "queue") else t for t in stage.objectives]
        tasks = [replace(t, languages=3) if getattr(t, "languages", 0) == 4 else t for t in tasks]
        mining = stage.mining and replace(stage.mining, recipe="dense", queries=12, passages=40)
        stages.append(replace(stage, objectives=tuple(tasks), batch=4, mining=mining))
    return replace(found, stages=tuple(stages))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_trains_and_its_encoder_loads(tmp_path, name, data, base):
    made = train_neural(small(name), data, tmp_path, str(base), "cpu")
    encoder = LOAD[made.kind](tmp_path, CPU)
    assert (encoder.card.name, encoder.card.dim) == (made.name, made.dim)
    passages = encoder.encode_passages(["bada kulo", "mife"])
    vectors = passages.weights if made.kind == "sparse" else passages.vectors
    assert len(vectors) >= 1
    assert np.isfinite(vectors).all()
    rows = [json.loads(line) for line in (tmp_path / f"{made.name}.log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0] + [2] * len(small(name).stages)
    assert not list(tmp_path.glob("*.work"))


def test_vectors_are_cut_shorter_than_they_are_also_in_a_toy(tmp_path, data, base):
    ((contrastive,),) = (stage.objectives for stage in small("matryoshka").stages)
    assert max(contrastive.cuts) < small("matryoshka").model.fresh.hidden
    made = train_neural(small("matryoshka"), data, tmp_path, str(base), "cpu")
    # The base has 32 numbers: the other cut is no cut of its vectors.
    assert (made.dim, made.matryoshka) == (32, (16,))


@pytest.mark.parametrize("kind", ["dense", "multivector", "sparse"])
def test_what_is_written_scores_as_what_was_trained(tmp_path, kind, data, base):
    """The encoder that loads gives the numbers of the network in training, prefixes and punctuation included."""
    from xsearch.train.neural.batches import Side
    from xsearch.train.neural.finish import write_encoder

    model = 'query = "q: "\npassage = "p: "\ndim = 16' if kind != "sparse" else ""
    chosen = load_neural_recipe(recipe(tmp_path, kind, model=model))
    corpus = read_corpus(data, chosen.sources, chosen.exclude, 1)
    student = begin(chosen, corpus, str(base)).eval()
    write_encoder(student, chosen, tmp_path / "out", (), {}, {}) if (tmp_path / "out").mkdir() is None else None
    encoder = LOAD[kind](tmp_path / "out", CPU)
    texts = ("the river, flooded", "a short one")
    side = Side(texts, ("en", "en"))
    with torch.no_grad():
        for task, encode in (("query", encoder.encode_queries), ("document", encoder.encode_passages)):
            expected, found = student.represent(side, task), encode(list(texts))
            for row in range(2):
                if kind == "dense":
                    got = found[row] if task == "query" else found.vectors[row]
                    wanted = expected[row]
                elif kind == "multivector":
                    got, wanted = found[row], expected[0][row][expected[1][row]]
                else:
                    inside = slice(found.starts[row], found.starts[row + 1])
                    got = np.zeros(encoder.card.dim, np.float32)
                    got[found.terms[inside]] = found.weights[inside]
                    wanted = expected[row]
                np.testing.assert_allclose(got, wanted, atol=3e-6)


def test_training_finds_translations(tmp_path, data):
    """A network from random vectors, whose words in three languages have nothing in common, learns which are one."""
    fresh = 'fresh = { layers = 1, hidden = 32, heads = 2, inner = 32, vocabulary = 300, texts = 400, static = "" }'
    task = '{ objective = "translation-ranking", temperature = 0.1 }'
    chosen = load_neural_recipe(recipe(tmp_path, objectives=task, steps=60, model=fresh, batch=24))
    corpus = read_corpus(data, chosen.sources, chosen.exclude, chosen.seed)
    train_neural(chosen, data, tmp_path / "out", "", "cpu")
    rng = np.random.default_rng(5)
    asked = [corpus.rows.pick(row, 2, rng) for row in range(40)]
    found = load_encoder(tmp_path / "out", CPU)
    left, right = (found.encode_queries([texts[side][0] for texts in asked]) for side in (0, 1))
    assert ((left @ right.T).argmax(1) == np.arange(40)).mean() > 0.5


@pytest.mark.parametrize("method", ["lora", "prompt"])
def test_what_is_not_tuned_stays(tmp_path, method, data, base):
    tuning = f'tuning = {{ method = "{method}", rank = 2, length = 3 }}'
    chosen = load_neural_recipe(recipe(tmp_path, model=tuning, steps=2))
    train_neural(chosen, data, tmp_path / "out", str(base), "cpu")
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "out" / "mine" / "model.safetensors")
    changed = {name for name, weight in after.items() if not torch.equal(weight, before.get(f"bert.{name}", weight))}
    if method == "prompt":
        assert changed == {"embeddings.word_embeddings.weight"}
        table, old = after["embeddings.word_embeddings.weight"], before["bert.embeddings.word_embeddings.weight"]
        assert len(table) == len(old) + 3
        np.testing.assert_array_equal(table[: len(old)], old)
        assert load_encoder(tmp_path / "out", CPU).card.prefixes.query == "[PROMPT0][PROMPT1][PROMPT2]"
    else:
        assert changed
        assert all("layer" in name and name.endswith("weight") and after[name].dim() == 2 for name in changed)
        for name in changed:
            assert torch.linalg.matrix_rank(after[name] - before[f"bert.{name}"], rtol=1e-3) <= 2


def test_a_fresh_network_begins_with_the_static_vectors(data):
    from xsearch.train.neural.recipe import Model

    settings = Fresh(layers=1, hidden=48, heads=2, inner=32, vocabulary=300, texts=200, positions=64)
    corpus = read_corpus(data, (Source("parallel/*.jsonl"),), (), 1)
    network, tokenizer = fresh_model(settings, corpus, 1)
    static = load_encoder()
    pieces = [p for p in tokenizer.get_vocab() if p.startswith("▁") and len(p) > 3][:40]
    vectors = network.get_input_embeddings().weight.detach().numpy()[tokenizer.convert_tokens_to_ids(pieces)]
    wanted = static.encode_queries([piece[1:] for piece in pieces])
    cosines = vectors @ vectors.T / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    kept = np.corrcoef((wanted @ wanted.T)[np.triu_indices(40, 1)], cosines[np.triu_indices(40, 1)])[0, 1]
    assert kept > 0.8
    wide = started_vectors("xsearch-static-v2", tokenizer, 300, 1)[tokenizer.convert_tokens_to_ids(pieces)]
    np.testing.assert_allclose(wide @ wide.T, wanted @ wanted.T, atol=1e-4)
    assert tokenizer.tokenize("Bada, BADA!") == tokenizer.tokenize("bada bada")
    assert Model().fresh.static == "xsearch-static-v2"


def test_a_fresh_sparse_network_begins_with_the_words_that_stand_there(data):
    settings = Fresh(layers=1, hidden=48, heads=2, inner=32, vocabulary=300, texts=200, positions=64)
    network, tokenizer = fresh_model(settings, read_corpus(data, (Source("parallel/*.jsonl"),), (), 1), 1)
    start_words(network)
    pieces = torch.tensor([[number] for number in range(5, len(tokenizer))])
    with torch.no_grad():
        logits = network(input_ids=pieces).logits[:, 0]
    own = logits.gather(1, pieces)[:, 0]
    assert (logits > own[:, None]).sum(1).float().median() < 0.05 * len(tokenizer)
    assert (logits > 0).float().mean() < 0.2


def test_weights_of_eight_bits_load_as_whole_ones(tmp_path, data, base):
    texts = ["the river flooded", "a short one, really"]
    made = {}
    for name in ("false", "true"):
        chosen = load_neural_recipe(recipe(tmp_path, "multivector", model=f"int8 = {name}\ndim = 16", steps=1))
        train_neural(chosen, data, tmp_path / name, str(base), "cpu")
        made[name] = load_multivector(tmp_path / name, CPU).encode_passages(texts)
    cosines = (made["false"].vectors * made["true"].vectors).sum(1)
    assert cosines.min() > 0.999
    files = {name: sorted((tmp_path / name / "mine").rglob("*.safetensors")) for name in made}
    assert {path.name for path in files["true"]} == {"packed.safetensors"}
    sizes = {name: sum(path.stat().st_size for path in found) for name, found in files.items()}
    assert sizes["true"] < sizes["false"] / 3
    (tmp_path / "true" / "mine" / "packed.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not a whole safetensors file"):
        load_multivector(tmp_path / "true", CPU)


def test_new_words_begin_as_their_neighbours(data, base):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    from xsearch.train.neural.recipe import Extension
    from xsearch.train.neural.vocabulary import extend, neighbours_mean

    model, tokenizer = AutoModelForMaskedLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    corpus = read_corpus(data, (Source("parallel/*.jsonl"),), (), 1)
    size, before = len(tokenizer), model.get_input_embeddings().weight.detach().clone()
    cut = {word: len(tokenizer.tokenize(word)) for word in corpus.rows.texts.texts[0].split()}
    words = extend(model, tokenizer, Extension(words=30, texts=300), corpus, 1)
    assert len(words) == 30 == len(tokenizer) - size
    assert all(cut.get(word, 3) >= 3 for word in words)
    numbers = tokenizer(f"{words[0]} {words[1]}", add_special_tokens=False)["input_ids"]
    assert numbers == [size, size + 1]
    table = model.get_input_embeddings().weight.detach()
    np.testing.assert_array_equal(table[:size], before[:size])
    static = load_encoder()
    spelled = [t.removeprefix("##") if t not in tokenizer.all_special_tokens else "" for t in
               tokenizer.convert_ids_to_tokens(range(size))]  # fmt: skip
    known = static.encode_queries(spelled)
    wanted = np.zeros(table.shape[1])
    cosines = np.where(known.any(axis=1), known @ static.encode_queries(words[:1])[0], -9.0)
    near = sorted(range(size), key=lambda n: -cosines[n])
    shares = np.exp(cosines[near[:10]] / 0.1)
    for n, share in zip(near[:10], shares / shares.sum(), strict=True):
        wanted += share * before[n].numpy()
    np.testing.assert_allclose(table[size], wanted, atol=1e-4)
    axes = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(neighbours_mean(axes, axes, axes, 1, 0.1), axes)


def test_what_cannot_be_trained_says_so(tmp_path, data, models, base):
    chosen = load_neural_recipe(recipe(tmp_path, model="layers = 9"))
    with pytest.raises(BadInput, match="has not 9 layers to keep"):
        train_neural(chosen, data, tmp_path / "out", str(base), "cpu")
    broken = models / "broken-base"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(BadInput, match="cannot be loaded to be trained"):
        train_neural(load_neural_recipe(recipe(tmp_path)), data, tmp_path / "out", str(broken), "cpu")
