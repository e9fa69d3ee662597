"""Modules put on a base: against a transformer written out by hand, against peft, and taken off again."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import tiny_modules as made
import torch
from forward_by_hand import HOULSBY, PFEIFFER, batch, by_hand, states
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xsearch.core import BadInput
from xsearch.encode import Runtime
from xsearch.encode.neural.modules import Composition, read_module, write_module
from xsearch.encode.neural.modules.base import load_base

pytestmark = pytest.mark.neural

CPU = Runtime("cpu")


@pytest.fixture(scope="module")
def base(models):
    return load_base(tiny.bert(models / "modules-bert", masked=True), CPU)


@pytest.mark.parametrize("lower", [PFEIFFER, HOULSBY])
@pytest.mark.parametrize("upper", [{}, HOULSBY])
def test_stacked_adapters_are_the_forward_written_by_hand(base, lower, upper):
    given = batch(base)
    stack = [
        made.adapter(base.fingerprint, "de", 1, **lower),
        made.adapter(base.fingerprint, "", 2, head=True, **upper),
    ]
    plain = by_hand(base, given)
    composition = Composition(base.body, torch)
    real = given[1].bool()
    torch.testing.assert_close(states(base, given)[real], plain[real], atol=2e-5, rtol=1e-4)
    for invertible in (True, False):
        composition.compose([stack], invertible)
        wanted = by_hand(base, given, stack, coupled=invertible)
        torch.testing.assert_close(states(base, given)[real], wanted[real], atol=2e-5, rtol=1e-4)
        assert (wanted - plain).abs().max() > 0.1
    composition.remove()


def modules_of(base, lang="de", seed=1):
    return [
        made.adapter(base.fingerprint, lang, seed, **PFEIFFER),
        made.adapter(base.fingerprint, lang, seed, **HOULSBY),
        made.sparse(base.fingerprint, base.body, lang, seed),
        made.low_rank(base.fingerprint, lang, seed),
        made.scaling(base.fingerprint, lang, seed),
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_module_taken_off_leaves_the_base_as_it_was_to_the_last_bit(base, number):
    given = batch(base)
    before, weights = states(base, given), {n: p.clone() for n, p in base.body.named_parameters()}
    composition = Composition(base.body, torch)
    composition.compose([[modules_of(base)[number], made.adapter(base.fingerprint, "", 9, head=True)], []])
    changed = states(base, given)
    assert (changed - before).abs().max() > 0.05
    composition.route(torch.ones_like(given[0]))
    torch.testing.assert_close(states(base, given), before, atol=1e-6, rtol=1e-5)
    composition.remove()
    assert torch.equal(states(base, given), before)
    assert all(torch.equal(p, weights[n]) for n, p in base.body.named_parameters())
    assert not any("forward" in layer.__dict__ for layer in base.body.modules())


def test_the_sum_of_two_masks_is_the_sum_of_their_changes(base):
    given = batch(base)
    first = made.sparse(base.fingerprint, base.body, "de", 1)
    second = made.sparse(base.fingerprint, base.body, "ru", 2)
    composition = Composition(base.body, torch)
    composition.compose([[first, second]])
    composed = states(base, given)
    composition.remove()
    kept = {name: parameter.clone() for name, parameter in base.body.named_parameters()}
    with torch.no_grad():
        for module in (first, second):
            for name, tensor in module.tensors.items():
                if name.endswith(".indices"):
                    parameter = base.body.get_parameter(name.removesuffix(".indices"))
                    dense = np.zeros(parameter.numel(), dtype=np.float32)
                    dense[tensor.numpy()] = module.tensors[f"{name.removesuffix('.indices')}.values"].numpy()
                    parameter += torch.from_numpy(dense).view_as(parameter)
    reference = states(base, given)
    with torch.no_grad():
        for name, parameter in base.body.named_parameters():
            parameter.copy_(kept[name])
    torch.testing.assert_close(composed, reference, atol=1e-5, rtol=1e-5)
    assert (reference - states(base, given)).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_low_rank_and_scaling_modules_are_what_peft_computes(base, models, kind):
    peft = pytest.importorskip("peft")
    from transformers import AutoModel

    given = batch(base)
    module = (made.low_rank if kind == "lora" else made.scaling)(base.fingerprint, "de", 3)
    config = (
        peft.LoraConfig(r=4, lora_alpha=8, target_modules=["query", "value"])
        if kind == "lora"
        else peft.IA3Config(
            target_modules=["key", "0.output.dense", "1.output.dense"],
            feedforward_modules=["0.output.dense", "1.output.dense"],
        )
    )
    model = peft.inject_adapter_in_model(config, AutoModel.from_pretrained(models / "modules-bert")).eval()
    loaded = peft.set_peft_model_state_dict(model, dict(module.tensors))
    assert not loaded.unexpected_keys
    with torch.no_grad():
        wanted = model(input_ids=given[0], attention_mask=given[1], token_type_ids=given[2]).last_hidden_state
    composition = Composition(base.body, torch)
    composition.compose([[module]])
    torch.testing.assert_close(states(base, given), wanted, atol=2e-5, rtol=1e-4)
    composition.remove()


@pytest.mark.parametrize("number", range(5))
def test_a_batch_of_several_languages_is_each_language_alone(base, number):
    given = batch(base)
    stacks = [[modules_of(base, lang, seed)[number]] for lang, seed in (("de", 1), ("ru", 2))]
    composition = Composition(base.body, torch)
    composition.compose([*stacks, []])
    slots = torch.tensor([0, 1, 2])[:, None].expand_as(given[0])
    composition.route(slots)
    together = states(base, given)
    for row in range(3):
        composition.route(torch.full_like(given[0], row))
        torch.testing.assert_close(together[row], states(base, given)[row], atol=2e-5, rtol=1e-4)
    composition.remove()
    assert (together[0] - states(base, given)[0]).abs().max() > 0.05


@pytest.mark.parametrize("number", range(5))
def test_segments_that_do_not_see_each_other_are_each_as_in_their_own_language(base, number):
    """With attention within segments only, the split stack gives the query's tokens what the query's stack gives the
    whole pair, and the passage's tokens what the passage's stack gives it."""
    numbers, mask, types, segments = batch(base)
    inside = (segments[:, :, None] == segments[:, None, :]) & mask[:, None, :].bool()
    blocked = torch.where(inside[:, None], 0.0, torch.finfo(torch.float32).min)
    stacks = [[modules_of(base, lang, seed)[number]] for lang, seed in (("de", 1), ("ru", 2))]
    composition = Composition(base.body, torch)
    composition.compose(stacks)
    composition.route(segments)
    split = states(base, (numbers, blocked, types))
    for side in (0, 1):
        composition.route(torch.full_like(numbers, side))
        alone = states(base, (numbers, blocked, types))
        here = (segments == side) & mask.bool()
        torch.testing.assert_close(split[here], alone[here], atol=2e-5, rtol=1e-4)
        other = (segments != side) & mask.bool()
        assert (split[other] - alone[other]).abs().max() > 0.05
    composition.remove()


def test_a_roberta_takes_modules_too(models):
    roberta = load_base(tiny.xlmr(models / "modules-xlmr"), CPU)
    given = batch(roberta)
    before = states(roberta, given)
    composition = Composition(roberta.body, torch)
    composition.compose([[module] for module in modules_of(roberta)])
    for number in range(5):
        composition.route(torch.full_like(given[0], number))
        assert (states(roberta, given) - before).abs().max() > 0.05
    composition.remove()
    assert torch.equal(states(roberta, given), before)


def test_bases_that_are_built_otherwise_are_refused(models):
    with pytest.raises(BadInput, match="'xmod' takes no modules"):
        Composition(load_base(tiny.xmod(models / "modules-xmod"), CPU).body, torch)
    with pytest.raises(BadInput, match="'qwen3' takes no modules"):
        Composition(load_base(tiny.decoder(models / "modules-qwen"), CPU).body, torch)


def test_modules_that_do_not_fit_the_base_are_refused(base):
    wrong = made.low_rank(base.fingerprint, "de", 3)
    wrong.tensors["encoder.layer.7.attention.self.query.lora_A.weight"] = torch.zeros(4, 32)
    wrong.tensors["encoder.layer.7.attention.self.query.lora_B.weight"] = torch.zeros(32, 4)
    with pytest.raises(BadInput, match=r"layer\.7"):
        Composition(base.body, torch).check(wrong)
    narrow = made.adapter(base.fingerprint, "de", 3)
    narrow.tensors["encoder.layer.0.output.up.weight"] = torch.zeros(16, 8)
    with pytest.raises(BadInput, match=r"layer\.0\.output"):
        Composition(base.body, torch).check(narrow)
    del narrow.tensors["encoder.layer.0.output.up.weight"]
    with pytest.raises(BadInput, match=r"layer\.0\.output"):
        Composition(base.body, torch).check(narrow)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.integers(0, 400), st.sampled_from([".toml", ".safetensors"]))
@example(b"\xff", 0, ".toml")
def test_damaged_files_are_bad_input_and_nothing_else(tmp_path, base, noise, at, suffix):
    path = write_module(made.adapter(base.fingerprint, "de", 1), tmp_path)
    file = path.with_suffix(suffix)
    content = file.read_bytes()
    file.write_bytes(content[:at] + noise + content[at + len(noise) + 1 :])
    if suffix == ".safetensors":
        with pytest.raises(BadInput, match="de"):
            read_module(path)
        return
    # A card may be damaged where it does not matter.
    with contextlib.suppress(BadInput):
        read_module(path)
