"""Text of a language for its module: what is read of files, and which of its words are hidden."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from reranker_data import CPU, plan

from xsearch.core import BadInput
from xsearch.encode.neural.modules.base import load_base
from xsearch.train.neural.modules.language import train_language, words_loss
from xsearch.train.neural.modules.texts import in_another, masked, read_language, tokens

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
def base(models):
    return tiny.bert(models / "training-bert", masked=True)


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
    with pytest.raises(BadInput, match="1 text in 'sw': one to learn from and"):
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
