"""Modules learnt: only theirs changes, runs go on where they were cut, and what comes out reranks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import xsearch
from xsearch.cli.app import app
from xsearch.core import BadInput, Document, Query, UsageError
from xsearch.encode import Runtime
from xsearch.encode.neural.modules import Composition, read_module
from xsearch.encode.neural.modules.base import load_base
from xsearch.encode.neural.modules.card import AdapterSettings, Module, ModuleCard
from xsearch.rank.rerank import RerankCandidate, load_reranker, read_reranker_card
from xsearch.train.neural.modules import fitting, ticket
from xsearch.train.neural.modules.compose import train_reranker
from xsearch.train.neural.modules.judgments import Judgments, judged_pairs
from xsearch.train.neural.modules.language import train_language, words_loss
from xsearch.train.neural.modules.pairs import Candidates, found_pairs, pair_data
from xsearch.train.neural.modules.plan import Plan, RerankerRecipe
from xsearch.train.neural.modules.ranking import candidates_loss, reciprocal_rank
from xsearch.train.neural.modules.texts import in_another, masked, read_language, tokens
from xsearch.train.neural.modules.weights import fresh_adapter
from xsearch.train.recipe_file import read_recipe

pytestmark = pytest.mark.neural

CPU = Runtime("cpu", "fp32")
KINDS = ("adapter", "sft", "lora", "ia3")
QUICK = {"steps": 12, "full_steps": 6, "batch": 4, "length": 32, "learning_rate": 3e-3, "entries": 300, "negatives": 2}


@pytest.fixture(scope="module")
def base(models):
    return tiny.bert(models / "training-bert", masked=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "de.txt").write_text("\n".join(f"{tiny.TEXTS[1]} {n}\n{tiny.TEXTS[7]} {n}" for n in range(20)))
    lines = [
        {"query": f"{word} {n}", "positive": text, "negatives": [tiny.TEXTS[4]]}
        for n in range(8)
        for word, text in (("river town", tiny.TEXTS[0]), ("prices of bread", tiny.TEXTS[7]), ("short", tiny.TEXTS[6]))
    ]
    (folder / "pairs.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return folder


def plan(kind, lang="de", **changes):
    return Plan(kind=kind, lang=lang, **(QUICK | changes))


@pytest.fixture
def bodies(monkeypatch):
    """The bases that training loads."""
    found = []

    def remember(*arguments, **named):
        found.append(load_base(*arguments, **named))
        return found[-1]

    for place in ("language", "ranking"):
        monkeypatch.setattr(f"xsearch.train.neural.modules.{place}.load_base", remember)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_module_changes_and_it_learns(tmp_path, base, files, bodies, kind):
    rates = {"ia3": 3e-2, "lora": 1e-2, "sft": 1e-2}
    made = train_reranker(
        str(base), tmp_path, plan(kind, steps=40, learning_rate=rates.get(kind, 3e-3)), [files / "de.txt"], runtime=CPU
    )
    assert str(tmp_path / "languages" / "de.toml") in made[0]
    language = read_module(tmp_path / "languages" / "de")
    before = load_file(base / "model.safetensors")
    for name, parameter in bodies[0].body.named_parameters():
        if f"bert.{name}" in before:
            assert torch.equal(parameter, before[f"bert.{name}"]), name
    fresh = load_base(base, CPU, predicts=True)
    composition = Composition(fresh.body, torch)
    texts = (files / "de.txt").read_text().splitlines()[:20]
    with torch.no_grad():
        plain = float(words_loss(fresh, texts, 32, (7, 7)))
        composition.compose([[language]])
        if kind == "adapter":
            composition.invert_before(fresh.model.get_output_embeddings())
        assert float(words_loss(fresh, texts, 32, (7, 7))) < plain - 0.05
    assert language.card.lang == "de"
    assert language.card.scores["heldout loss"] > 0

    train_reranker(str(base), tmp_path, plan(kind, length=128), pairs=[files / "pairs.jsonl"], runtime=CPU)
    ranking = read_module(tmp_path / "ranking" / "ranking")
    assert ranking.card.under == language.card.fingerprint
    assert ranking.tensors["head.weight"].shape == (1, 32)
    # The language module is the same file as before, and the base is untouched.
    assert read_module(tmp_path / "languages" / "de").card.fingerprint == language.card.fingerprint
    for name, parameter in bodies[1].body.named_parameters():
        if f"bert.{name}" in before:
            assert torch.equal(parameter, before[f"bert.{name}"]), name
    if kind == "sft":
        count = sum(len(at) for name, at in ranking.tensors.items() if name.endswith(".indices"))
        assert count == 300 == ranking.card.settings["entries"]
    # What was trained is what is composed: the figure measured in training comes out again.
    reranker = xsearch.rank.rerank.load_reranker(tmp_path, CPU)
    data = pair_data(list(found_pairs([files / "pairs.jsonl"])), 1)
    held = data.measured(2, 1)
    score = reranker._ranker.score

    def scores(queries, passages):
        count = len(queries)
        return torch.from_numpy(score(queries, list(passages), ["de"] * count, ["de"] * count))

    assert reciprocal_rank(scores, held) == pytest.approx(ranking.card.scores["heldout MRR"], abs=1e-4)


@pytest.mark.parametrize(("kind", "stop"), [("adapter", 5), ("sft", 3), ("lora", 7)])
def test_a_run_that_was_cut_goes_on_to_the_same_module(tmp_path, base, files, monkeypatch, kind, stop):
    def train(out):
        train_reranker(str(base), out, plan(kind), pairs=[files / "pairs.jsonl"], runtime=CPU)
        return load_file(out / "ranking" / "ranking.safetensors")

    whole = train(tmp_path / "whole")
    fit, calls = fitting.fit, []

    def cut(weights, draw, *rest, **named):
        calls.append(1)

        def until(number):
            if number >= stop and len(calls) == (2 if kind == "sft" else 1):
                raise KeyboardInterrupt
            return draw(number)

        return fit(weights, until, *rest, **named)

    monkeypatch.setattr(fitting, "fit", cut)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut")
    assert list((tmp_path / "cut" / "ranking").glob(".ranking.work/*/state.pt"))
    monkeypatch.setattr(fitting, "fit", fit)
    again = train(tmp_path / "cut")
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert not (tmp_path / "cut" / "ranking" / ".ranking.work").exists()


def test_a_loss_that_is_not_finite_stops_and_leaves_its_batch(tmp_path, base, files):
    with pytest.raises(BadInput, match="failed-batch"):
        train_reranker(
            str(base), tmp_path, plan("adapter", learning_rate=1e30), pairs=[files / "pairs.jsonl"], runtime=CPU
        )
    kept = json.loads(next(tmp_path.rglob("failed-batch.json")).read_text())
    assert kept["batches"][0]["queries"]
    assert not list(tmp_path.rglob("*.safetensors"))


def test_fresh_adapters_change_nothing_yet(base):
    loaded = load_base(base, CPU)
    named = fresh_adapter(loaded, AdapterSettings(attention=True, reduction=4, invertible=True), 1)
    ids = torch.randint(5, 100, (2, 9))
    with torch.no_grad():
        before = loaded.states(ids, torch.ones_like(ids), torch.zeros_like(ids))
        composition = Composition(loaded.body, torch)
        composition.compose([[Module(ModuleCard("x", "adapter", "language", loaded.fingerprint), named)]])
        after = loaded.states(ids, torch.ones_like(ids), torch.zeros_like(ids))
    torch.testing.assert_close(before, after, atol=1e-6, rtol=0)
    assert named["encoder.layer.1.attention.output.down.weight"].shape == (8, 32)
    assert named["embeddings.G.0.weight"].shape == (8, 16)


def test_the_farthest_weights_are_those_numpy_finds():
    rng = np.random.default_rng(3)
    start = {"a": rng.standard_normal((4, 5)), "b": rng.standard_normal(6), "c": rng.standard_normal((2, 3))}
    moved = {name: value + rng.standard_normal(value.shape) for name, value in start.items()}
    moved["b"] = start["b"] + 1e-6
    tensors = [{name: torch.from_numpy(value) for name, value in table.items()} for table in (moved, start)]
    found = ticket.farthest(*tensors, 9)
    flat = np.concatenate([np.abs(moved[name] - start[name]).ravel() for name in start])
    wanted = set(np.argsort(-flat)[:9].tolist())
    offsets = {"a": 0, "b": 20, "c": 26}
    assert {offsets[name] + int(n) for name, at in found.items() for n in at} == wanted
    assert "b" not in found
    assert all(at.dtype == torch.int32 and sorted(at) == list(at) for at in found.values())
    assert float(ticket.distance(*tensors)) == pytest.approx(flat.sum() / 32)


def test_masked_tokens_are_as_bert_masks_them():
    rng = np.random.default_rng(1)
    ids = rng.integers(5, 200, (400, 60))
    special = np.zeros_like(ids)
    special[:, 0] = special[:, 50:] = 1
    given, wanted = masked(ids, special, 4, 200, (1, 2))
    chosen = wanted != -100
    assert not chosen[special == 1].any()
    assert chosen.any(axis=1).all()
    assert chosen.sum() / (special == 0).sum() == pytest.approx(0.15, abs=0.01)
    assert np.array_equal(wanted[chosen], ids[chosen])
    assert np.array_equal(given[~chosen], ids[~chosen])
    assert (given[chosen] == 4).mean() == pytest.approx(0.8, abs=0.03)
    assert (given[chosen] == ids[chosen]).mean() == pytest.approx(0.1, abs=0.03)
    assert np.array_equal(given, masked(ids, special, 4, 200, (1, 2))[0])
    # A text of one token has it masked, one without any has none.
    _, few = masked(np.array([[2, 9, 3], [2, 3, 0]]), np.array([[1, 0, 1], [1, 1, 1]]), 4, 200, (1,))
    assert few.tolist() == [[-100, 9, -100], [-100] * 3]


def test_padding_is_never_a_word(base):
    loaded = load_base(base, CPU)
    ids, special = tokens(loaded.tokenizer, ["A short one.", tiny.TEXTS[0]], 16)
    assert ids.shape == (2, 16)
    assert special[0, -1] == 1
    assert special[1].sum() == 2


def test_the_loss_of_masked_words_is_transformers_own(base):
    loaded = load_base(base, CPU, predicts=True)
    ids, special = tokens(loaded.tokenizer, tiny.TEXTS, 24)
    given, wanted = masked(ids, special, loaded.tokenizer.mask_token_id, len(loaded.tokenizer), (1, 2))
    mask = torch.from_numpy((ids != loaded.tokenizer.pad_token_id).astype(np.int64))
    with torch.no_grad():
        whole = loaded.model(input_ids=torch.from_numpy(given), attention_mask=mask, labels=torch.from_numpy(wanted))
        loss = words_loss(loaded, tiny.TEXTS, 24, (1, 2))
    assert float(loss) == pytest.approx(float(whole.loss), rel=1e-5)


def test_losses_of_candidates_are_those_computed_by_hand():
    table = {("q", "a"): 2.0, ("q", "b"): 1.0, ("q", "c"): 3.0, ("r", "a"): 0.5, ("r", "c"): 0.5}
    batch = Candidates(("q", "r"), (("a", "b", "c"), ("c", "a")))

    def score(queries, passages):
        return torch.tensor([table[pair] for pair in zip(queries, passages, strict=True)])

    by_hand = [np.log(np.exp([2.0, 1.0, 3.0]).sum()) - 2.0, np.log(2)]
    assert float(candidates_loss(score, batch)) == pytest.approx(np.mean(by_hand))
    # Second of three; of two equal ones the last.
    assert reciprocal_rank(score, batch) == 0.5


def test_candidates_have_one_answer_and_no_other_of_the_same_query(files):
    data = pair_data(list(found_pairs([files / "pairs.jsonl"])), 1)
    assert not {pair.query for pair in data.train} & {pair.query for pair in data.held}
    for number in range(10):
        batch = data.batch(number, 6, 3, 1)
        assert batch == data.batch(number, 6, 3, 1)
        answers = {pair.query: pair.positive for pair in data.train}
        for query, passages in zip(batch.queries, batch.passages, strict=True):
            assert passages[0] == answers[query]
            assert tiny.TEXTS[4] in passages[1:]
            assert len(set(passages)) == len(passages)


def test_judged_documents_become_pairs(tmp_path):
    (tmp_path / "qrels").write_text("t1 0 d1 2\nt1 0 d2 0\nt1 0 gone 0\nt2 0 d2 1\n")
    (tmp_path / "topics.jsonl").write_text(
        '{"id": "t1", "lang": "en", "text": "river"}\n{"id": "t1", "lang": "de", "text": "Fluss"}\n'
        '{"id": "t2", "lang": "en", "text": "town"}\n'
    )
    (tmp_path / "docs.jsonl").write_text(
        '{"id": "d1", "title": "One", "text": "about a river"}\n{"id": "d2", "text": "about a town"}\n'
    )
    judged = Judgments(tmp_path / "qrels", tmp_path / "topics.jsonl", tmp_path / "docs.jsonl")
    found = [pair for _, pair in judged_pairs(judged, "en")]
    assert [(pair.query, pair.positive, pair.negatives) for pair in found] == [
        ("river", "One\nabout a river", ("about a town",)),
        ("town", "about a town", ()),
    ]


def test_texts_of_a_language_are_found_in_every_form(tmp_path):
    (tmp_path / "a.txt").write_text("eins\n\n zwei \neins\n")
    (tmp_path / "b.jsonl").write_text(
        '{"en": "three", "de": ["drei", "drei mal"]}\n{"text": "vier", "lang": "de"}\n{"text": "five", "lang": "en"}\n'
        '{"title": {"de": "x"}, "text": {"de": "sechs", "en": "six"}}\n{"text": "sieben"}\n'
    )
    found = read_language([tmp_path / "a.txt", tmp_path / "b.jsonl"], "de", 1)
    assert {*found.train, *found.held} == {"eins", "zwei", "drei", "drei mal", "vier", "sechs", "sieben"}
    (tmp_path / "eval.jsonl").write_text('{"id": "1", "text": "ZWEI"}\n')
    without = read_language([tmp_path / "a.txt", tmp_path / "b.jsonl"], "de", 1, [tmp_path / "eval.jsonl"])
    assert without.left_out == 1
    assert "zwei" not in [*without.train, *without.held]
    with pytest.raises(BadInput, match="no text in 'sw'"):
        read_language([tmp_path / "b.jsonl"], "sw", 1)
    (tmp_path / "latin1.txt").write_bytes("fünf\n".encode("latin-1"))
    for name, said in (("gone.txt", "cannot be read: No such file"), ("latin1.txt", "not UTF-8")):
        with pytest.raises(BadInput, match=said):
            read_language([tmp_path / name], "de", 1)


def test_texts_in_another_language_are_remarked_on(tmp_path, base):
    german = [f"Im Jahr {n} überschwemmte der Fluss die Altstadt; die Brücke war gesperrt." for n in range(6)]
    assert in_another(german, "sw") == "de"
    assert in_another(german, "de") is None
    assert in_another([*german[:2], "42", "17", "eins", "OK"], "sw") is None
    assert in_another([], "sw") is None
    (tmp_path / "sw.txt").write_text("\n".join(german))
    steps = []
    made = plan("adapter", "sw", steps=1)
    train_language(str(base), [tmp_path / "sw.txt"], tmp_path, made, runtime=CPU, on_progress=steps.append)
    assert [step.note for step in steps if step.note] == ["most texts seem to be in 'de', not in 'sw'"]


def test_what_cannot_be_trained_is_said(tmp_path, base, files):
    def fails(match, error=BadInput, kind="adapter", lang="de", **given):
        with pytest.raises(error, match=match):
            train_reranker(str(base), tmp_path / "o", plan(kind, lang), runtime=CPU, **given)

    fails("not both", UsageError, texts=[files / "de.txt"], pairs=[files / "pairs.jsonl"])
    fails("--text", UsageError)
    fails("--lang is missing", UsageError, lang="", texts=[files / "de.txt"])
    fails("--module", UsageError, kind="", texts=[files / "de.txt"])
    fails("both not of adapters", UsageError, pairs=[files / "pairs.jsonl"], setting="both")
    fails("unknown kind", UsageError, kind="prefix", texts=[files / "de.txt"])
    one = tmp_path / "one.jsonl"
    one.write_text('{"query": "a", "positive": "b"}\n{"query": "a", "positive": "c"}\n')
    fails("at least three queries", pairs=[one])
    one.write_text('{"query": "a", "positive": "b"}\n{"query": "c", "positive": "d"}\n')
    fails("2 pairs with 2 different queries", pairs=[one])
    held = tmp_path / "eval.jsonl"
    held.write_text(json.dumps({"id": "1", "text": tiny.TEXTS[0]}))
    fails("evaluation text", pairs=[files / "pairs.jsonl"], exclude=[held])
    one.write_text("[]\n")
    fails(r"one\.jsonl:1", pairs=[one])
    plain = tiny.bert(tmp_path / "headless")
    with pytest.raises(BadInput, match="cannot predict masked words"):
        train_reranker(str(plain), tmp_path / "o", plan("adapter"), [files / "de.txt"], runtime=CPU)
    assert not (tmp_path / "o").exists()


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
