"""Modules put on a base: against a transformer written out by hand, against peft, and taken off again."""

from __future__ import annotations

import contextlib
import shutil

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import tiny_modules as made
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from xsearch.core import BadInput, UsageError
from xsearch.encode import Runtime
from xsearch.encode.neural.modules import (
    Composition,
    LanguageModules,
    ModularRanker,
    load_ranker,
    read_module,
    write_module,
)
from xsearch.encode.neural.modules.base import load_base
from xsearch.encode.neural.modules.pairs import PairTokens

pytestmark = pytest.mark.neural

CPU = Runtime("cpu")
QUERIES = ["the bridge was closed", "река затопила город", "the old town"]
PASSAGES = [tiny.TEXTS[1], tiny.TEXTS[0], tiny.TEXTS[4]]


@pytest.fixture(scope="module")
def base(models):
    return load_base(tiny.bert(models / "modules-bert", masked=True), CPU)


@pytest.fixture(scope="module")
def roberta(models):
    return load_base(tiny.xlmr(models / "modules-xlmr"), CPU)


def batch(base, count=3):
    pairs = PairTokens(base.tokenizer, 128).tokenise(QUERIES[:count], PASSAGES[:count])
    grids = pairs.padded(np.arange(count), base.tokenizer.pad_token_id)
    return [torch.from_numpy(grid) for grid in grids]


def states(base, given):
    with torch.no_grad():
        return base.states(*given[:3])


def by_hand(base, given, stack=(), coupled=False):
    """BERT's forward from its weights alone, with a stack of adapters: Devlin et al. 2019 and the equations of
    `bottleneck`. No dropout; additive mask."""
    weights, heads = base.body.state_dict(), base.body.config.num_attention_heads
    numbers, mask, types = given[:3]
    hidden = made.HIDDEN

    def dense(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, x):
        x = x - x.mean(-1, keepdim=True)
        x = x / torch.sqrt((x**2).mean(-1, keepdim=True) + base.body.config.layer_norm_eps)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def adapted(place, h, x):
        for module in stack:
            t = module.tensors
            if f"{place}.up.weight" not in t:
                continue
            n = norm(f"{place}.LayerNorm", h + x) if module.card.settings.get("norm_before", True) else h
            inner = torch.relu(n @ t[f"{place}.down.weight"].T + t[f"{place}.down.bias"])
            h = h + inner @ t[f"{place}.up.weight"].T + t[f"{place}.up.bias"]
        return norm(f"{place}.LayerNorm", h + x)

    x = weights["embeddings.word_embeddings.weight"][numbers]
    x = x + weights["embeddings.position_embeddings.weight"][: numbers.shape[1]]
    x = norm("embeddings.LayerNorm", x + weights["embeddings.token_type_embeddings.weight"][types])
    for module in stack if coupled else ():
        t = module.tensors
        if "embeddings.F.0.weight" in t:

            def net(name, v, t=t):
                v = torch.relu(v @ t[f"embeddings.{name}.0.weight"].T + t[f"embeddings.{name}.0.bias"])
                return v @ t[f"embeddings.{name}.2.weight"].T + t[f"embeddings.{name}.2.bias"]

            first, second = x[..., : hidden // 2], x[..., hidden // 2 :]
            first = first + net("F", second)
            x = torch.cat([first, second + net("G", first)], -1)
    for layer in range(made.LAYERS):
        start = f"encoder.layer.{layer}"
        split = [
            dense(f"{start}.attention.self.{name}", x).unflatten(-1, (heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        ]
        scores = split[0] @ split[1].transpose(-1, -2) / (hidden // heads) ** 0.5
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -torch.inf)
        context = (scores.softmax(-1) @ split[2]).transpose(1, 2).flatten(-2)
        x = adapted(f"{start}.attention.output", dense(f"{start}.attention.output.dense", context), x)
        inner = functional.gelu(dense(f"{start}.intermediate.dense", x))
        x = adapted(f"{start}.output", dense(f"{start}.output.dense", inner), x)
    return x


PFEIFFER = {"invertible": True}
HOULSBY = {"attention": True, "norm_before": False}


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


@pytest.fixture
def folder(tmp_path, base):
    for lang, seed in (("de", 1), ("ru", 2), ("en", 3)):
        write_module(made.adapter(base.fingerprint, lang, seed, **PFEIFFER), tmp_path / "languages")
    write_module(made.adapter(base.fingerprint, "", 7, head=True), tmp_path)
    return tmp_path


def ranker(folder, models, setting, languages="languages", **more):
    return load_ranker(
        models / "modules-bert",
        folder / "adapter-7",
        folder / languages if languages else None,
        setting,
        runtime=CPU,
        **more,
    )


def score(found, query_langs=("en", "ru", "en"), passage_langs=("de", "en", "ru")):
    return found.score(QUERIES, PASSAGES, query_langs, passage_langs)


def test_a_setting_says_whose_module_reads_what(folder, models, base):
    scores = {setting: score(ranker(folder, models, setting)) for setting in ("query", "document", "split", "none")}
    for one, other in (("query", "document"), ("query", "split"), ("document", "split"), ("document", "none")):
        assert np.abs(scores[one] - scores[other]).min() > 1e-3
    # The pair of which each setting makes the same:
    same = ("de", "de", "ru"), ("de", "de", "ru")
    wanted = score(ranker(folder, models, "query"), *same)
    for setting in ("document", "split"):
        np.testing.assert_allclose(score(ranker(folder, models, setting), *same), wanted, atol=1e-5)
    # By hand: the document's language below, the ranking module on top, its head on the first token.
    given = batch(base)
    for row, lang in enumerate(("de", "en", "ru")):
        stack = [read_module(folder / "languages" / lang), read_module(folder / "adapter-7")]
        first = by_hand(base, given, stack)[row, 0]
        by_head = first @ stack[1].tensors["head.weight"][0] + stack[1].tensors["head.bias"][0]
        np.testing.assert_allclose(scores["document"][row], by_head, atol=1e-4)


def test_scores_do_not_depend_on_what_else_is_scored(folder, models):
    found = ranker(folder, models, "split")
    together = score(found)
    for row in (2, 0, 1):
        alone = found.score([QUERIES[row]], [PASSAGES[row]], [("en", "ru", "en")[row]], [("de", "en", "ru")[row]])
        np.testing.assert_allclose(alone, together[row : row + 1], atol=1e-5)
    assert len(found.score([], [], [], [])) == 0


def test_pairs_that_do_not_fit_together_are_scored_in_halves(folder, models, monkeypatch, caplog):
    found = ranker(folder, models, "split")
    together, forward = score(found), found._forward

    def small(pairs, slots, rows):
        if len(rows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(pairs, slots, rows)

    monkeypatch.setattr(found, "_forward", small)
    np.testing.assert_allclose(score(found), together, atol=1e-5)
    assert "out of memory" in caplog.text


def test_a_long_passage_is_worth_its_best_window(folder, models):
    found = ranker(folder, models, "document", max_length=40)
    long = " ".join(tiny.TEXTS[n] for n in (0, 7, 1, 0))
    short = "A short one."
    parts, owners = found._tokens.windows([QUERIES[0]] * 2, [long, short])
    assert " ".join(parts[:-1]) == long
    assert len(parts) > 5
    assert parts[-1] == short
    assert owners.tolist() == [0] * (len(parts) - 1) + [1]
    each = [found.score([QUERIES[0]], [part], ["en"], ["de"])[0] for part in parts]
    both = found.score([QUERIES[0]] * 2, [long, short], ["en"] * 2, ["de"] * 2)
    np.testing.assert_allclose(both, [max(each[:-1]), each[-1]], atol=1e-5)
    assert found.score([QUERIES[0]], [""], ["en"], ["de"]).shape == (1,)


def test_both_masks_are_added_and_adapters_refuse_it(tmp_path, models, base):
    for lang, seed in (("de", 1), ("ru", 2)):
        write_module(made.sparse(base.fingerprint, base.body, lang, seed), tmp_path / "languages")
    write_module(made.sparse(base.fingerprint, base.body, "", 7, head=True), tmp_path)
    found = load_ranker(models / "modules-bert", tmp_path / "sft-7", tmp_path / "languages", "both", runtime=CPU)
    scores = found.score(QUERIES[:2], PASSAGES[:2], ["de", "ru"], ["ru", "ru"])
    composition = Composition(base.body, torch)
    de, ru, ranking = (read_module(tmp_path / name) for name in ("languages/de", "languages/ru", "sft-7"))
    given = batch(base, 2)
    for row, stack in enumerate(([de, ru, ranking], [ru, ranking])):
        composition.compose([stack])
        first = states(base, given)[row, 0]
        np.testing.assert_allclose(
            scores[row],
            functional.linear(first, ranking.tensors["head.weight"], ranking.tensors["head.bias"])[0],
            atol=1e-4,
        )
    composition.remove()
    write_module(made.adapter(base.fingerprint, "de", 1), tmp_path / "adapters")
    found = load_ranker(models / "modules-bert", tmp_path / "sft-7", tmp_path / "adapters", "both", runtime=CPU)
    with pytest.raises(UsageError, match="split"):
        found.score(QUERIES[:1], PASSAGES[:1], ["de"], ["de"])


def test_a_language_without_a_module_takes_the_nearest_and_says_so(folder, models):
    found = ranker(folder, models, "document")
    by_relative = score(found, passage_langs=("uk", "nl", "de-Latn"))
    np.testing.assert_allclose(by_relative, score(found, passage_langs=("ru", "de", "de")), atol=1e-5)
    assert found.counts == {
        "no module for 'uk': that of 'ru', the nearest, is used": 1,
        "no module for 'nl': that of 'de', the nearest, is used": 1,
    }
    unknown = score(found, passage_langs=("ja", "ja", "ja"))
    np.testing.assert_allclose(unknown, score(ranker(folder, models, "none", None)), atol=1e-5)
    assert any("'ja'" in kind and count == 3 for kind, count in found.counts.items())


def test_modules_of_another_base_are_refused(folder, models, tmp_path):
    other = tiny.bert(tmp_path / "other", seed=5, masked=True)
    from safetensors.torch import load_file, save_file

    weights = load_file(other / "model.safetensors")
    save_file({name: tensor + 0.01 for name, tensor in weights.items()}, other / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match="another base"):
        load_ranker(other, folder / "adapter-7", folder / "languages", runtime=CPU)
    shutil.copytree(models / "modules-bert", tmp_path / "copy")
    load_ranker(tmp_path / "copy", folder / "adapter-7", folder / "languages", runtime=CPU)
    write_module(made.adapter("0" * 32, "fr", 4), folder / "languages")
    with pytest.raises(BadInput, match=r"fr\.toml.*another base"):
        ranker(folder, models, "document")


def test_what_is_damaged_or_does_not_fit_is_said(folder, models, base, roberta):
    weights = folder / "languages" / "de.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-8] + b"\0" * 8)
    found = ranker(folder, models, "document")
    before = found.score(QUERIES, PASSAGES, ["en"] * 3, ["en", "ru", "en"])
    for _ in range(2):
        with pytest.raises(BadInput, match=r"not the weights that de\.toml describes"):
            score(found)
    np.testing.assert_array_equal(found.score(QUERIES, PASSAGES, ["en"] * 3, ["en", "ru", "en"]), before)
    weights.write_bytes(content[:100])
    with pytest.raises(BadInput, match="not a whole safetensors file"):
        score(ranker(folder, models, "document"))
    weights.unlink()
    with pytest.raises(BadInput, match="weights are missing"):
        score(ranker(folder, models, "document"))
    with pytest.raises(BadInput, match="no head"):
        load_ranker(models / "modules-bert", folder / "languages" / "ru", folder / "languages", runtime=CPU)
    with pytest.raises(UsageError, match="unknown setting"):
        ranker(folder, models, "sideways")
    (folder / "empty").mkdir()
    with pytest.raises(BadInput, match="no language modules"):
        LanguageModules(folder / "empty", base.fingerprint)
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


def test_bases_that_are_built_otherwise_are_refused(models):
    with pytest.raises(BadInput, match="'xmod' takes no modules"):
        Composition(load_base(tiny.xmod(models / "modules-xmod"), CPU).body, torch)
    with pytest.raises(BadInput, match="'qwen3' takes no modules"):
        Composition(load_base(tiny.decoder(models / "modules-qwen"), CPU).body, torch)


def test_tokens_of_a_pair_know_their_segment_and_what_is_cut(base, roberta):
    for each, gap in ((base, 1), (roberta, 2)):
        pairs = PairTokens(each.tokenizer, 128).tokenise(["A short one."], [tiny.TEXTS[0]])
        expected = each.tokenizer("A short one.", tiny.TEXTS[0])
        assert pairs.ids[0].tolist() == expected["input_ids"]
        query = len(each.tokenizer("A short one.", add_special_tokens=False)["input_ids"])
        assert pairs.segments[0].tolist() == [0] * (1 + query + gap) + [1] * (len(pairs.ids[0]) - 1 - query - gap)
        tokens = PairTokens(each.tokenizer, 24)
        short = tokens.tokenise(["A short one.", "x"], [tiny.TEXTS[0], "y"])
        assert short.cut == 1
        assert short.ids[0].tolist() == [*expected["input_ids"][:23], expected["input_ids"][-1]]
        long = tokens.tokenise([tiny.TEXTS[0]], [tiny.TEXTS[7]])
        assert len(long.ids[0]) == 24
        assert (long.segments[0] == 0).sum() == 1 + 12 + gap


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=400), st.integers(12, 40))
def test_any_pair_fits_and_none_of_its_passage_is_lost(roberta, query, passage, limit):
    tokens = PairTokens(roberta.tokenizer, limit)
    parts, owners = tokens.windows([query], [passage])
    pairs = tokens.tokenise([query] * len(parts), parts)
    assert (pairs.lengths <= limit).all()
    assert not owners.any()
    assert "".join("".join(parts).split()) == "".join(passage.split())
    for ids, types, segments in zip(pairs.ids, pairs.types, pairs.segments, strict=True):
        assert len(ids) == len(types) == len(segments)
        assert (np.diff(segments) >= 0).all()
        assert ids[0] == 0
        assert ids[-1] == 2


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


def test_a_roberta_takes_modules_too(roberta):
    given = batch(roberta)
    before = states(roberta, given)
    composition = Composition(roberta.body, torch)
    composition.compose([[module] for module in modules_of(roberta)])
    for number in range(5):
        composition.route(torch.full_like(given[0], number))
        assert (states(roberta, given) - before).abs().max() > 0.05
    composition.remove()
    assert torch.equal(states(roberta, given), before)


def test_a_ranker_is_shared_between_threads(folder, models):
    from concurrent.futures import ThreadPoolExecutor

    found = ranker(folder, models, "split")
    alone = [score(found), score(found, ("ru",) * 3, ("de",) * 3)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(score, found, *(() if n % 2 == 0 else (("ru",) * 3, ("de",) * 3))) for n in range(12)]
        for n, job in enumerate(jobs):
            np.testing.assert_allclose(job.result(), alone[n % 2], atol=1e-5)
    assert isinstance(found, ModularRanker)
