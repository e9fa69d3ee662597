"""Evidence of late interaction: which characters each vector of a token stands for, and which two tokens met."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

import xsearch
from xsearch.core import Document
from xsearch.encode import Runtime, load_multivector
from xsearch.encode.neural.tokens import TextTokens

pytestmark = pytest.mark.neural

CPU = Runtime("cpu", tokens=300)
PUNCTUATED = "Short ones; a bridge, closed: the old town!"


@pytest.fixture(scope="module")
def checkpoint(models):
    base = tiny.bert(models / "evidencebase")
    return tiny.stanford(models / "evidence", base, {"query_maxlen": 16, "doc_maxlen": 40, "mask_punctuation": True})


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return load_multivector(checkpoint, CPU)


def test_each_vector_stands_for_the_characters_of_its_token(checkpoint, encoder):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    (held,) = encoder.locate_passages([PUNCTUATED])
    np.testing.assert_array_equal(held.vectors, encoder.encode_passages([PUNCTUATED])[0])
    spelt = [PUNCTUATED[a:b].lower() for a, b in held.spans if a >= 0]
    pieces = [piece.removeprefix("##") for piece in tokenizer.tokenize(PUNCTUATED)]
    assert spelt == [piece for piece in pieces if piece not in ";,:!"]
    # The first special token, the marker, and the last special token.
    assert np.flatnonzero(held.spans[:, 0] < 0).tolist() == [0, 1, len(held.spans) - 1]
    (asked,) = encoder.locate_queries(["old town"])
    assert len(asked.vectors) == 16
    assert [a for a, _ in asked.spans if a >= 0] == sorted(a for a, _ in asked.spans if a >= 0)
    assert encoder.locate_passages(["", "old"])[0].spans.shape == (0, 2)


def test_windows_of_a_long_text_are_located_in_the_whole(checkpoint, encoder):
    text = "  " + " ".join(tiny.TEXTS[:3]) + " " + tiny.TEXTS[0]
    (held,) = encoder.locate_passages([text])
    np.testing.assert_array_equal(held.vectors, encoder.encode_passages([text])[0])
    spans = held.spans[held.spans[:, 0] >= 0]
    assert np.all(np.diff(spans[:, 0]) > 0)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    letters = "".join(char for char in text if char.isalnum())
    covered = "".join(text[a:b] for a, b in spans)
    assert len(tokenizer.tokenize(text)) > 40
    assert "".join(char for char in covered if char.isalnum()) == letters


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("aehrtb .,éﬁ\n\u3000河水Т", max_size=60), min_size=1, max_size=3),
    st.sampled_from(["", "ask: "]),
    st.sampled_from([None, 7]),
)
def test_spans_lie_in_their_texts_and_hold_no_white_space_at_their_ends(texts, prefix, marker):
    side = TextTokens(tiny.unigram_tokenizer(), 24, prefix, marker)
    tokens = side.tokenise(texts)
    for ids, owner, spans in zip(tokens.ids, tokens.owners, side.spans(texts, tokens), strict=True):
        assert spans.shape == (len(ids), 2)
        for start, end in spans[spans[:, 0] >= 0]:
            word = texts[owner][start:end]
            assert word
            assert word == word.strip()


def test_hits_tell_which_tokens_met(tmp_path, checkpoint, encoder):
    index = xsearch.create(tmp_path / "i", "colbert", checkpoint, runtime=CPU)
    with index.writer() as writer:
        writer.add(Document("plain", PUNCTUATED, lang="en"))
        writer.add(Document("titled", "closed for a week", title="The bridge", lang="en"))
    asked = "bridge closed"
    hits = index.search(asked, explain=True)
    assert {hit.id for hit in hits} == {"plain", "titled"}
    (query,) = encoder.locate_queries([asked])
    for hit in hits:
        text = f"{hit.title}\n{hit.text}" if hit.title else hit.text
        (held,) = encoder.locate_passages([text])
        similar = query.vectors @ held.vectors.T
        expected = [
            (asked[a:b], *held.spans[similar[i].argmax()], similar[i].max())
            for i, (a, b) in enumerate(query.spans)
            if a >= 0 and held.spans[similar[i].argmax()][0] >= 0 and similar[i].max() > 0
        ]
        assert len(hit.met) == len(expected) > 0
        head = len(hit.title) + 1 if hit.title else 0
        for met, (word, start, end, cosine) in zip(hit.met, expected, strict=True):
            assert (met.retriever, met.query, met.in_title) == ("colbert", word, bool(start < head))
            assert asked[met.asked_start : met.asked_end] == word
            assert met.word == text[start:end] == (hit.title if met.in_title else hit.text)[met.start : met.end]
            assert met.similarity == pytest.approx(cosine, abs=1e-4)
    assert any(met.in_title for hit in hits for met in hit.met)
    assert all(not hit.met for hit in index.search(asked))
    assert all(not hit.met for hit in index.search(asked, retrievers=["bm25"], explain=True))
