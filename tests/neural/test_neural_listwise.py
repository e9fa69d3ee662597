"""Listwise reranking by a model that writes: its prompt, its windows, and what becomes of its answers."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from test_neural_rerank import CPU, QUERY, passages, write_card
from transformers import AutoModelForCausalLM, AutoTokenizer

from xsearch.core import BadInput
from xsearch.rank.rerank import is_listwise, load_reranker, score_within
from xsearch.rank.rerank.listwise import INCOMPLETE, NOT_UNDERSTOOD
from xsearch.rank.rerank.windows import QUERIES_CUT, TEXTS_CUT

pytestmark = pytest.mark.neural

SHORT = {"system": "s", "prompt": "{query}: {passages} ({count})", "passage": "[{number}] {passage}"}
TEXTS = [f"text {n}" for n in range(8)]


def made(models, name, chat=True, positions=600, **settings):
    tiny.causal(models / name, chat, positions)
    card = write_card(models / f"{name}.toml", "listwise", name, settings=SHORT | {"window": 4, "stride": 2} | settings)
    return load_reranker(card, CPU)


@pytest.fixture
def listwise(models):
    return made(models, "listwise")


def scripted(monkeypatch, reranker, answers):
    """Have the model answer these texts, and record what it is shown."""
    asked, given = [], iter(answers)
    monkeypatch.setattr(reranker, "_ask", lambda query, texts: asked.append(texts) or next(given))
    return asked


def order(scores):
    return [int(place) for place in (-scores).argsort(kind="stable")]


def test_the_prompt_is_the_chat_template_filled_in(models, listwise):
    tokenizer = AutoTokenizer.from_pretrained(models / "listwise")
    want = "<system>s<user>who?: [1] one\n[2] two (2)<answer>"
    assert listwise._prompt("who?", ["one", "two"]) == tokenizer.encode(want, add_special_tokens=False)
    plain = made(models, "listwise-plain", chat=False)
    tokenizer = AutoTokenizer.from_pretrained(models / "listwise-plain")
    assert plain._prompt("who?", ["one", "two"]) == tokenizer.encode("s\nwho?: [1] one\n[2] two (2)\n")


def test_what_is_written_is_what_the_model_finds_likeliest(models, listwise):
    folder = models / "listwise"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    ids = listwise._prompt("who?", ["one", "two"])
    start = len(ids)
    with torch.inference_mode():
        while len(ids) < start + 16 and ids[-1] != tokenizer.eos_token_id:
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert listwise._ask("who?", ["one", "two"]) == tokenizer.decode(ids[start:], skip_special_tokens=True)


def test_a_window_carries_the_best_to_the_front(monkeypatch, listwise):
    asked = scripted(monkeypatch, listwise, ["[4] > [3] > [2] > [1]", "[3] > [4] > [1] > [2]", "[3] > [1] > [2] > [4]"])
    scores = listwise.score(QUERY, passages(TEXTS))
    # By hand: 0..7; the last four become 7 6 5 4; of 2 3 7 6 come 7 6 2 3; of 0 1 7 6 come 7 0 1 6.
    assert asked == [[TEXTS[n] for n in shown] for shown in ([4, 5, 6, 7], [2, 3, 7, 6], [0, 1, 7, 6])]
    assert order(scores) == [7, 0, 1, 6, 2, 3, 5, 4]
    assert scores.tolist() == [7, 6, 4, 3, 1, 2, 5, 8]
    assert is_listwise(listwise)
    assert listwise.counts == {}


def test_answers_that_make_no_sense_change_nothing_and_are_counted(monkeypatch, listwise):
    scripted(monkeypatch, listwise, ["I cannot say.", "[9] > [2] > [2]", ""])
    # Of 2 3 4 5 the second is named alone: 3 2 4 5.
    assert order(listwise.score(QUERY, passages(TEXTS))) == [0, 1, 3, 2, 4, 5, 6, 7]
    assert listwise.counts == {NOT_UNDERSTOOD: 2, INCOMPLETE: 1}


def test_what_there_was_time_for_is_what_counts(monkeypatch, listwise):
    asked = scripted(monkeypatch, listwise, ["[2] > [1] > [4] > [3]"] * 3)
    times = iter([0.0, 0.0, 1.0, 2.0, 3.0])
    found = score_within(listwise, QUERY, passages(TEXTS), 2.5, lambda: next(times))
    assert len(asked) == 2
    assert not found.complete
    assert order(found.scores) == [0, 1, 3, 2, 4, 5, 7, 6]


def test_a_real_model_of_nonsense_weights_gives_a_permutation(listwise):
    scores = listwise.score(QUERY, passages(TEXTS))
    assert sorted(scores.tolist()) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_passages_are_shortened_until_they_fit(models):
    reranker = made(models, "listwise-tight", positions=150)
    long = [" ".join(tiny.TEXTS[:2]) for _ in range(4)]
    numbers = reranker._fitted("who?", long, 100)
    assert len(numbers) <= 100
    assert reranker.counts == {TEXTS_CUT: 1}
    reranker._fitted(" ".join(tiny.TEXTS), ["one", "two"], 100)
    assert reranker.counts[QUERIES_CUT] == 1
    with pytest.raises(BadInput, match="smaller window"):
        reranker._fitted("who?", long * 8, 100)
    words = made(models, "listwise-words", words=3)
    assert words._words("one two three four") == "one two three"
    assert words.counts == {TEXTS_CUT: 1}


def test_a_template_that_refuses_the_prompt_is_told(listwise):
    listwise._opened.tokenizer.chat_template = "{{ raise_exception('no system message here') }}"
    with pytest.raises(BadInput, match=r'no system message here.*system = ""'):
        listwise.score(QUERY, passages(TEXTS))


def test_windows_that_do_not_move_are_refused(models):
    for window, stride in [(4, 0), (4, 5), (1, 1)]:
        with pytest.raises(BadInput, match="window"):
            made(models, "listwise-bad", window=window, stride=stride)


def test_it_reranks_a_search(models, tmp_path):
    import xsearch

    made(models, "listwise-search")
    index = xsearch.create(tmp_path / "idx", recipe="bm25")
    with index.writer() as writer:
        for n, text in enumerate(tiny.TEXTS):
            writer.add(xsearch.Document(f"d{n}", f"{text} river", lang="en"))
    hits = index.search("river", rerank=models / "listwise-search.toml", explain=True)
    assert sorted(hit.id for hit in hits) == sorted(f"d{n}" for n in range(len(tiny.TEXTS)))
    assert [hit.rerank.score for hit in hits] == [8, 7, 6, 5, 4, 3, 2, 1]


def test_prompts_that_are_shortened_set_off_no_warning(models, monkeypatch):
    from transformers import tokenization_utils_base

    said = []
    monkeypatch.setattr(tokenization_utils_base.logger, "warning", lambda *given: said.append(given))
    reranker = made(models, "listwise-warned", positions=150)
    reranker.score(QUERY, passages([" ".join(tiny.TEXTS)] * 3))
    assert reranker.counts[TEXTS_CUT]
    assert said == []
