"""Checkpoints on disk before anything is loaded: what they are, what is refused, batches, windows, languages, cards."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, IntArray, MissingExtra, UsageError
from xsearch.encode import EncoderCard, Runtime, known_encoders, load_encoder, read_card, write_card
from xsearch.encode import known as module
from xsearch.encode.card import Prefixes
from xsearch.encode.neural.batches import Budget, batches
from xsearch.encode.neural.checkpoint import locate
from xsearch.encode.neural.describe import offers, settings
from xsearch.encode.neural.fingerprint import content_hash, fingerprint
from xsearch.encode.neural.languages import Languages, language_scores, module_code, nearest
from xsearch.encode.neural.tokens import cut

REVISION = "0123456789abcdef0123456789abcdef01234567"


def tensors(path, values):
    """A safetensors file of one float32 tensor, written by hand."""
    data = np.asarray(values, dtype="<f4").tobytes()
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def model(folder, config=None, weights="model.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"} | (config or {})))
    if weights.endswith(".safetensors"):
        tensors(folder / weights, np.arange(5000))
    elif weights:
        (folder / weights).write_bytes(b"\x80\x02pickle")
    return folder


@given(st.lists(st.integers(1, 600), max_size=80), st.integers(1, 2000))
def test_batches_hold_every_row_once_within_the_budget(lengths, budget):
    sizes: IntArray = np.array(lengths, dtype=np.int64)
    made = list(batches(sizes, budget))
    assert sorted(np.concatenate([*made, np.zeros(0, np.int64)]).tolist()) == list(range(len(lengths)))
    for rows in made:
        assert len(rows) == 1 or len(rows) * sizes[rows].max() <= budget
    longest = [sizes[rows].max() for rows in made]
    assert longest == sorted(longest, reverse=True)


@given(st.lists(st.integers(1, 600), max_size=40), st.integers(1, 600))
def test_what_a_device_has_no_memory_for_is_halved_until_it_fits(lengths, holds):
    sizes: IntArray = np.array(lengths, dtype=np.int64)
    budget, full = Budget(4000, "cpu", SimpleNamespace(OutOfMemoryError=MemoryError)), MemoryError()
    pending, done = budget.batches(sizes), []
    while pending:
        rows = pending.pop()
        if len(rows) * sizes[rows].max() <= holds:
            done += rows.tolist()
        elif len(rows) > 1:
            pending = budget.halve(full, rows, pending, sizes)
        else:
            with pytest.raises(BadInput, match=f"single text of {sizes[rows[0]]} tokens"):
                budget.halve(full, rows, pending, sizes)
            return
    assert sorted(done) == list(range(len(lengths)))


def test_other_errors_than_of_memory_are_not_swallowed():
    budget, rows = Budget(10, "cpu", SimpleNamespace(OutOfMemoryError=MemoryError)), np.arange(2)
    with pytest.raises(RuntimeError, match="shapes"):
        budget.halve(RuntimeError("shapes"), rows, [], rows)
    assert budget.tokens == 10


@given(st.text(alphabet="ab \n界", max_size=200), st.integers(1, 9))
def test_a_cut_text_loses_nothing_but_white_space(text, count):
    parts = cut(text, count)
    assert len(parts) <= count
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(part.strip() == part and part for part in parts)


def test_words_stay_whole_where_there_is_white_space():
    text = " ".join(f"word{i}" for i in range(40))
    assert {word for part in cut(text, 4) for word in part.split()} == set(text.split())


@pytest.mark.parametrize(
    ("config", "files", "kinds"),
    [
        ({"architectures": ["XLMRobertaModel"]}, {}, ("dense",)),
        ({"architectures": ["BertForMaskedLM"]}, {}, ("dense", "sparse")),
        ({"architectures": ["HF_ColBERT"]}, {}, ("multivector",)),
        ({}, {"artifact.metadata": {"dim": 128}}, ("multivector",)),
        ({}, {"config_sentence_transformers.json": {"model_type": "ColBERT"}}, ("multivector",)),
        ({}, {"config_sentence_transformers.json": {"model_type": "SparseEncoder"}}, ("sparse",)),
        ({}, {"colbert_linear.pt": "", "sparse_linear.pt": ""}, ("dense", "multivector", "sparse")),
    ],
)
def test_what_a_checkpoint_offers(tmp_path, config, files, kinds):
    folder = model(tmp_path / "m", config)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    assert offers(locate(folder)) == kinds


def test_prompts_of_the_checkpoint_come_before_those_of_the_card_that_ships(tmp_path):
    folder = model(tmp_path / "multilingual-e5-base")
    known = EncoderCard("e5", "dense", 768, prefixes=Prefixes("query: ", "passage: "), pooling="mean")
    assert settings(locate(folder), "dense", None, known, 0).prefixes == known.prefixes
    prompts = {"prompts": {"query": "Q ", "document": "D "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    assert settings(locate(folder), "dense", None, known, 0).prefixes == Prefixes("Q ", "D ")
    own = EncoderCard("mine", "dense", 768, prefixes=Prefixes("", "doc: "))
    assert settings(locate(folder), "dense", own, known, 0).prefixes == Prefixes("", "doc: ")


def test_a_cut_the_model_was_not_trained_for(tmp_path):
    known = EncoderCard("m", "dense", 768, matryoshka=(128, 256))
    checkpoint = locate(model(tmp_path / "m"))
    assert settings(checkpoint, "dense", None, known, 256).dim == 256
    with pytest.raises(UsageError, match="128, 256"):
        settings(checkpoint, "dense", None, known, 200)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.ckpt"])
def test_pickled_weights_need_somebody_who_vouches(tmp_path, name):
    folder = model(tmp_path / "m", weights=name)
    checkpoint = locate(folder)
    with pytest.raises(UsageError, match=f"pickled.*--trust {content_hash(folder)}"):
        checkpoint.check_trust(None)
    with pytest.raises(UsageError, match="another revision"):
        checkpoint.check_trust("main")
    vouched = content_hash(folder)
    assert checkpoint.check_trust(vouched)
    (folder / name).write_bytes(b"\x80\x02something else")
    with pytest.raises(UsageError, match="another revision"):
        checkpoint.check_trust(vouched)
    assert not locate(model(tmp_path / "safe")).check_trust(None)


def test_what_training_left_beside_the_weights_is_not_loaded(tmp_path):
    checkpoint = locate(model(tmp_path / "m"))
    mark = content_hash(checkpoint.folder)
    for name in ("optimizer.pt", "scheduler.pt", "training_args.bin"):
        (checkpoint.folder / name).write_bytes(b"\x80")
    assert not checkpoint.check_trust(None)
    assert content_hash(checkpoint.folder) == mark
    (checkpoint.folder / "sparse_linear.pt").write_bytes(b"\x80")
    with pytest.raises(UsageError, match=r"sparse_linear\.pt: a pickled head"):
        checkpoint.check_trust(None)


def test_the_hubs_commit_vouches_too(tmp_path):
    folder = model(tmp_path / "models--a--b" / "snapshots" / REVISION, weights="pytorch_model.bin")
    assert locate(folder).check_trust(REVISION)
    downloaded = model(tmp_path / "b", weights="pytorch_model.bin")
    note = downloaded / ".cache" / "huggingface" / "download"
    note.mkdir(parents=True)
    (note / "config.json.metadata").write_text(f"{REVISION}\netag\n1.0\n")
    assert locate(downloaded).revision == REVISION


def test_code_of_the_checkpoints_own(tmp_path):
    folder = model(tmp_path / "m")
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}])
    )
    with pytest.raises(UsageError, match=r"custom_st\.Transformer is code"):
        locate(folder).check_trust(None)


def test_folders_that_are_no_encoders(tmp_path):
    with pytest.raises(BadInput, match="no encoder"):
        offers(locate(model(tmp_path / "c", {"architectures": ["XLMRobertaForSequenceClassification"]})))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"config\.json"):
        locate(tmp_path / "empty")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    with pytest.raises(BadInput, match=r"config\.json"):
        offers(locate(tmp_path / "broken"))
    with pytest.raises(UsageError):
        locate("/no/such/folder")


def test_a_hub_name_without_a_network(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    # Without huggingface_hub the message says what to install; with it, how to fetch the model elsewhere.
    with pytest.raises(MissingExtra, match=r"neural|hf download"):
        load_encoder("nobody/no-such-model", Runtime("cpu"))


def test_fingerprints_see_weights_tokenizer_and_settings(tmp_path):
    folder = model(tmp_path / "m")
    first = fingerprint(folder, {"a": 1})
    assert first == fingerprint(folder, {"a": 1}) != fingerprint(folder, {"a": 2})
    tensors(folder / "model.safetensors", [*np.arange(4999), 7])
    second = fingerprint(folder, {"a": 1})
    assert second != first
    (folder / "tokenizer.json").write_text("{}")
    assert fingerprint(folder, {"a": 1}) != second
    (folder / "README.md").write_text("text")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.bin").write_text("x")
    assert len({fingerprint(folder, {"a": 1}) for _ in range(2)}) == 1


@given(st.binary(max_size=80))
def test_weights_that_are_cut_or_garbled(tmp_path_factory, content):
    folder = model(tmp_path_factory.mktemp("m") / "m")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(BadInput, match=r"model\.safetensors"):
        fingerprint(folder, {})


def test_nearest_language_by_family():
    modules = ("en", "de", "ru", "hi", "fa", "zh")
    found = {lang: nearest(lang, modules) for lang in ("nl", "uk", "ur", "ckb", "yue", "da", "fr", "qu", "xx")}
    assert found == {
        "nl": "en", "uk": "ru", "ur": "hi", "ckb": "fa", "yue": "zh", "da": "en", "fr": "en", "qu": None, "xx": None
    }  # fmt: skip


def test_modules_of_xmod_by_language():
    card = EncoderCard("x", "dense", 8, nearest={"ja": "zh"})
    languages = Languages(card, ["en_XX", "de_DE", "zh_CN", "zh_TW", "no_XX"], default=0)
    assert [languages.module(code) for code in ("de", "zh", "zh-Hant", "nb", "ja", "af", "qu")] == [1, 2, 3, 4, 2, 0, 0]
    assert languages.supports("de") == 1.0
    assert 0 < languages.supports("ja") < 1
    rows = dict(
        (number, rows.tolist()) for rows, number in languages.groups(np.array([0, 0, 1, 2]), ["de", "en", "de"])
    )
    assert rows == {0: [2], 1: [0, 1, 3]}
    assert module_code("hi_IN") == "hi"


def test_cards_of_known_models_are_whole_and_survive_writing(tmp_path):
    cards = known_encoders()
    assert len(cards) >= 25
    for card in cards:
        if card.kind == "static":
            continue
        assert card.model.count("/") == 1, card.name
        assert card.kind in ("dense", "multivector", "sparse"), card.name
        assert not card.matryoshka or max(card.matryoshka) == card.dim or card.dim not in card.matryoshka, card.name
        assert all(0 < score <= 1 for score in language_scores(card).values()), card.name
        write_card(card, tmp_path / "c.toml")
        assert read_card(tmp_path / "c.toml") == card
    assert next(c for c in cards if c.name == "multilingual-e5-base").prefixes == Prefixes("query: ", "passage: ")


def test_cards_of_other_things_are_passed_over(tmp_path, monkeypatch):
    (tmp_path / "t.toml").write_text('name = "t"\nkind = "tables"\nbytes = 7\n')
    write_card(EncoderCard("e", "dense", 4, model="a/b"), tmp_path / "e.toml")
    monkeypatch.setattr(module, "card_files", lambda: {p.stem: p for p in sorted(tmp_path.glob("*.toml"))})
    assert [card.name for card in known_encoders()] == ["e"]


def test_language_codes_of_cards_are_the_projects():
    from xsearch.lang import normalize_code

    for card in (card for card in known_encoders() if card.kind != "static"):
        for code in language_scores(card):
            assert normalize_code(code) == code, (card.name, code)
