"""Rerankers composed of modules: whose module reads what, what they say of languages without one, what they refuse."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import tiny_modules as made
import torch
from forward_by_hand import PASSAGES, PFEIFFER, QUERIES, batch, by_hand, states
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

pytestmark = pytest.mark.neural

CPU = Runtime("cpu")


@pytest.fixture(scope="module")
def base(models):
    return load_base(tiny.bert(models / "modules-bert", masked=True), CPU)


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


def test_nothing_of_a_passage_is_left_out_where_its_tokens_lie_unevenly(folder, models):
    found = ranker(folder, models, "document", max_length=40)
    # Half of the characters are letters of their own, which are a piece each.
    passage = "überschwemmte wochenlang " * 8 + "x y z " * 33
    found.score([QUERIES[0]], [passage], ["en"], ["de"])
    assert found.counts == {}
    parts, _ = found._tokens.windows([QUERIES[0]], [passage])
    assert " ".join(parts) == passage.strip()


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
        "texts in languages without a module, read by that of 'ru', the nearest": 1,
        "texts in languages without a module, read by that of 'de', the nearest": 1,
    }
    # Asking whose modules would read a pair is no reading.
    assert found.composition("en", "uk") == ("ru",)
    assert sum(found.counts.values()) == 2
    unknown = score(found, passage_langs=("ja", "ja", "ja"))
    np.testing.assert_allclose(unknown, score(ranker(folder, models, "none", None)), atol=1e-5)
    alone = "texts read by the ranking module alone, as neither their language nor a relative has a module"
    assert found.counts[alone] == 3


def test_a_composition_names_the_modules_that_read(folder, models):
    pairs = [("en", "de"), ("ru", "ru"), ("sw", "uk"), ("ja", "en"), ("de-Latn", "ja")]
    wanted = {
        "query": [("en",), ("ru",), (), (), ("de",)],
        "document": [("de",), ("ru",), ("ru",), ("en",), ()],
        "split": [("en", "de"), ("ru",), ("ru",), ("en",), ("de",)],
        "none": [()] * 5,
    }
    for setting, expected in wanted.items():
        found = ranker(folder, models, setting)
        assert [found.composition(*pair) for pair in pairs] == expected, setting


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


def test_what_is_damaged_or_missing_is_said(folder, models, base):
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


def test_a_ranker_is_shared_between_threads(folder, models):
    from concurrent.futures import ThreadPoolExecutor

    found = ranker(folder, models, "split")
    alone = [score(found), score(found, ("ru",) * 3, ("de",) * 3)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(score, found, *(() if n % 2 == 0 else (("ru",) * 3, ("de",) * 3))) for n in range(12)]
        for n, job in enumerate(jobs):
            np.testing.assert_allclose(job.result(), alone[n % 2], atol=1e-5)
    assert isinstance(found, ModularRanker)
