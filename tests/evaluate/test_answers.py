"""Recall of answers against the published definitions, worked by hand and by slow oracles."""

import contextlib
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, Qrels, Run, ScoredDoc, Topic, UsageError
from xsearch.corpora.formats.answers import read_answers
from xsearch.evaluate import evaluate
from xsearch.evaluate.answers import answer_at, plain_tokens, token_recall, treebank_words

pytest.importorskip("ir_measures")
pytest.importorskip("nltk")


def test_the_first_tokens_and_no_more():
    passages = [["Tokyo", "is", "big", "."], ["It", "has", "37", "million", "people", "."]]
    assert token_recall(passages, ["37 million"], 8) == 1.0
    assert token_recall(passages, ["37 million"], 7) == 0.0
    assert token_recall(passages, ["tokyo"], 100) == 0.0  # the authors compare letter by letter
    assert token_recall(passages, ["okyo", "nowhere"], 1) == 1.0
    assert token_recall(passages, ["big . It"], 5) == 1.0  # one string over passages
    assert token_recall([], ["x"], 2000) == 0.0


words = st.lists(st.sampled_from(["a", "b", "ab", ".", "A"]), max_size=6)


@given(
    st.lists(words, max_size=6),
    st.lists(st.sampled_from(["a", "b a", ". a", "ab", "A b"]), min_size=1),
    st.integers(1, 20),
)
def test_token_recall_is_a_substring_of_the_joined_tokens(passages, answers, tokens):
    flat = [token for passage in passages for token in passage][:tokens]
    assert token_recall(passages, answers, tokens) == float(any(a in " ".join(flat) for a in answers))


def test_words_are_cut_as_the_penn_treebank_has_them():
    assert treebank_words("He didn't pay $1,457.50 (in 1999). Why?") == [
        "He", "did", "n't", "pay", "$", "1,457.50", "(", "in", "1999", ")", ".", "Why", "?",
    ]  # fmt: skip


def slow_tokens(text):
    """DPR's rule, character by character: letters, digits and marks run together, other visible signs stand alone."""
    tokens, run = [], ""
    for char in unicodedata.normalize("NFD", text):
        kind = unicodedata.category(char)[0]
        if kind in "LNM":
            run += char
            continue
        if run:
            tokens.append(run)
        run = ""
        if kind not in "ZC":
            tokens.append(char)
    return [token.lower() for token in [*tokens, *([run] if run else [])]]


# `regex` knows a newer Unicode: characters that are new there are not compared.
@given(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cn", "Cs"]), max_size=30))
def test_plain_tokens_are_those_of_the_categories(text):
    assert plain_tokens(text).split("\x1f")[1:-1] == slow_tokens(text)


@given(st.lists(st.text("aé .", max_size=8), max_size=5), st.text("aé .", max_size=4), st.integers(1, 4))
def test_an_answer_is_there_token_by_token(passages, answer, cutoff):
    wanted = slow_tokens(answer)
    expected = bool(wanted) and any(
        tokens[i : i + len(wanted)] == wanted
        for tokens in map(slow_tokens, passages[:cutoff])
        for i in range(len(tokens))
    )
    assert answer_at(map(plain_tokens, passages), [answer], cutoff) == float(expected)


def test_parts_of_words_are_no_answers():
    passages = [plain_tokens("The Parisian café, 1999."), plain_tokens("PARIS 19")]
    assert answer_at(passages, ["Paris"], 1) == 0.0
    assert answer_at(passages, ["paris"], 2) == 1.0
    assert answer_at(passages, ["Cafe\u0301 , 1999"], 1) == 1.0
    assert answer_at(passages, ["…"], 2) == 0.0


TEXTS = {"d1": "Nothing of note here.", "d2": "The capital of Japan is Tokyo.", "d3": "Ada Lovelace wrote it."}
ANSWERS = {"q1": ("Tokyo",), "q2": ("Ada Lovelace", "Ada"), "q3": ("Rome",)}


def run(**rankings):
    return Run.of(
        ScoredDoc(topic.replace("__", "@"), document, -float(i))
        for topic, documents in rankings.items()
        for i, document in enumerate(documents.split())
    )


def test_questions_in_several_languages():
    found = evaluate(
        run(q1__ja="d1 d2", q1__fi="d2", q2__ja="d1", q3__fi="d3"),
        None,
        ["R@2kt", "Answer@1", "Answer", "share_same@10"],
        by="query_lang",
        answers=ANSWERS,
        texts=TEXTS.get,
        doc_langs=dict.fromkeys(TEXTS, "en"),
    )
    assert found.measures == {"R@2kt": 0.5, "Answer@1": 0.25, "Answer": 0.5, "share_same@10": 0.0}
    assert found.by["query_lang"]["ja"]["R@2kt"] == 0.5
    assert found.macro["query_lang"] == {"R@2kt": 0.5, "Answer@1": 0.25, "Answer": 0.5, "share_same@10": 0.0}


def test_the_mean_over_languages_weighs_languages_alike():
    found = evaluate(
        run(q1__ja="d2", q1__fi="d2", q2__fi="d1", q3__fi="d1"), None, ["R@5kt"], by="query_lang", answers=ANSWERS,
        texts=TEXTS.get,
    )  # fmt: skip
    assert found.measures["R@5kt"] == 0.5
    assert found.macro["query_lang"]["R@5kt"] == pytest.approx((1 + 1 / 3) / 2)
    assert found.to_json()["macro"] == found.macro


def test_topics_without_results_count_and_unknown_documents_hold_nothing():
    topics = [Topic("q1", "?", "ja"), Topic("q2", "?", "ja")]
    found = evaluate(run(q1="lost d2"), None, ["R@2kt"], answers=ANSWERS, texts=TEXTS.get, topics=topics)
    assert found.measures["R@2kt"] == 0.5
    assert found.topics == 2
    with pytest.raises(UsageError, match=r"none of the run's topics is in the answers: the run has 'q9'"):
        evaluate(run(q9="d1"), None, ["R@2kt"], answers=ANSWERS, texts=TEXTS.get)


def test_what_a_measure_needs_is_said():
    with pytest.raises(UsageError, match="R@2kt: the answers to the topics and the texts"):
        evaluate(run(q1="d1"), Qrels(()), ["R@2kt"])
    with pytest.raises(UsageError, match="nDCG@10: judgments"):
        evaluate(run(q1="d1"), None, ["nDCG@10", "R@2kt"], answers=ANSWERS, texts=TEXTS.get)
    with pytest.raises(UsageError, match="nothing to score by"):
        evaluate(run(q1="d1"), None, ["share_same@10"])
    for name in ("R@0kt", "Answer@0"):
        with pytest.raises(UsageError, match="counts from 1"):
            evaluate(run(q1="d1"), None, [name], answers=ANSWERS, texts=TEXTS.get)


def lines(path, *records):
    path.write_text("".join(r if isinstance(r, str) else json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def test_answers_of_xor_and_of_mkqa(tmp_path):
    xor = lines(
        tmp_path / "xor.jsonl",
        {"id": "7", "lang": "ja", "question": "?", "answers": ["Tokyo", "Edo ", "Tokyo"], "split": "dev"},
        {"id": "8", "lang": "ja", "question": "?", "answers": ["yes"]},
    )
    assert read_answers(xor) == {"7": ("Tokyo", "Edo")}
    mkqa = lines(
        tmp_path / "mkqa.jsonl",
        {"example_id": 5, "query": "who", "answers": {
            "en": [{"type": "entity", "entity": "Q7259", "text": "Ada", "aliases": ["Ada L.", "Ada"]}],
            "de": [{"type": "entity", "entity": "Q7259", "text": "Ada von L.", "aliases": []}],
        }},
        {"example_id": 6, "query": "is it", "answers": {"en": [{"type": "binary", "text": "yes"}]}},
        {"example_id": 9, "query": "why", "answers": {"en": [{"type": "unanswerable", "text": None}]}},
        {"example_id": 10, "query": "when", "answers": {"en": [{"type": "date", "text": "1999"}]}},
    )  # fmt: skip
    assert read_answers(mkqa) == {"5": ("Ada", "Ada L."), "10": ("1999",)}
    assert read_answers(mkqa, "de") == {"5": ("Ada von L.",)}


def test_bad_lines_of_answers_are_named(tmp_path):
    path = lines(
        tmp_path / "a.jsonl",
        {"id": "1", "answers": ["x"]},
        "{\n",
        {"id": "1", "answers": ["y"]},
        {"answers": ["x"]},
        {"id": "2", "answers": "x"},
        {"id": "3", "answers": [1]},
    )
    with pytest.raises(BadInput, match=r"a\.jsonl:2: no answers.*5 bad lines") as error:
        read_answers(path)
    for place in ("a.jsonl:3: topic 1 occurs twice", "a.jsonl:4: no answers: no 'id'", "a.jsonl:6: "):
        assert place in str(error.value)
    told = []
    assert read_answers(path, on_bad=told.append) == {"1": ("x",)}
    assert len(told) == 5
    with pytest.raises(BadInput, match="no answers in the file"):
        read_answers(lines(tmp_path / "none.jsonl", {"id": "1", "answers": []}))


@given(st.binary(max_size=60))
def test_any_bytes_give_answers_or_a_reason(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_bytes(data)
    with contextlib.suppress(BadInput):
        assert read_answers(path)
