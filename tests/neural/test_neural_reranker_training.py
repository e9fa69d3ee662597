"""Rerankers from the command line: what it trains is what `--rerank` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from reranker_data import CPU, plan, write_files
from safetensors.torch import load_file
from typer.testing import CliRunner

import xsearch
from xsearch.cli.app import app
from xsearch.core import BadInput, Document, Query, UsageError
from xsearch.rank.rerank import RerankCandidate, load_reranker, read_reranker_card
from xsearch.train.neural.modules.compose import train_reranker
from xsearch.train.neural.modules.plan import RerankerRecipe
from xsearch.train.recipe_file import read_recipe

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
def base(models):
    return tiny.bert(models / "training-bert", masked=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("data"))


def test_commands_train_and_rerank(tmp_path, base, files):
    run = CliRunner().invoke
    quick = ["--steps", "6", "--batch", "4", "--length", "48", "--device", "cpu"]
    start = ["train", "reranker", "--base", str(base), "--out", str(tmp_path / "ours"), "--module", "adapter", *quick]
    for lang in ("de", "en"):
        done = run(app, [*start, "--lang", lang, "--text", str(files / "de.txt")])
        assert done.exit_code == 0, done.output
    with pytest.raises(UsageError, match="holds modules of languages and none for ranking"):
        load_reranker(tmp_path / "ours", CPU)
    done = run(app, [*start, "--lang", "en", "--pairs", str(files / "pairs.jsonl"), "--setting", "split"])
    assert done.exit_code == 0, done.output
    assert "--rerank" in done.output
    with xsearch.create(tmp_path / "i").writer() as writer:
        for number, (text, lang) in enumerate(zip(tiny.TEXTS, ["en", "de", "ru", "fr", "zh", "tr"], strict=False)):
            writer.add(Document(str(number), text, lang=lang))
    asked = ["query", "the river flooded the town", "-i", str(tmp_path / "i"), "--lang", "en", "--format", "json"]
    answer = json.loads(run(app, [*asked, "--rerank", str(tmp_path / "ours")]).stdout)
    assert answer["rerank"]["reranker"] == "ours"
    scores = [hit["score"] for hit in answer["hits"]]
    assert scores == sorted(scores, reverse=True)
    plain = json.loads(run(app, asked).stdout)
    assert {hit["id"] for hit in answer["hits"]} == {hit["id"] for hit in plain["hits"]}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched") / "i"
    with xsearch.create(folder, recipe="bm25").writer() as writer:
        for number, (text, lang) in enumerate(zip(tiny.TEXTS, ["en", "de", "ru", "fr", "zh", "tr"], strict=False)):
            writer.add(Document(str(number), text, lang=lang))
    return folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Options that name judgments in two languages."""
    folder = tmp_path_factory.mktemp("judged")
    texts = {"d1": "the flood came at night", "d2": "wheat and bread", "d3": "a short note"}
    write = {
        "docs.jsonl": [{"id": id, "text": text, "lang": "en"} for id, text in texts.items()],
        "topics.jsonl": [
            {"id": f"t{n}", "lang": lang, "text": f"{text} {n} {lang}"}
            for n, text in enumerate(texts.values())
            for lang in ("en", "de")
        ],
    }
    for name, records in write.items():
        (folder / name).write_text("\n".join(map(json.dumps, records)))
    (folder / "qrels").write_text("t0 0 d1 1\nt0 0 d2 0\nt1 0 d2 2\nt2 0 d3 1\n")
    named = {"--judgments": "qrels", "--topics": "topics.jsonl", "--docs": "docs.jsonl"}
    return [part for option, name in named.items() for part in (option, str(folder / name))]


def test_a_cross_encoder_is_trained_by_a_recipe_from_judgments_and_reranks(tmp_path, base, judged, index):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f'base = "{base}"\n[plan]\nsteps = 9\nbatch = 2\nlength = 40\nnegatives = 1\n')
    run = CliRunner().invoke
    start = ["train", "reranker", "--recipe", str(recipe), *judged, "--out", str(tmp_path / "whole"), "--device", "cpu"]
    done = run(app, [*start, "--steps", "2"])
    assert done.exit_code == 0, done.output
    card = read_reranker_card(tmp_path / "whole" / "whole.toml")
    assert (card.kind, card.max_length) == ("reranker-cross", 40)
    # Six wordings, of three documents; one is kept to measure with.
    assert "5 pairs" in card.description
    asked = ["query", "the river flooded the town", "-i", str(index), "--lang", "en", "--format", "json"]
    answer = json.loads(run(app, [*asked, "--rerank", str(tmp_path / "whole")]).stdout)
    assert answer["rerank"]["reranker"] == "whole"
    ours = load_reranker(tmp_path / "whole", CPU)
    passage = RerankCandidate(0, "0", "en", None, tiny.TEXTS[0], 0.0)
    (expected,) = ours.score(Query("the river flooded the town", (("en", 1.0),)), [passage]).tolist()
    first = next(hit for hit in answer["hits"] if hit["id"] == "0")
    assert first["score"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["sft", "lora"])
def test_changes_of_weights_are_composed_by_language_through_the_commands(tmp_path, base, files, judged, index, kind):
    run = CliRunner().invoke
    start = ["train", "reranker", "--base", str(base), "--out", str(tmp_path / "ours"), "--module", kind]
    start += ["--steps", "2", "--batch", "2", "--length", "32", "--device", "cpu"]
    start += ["--full-steps", "2", "--entries", "50"] if kind == "sft" else ["--rank", "2"]
    ranking = [*start, "--lang", "en", *judged, "--setting", "both"]
    assert "on no language module" in run(app, ranking).output
    made = run(app, [*start, "--lang", "de", "--text", str(files / "de.txt")])
    assert "is without language modules: train its ranking module again" in made.output, made.output
    assert run(app, ranking).exit_code == 0
    asked = ["query", "river town flooded", "-i", str(index), "--lang", "de", "--rerank", str(tmp_path / "ours")]
    shown = run(app, [*asked, "--format", "json"])
    assert json.loads(shown.stdout)["rerank"]["reranker"] == "ours"
    # No module of English: its relative's is used, and that is said.
    assert "texts in languages without a module, read by that of 'de', the nearest: " in run(app, asked).output
    assert "read by modules of de" in run(app, [*asked, "--explain"]).stdout


def test_recipes_of_rerankers_that_ship_are_read_and_others_refused(tmp_path):
    assert read_recipe(Path("cross-encoder"), RerankerRecipe).plan.kind == ""
    assert read_recipe(Path("adapters"), RerankerRecipe).plan.kind == "adapter"
    with pytest.raises(BadInput, match=r"a name of those that ship: adapters, cross-encoder$"):
        read_recipe(Path("adapter"), RerankerRecipe)
    with pytest.raises(BadInput, match=r"contrastive\.toml: Object contains unknown field"):
        read_recipe(Path("contrastive"), RerankerRecipe)
    said = CliRunner().invoke(app, ["train", "reranker", "--out", str(tmp_path), "--pairs", "p.jsonl"])
    assert "which checkpoint to begin from" in str(said.exception)


def test_a_whole_cross_encoder_is_trained_and_saved(tmp_path, base, files):
    from transformers import AutoModelForSequenceClassification

    train_reranker(str(base), tmp_path / "o", plan(""), pairs=[files / "pairs.jsonl"], runtime=CPU)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "o" / "model")
    assert model.config.num_labels == 1
    before = load_file(base / "model.safetensors")["bert.encoder.layer.0.output.dense.weight"]
    assert not torch.equal(model.bert.encoder.layer[0].output.dense.weight, before)
    assert (tmp_path / "o" / "o.toml").is_file()
