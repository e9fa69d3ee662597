"""Modules learnt: only theirs changes, and runs go on where they were cut."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from reranker_data import CPU, plan, write_files
from safetensors.torch import load_file

import xsearch
from xsearch.core import BadInput, UsageError
from xsearch.encode.neural.modules import Composition, read_module
from xsearch.encode.neural.modules.base import load_base
from xsearch.encode.neural.modules.card import AdapterSettings, Module, ModuleCard
from xsearch.rank.rerank import read_reranker_card
from xsearch.train.neural.modules import fitting, ticket
from xsearch.train.neural.modules.compose import train_reranker
from xsearch.train.neural.modules.language import words_loss
from xsearch.train.neural.modules.pairs import found_pairs, pair_data
from xsearch.train.neural.modules.ranking import reciprocal_rank
from xsearch.train.neural.modules.weights import fresh_adapter

pytestmark = pytest.mark.neural

KINDS = ("adapter", "sft", "lora", "ia3")


@pytest.fixture(scope="module")
def base(models):
    return tiny.bert(models / "training-bert", masked=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("data"))


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
    assert 0 < language.card.scores["heldout loss"] < language.card.scores["heldout loss before"]
    shown = "heldout loss {heldout loss before:.3f} → {heldout loss:.3f}".format_map(language.card.scores)
    assert made[0].endswith(shown)

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


def test_a_base_is_shown_no_more_than_it_reads(tmp_path, base):
    long = " ".join(tiny.TEXTS * 4)
    (tmp_path / "long.txt").write_text("\n".join(f"{n} {long}" for n in range(6)))
    pairs = [{"query": f"river {n}", "positive": f"{n} {long}"} for n in range(6)]
    (tmp_path / "long.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    short = {"steps": 1, "batch": 2, "length": 256}
    train_reranker(str(base), tmp_path / "o", plan("adapter", **short), [tmp_path / "long.txt"], runtime=CPU)
    train_reranker(str(base), tmp_path / "o", plan("adapter", **short), pairs=[tmp_path / "long.jsonl"], runtime=CPU)
    train_reranker(str(base), tmp_path / "whole", plan("", **short), pairs=[tmp_path / "long.jsonl"], runtime=CPU)
    assert [read_reranker_card(tmp_path / name / f"{name}.toml").max_length for name in ("o", "whole")] == [130, 130]


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
