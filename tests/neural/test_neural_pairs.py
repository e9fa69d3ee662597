"""Pairs as the tokens of one sequence: whose segment each is, and long passages in windows that lose nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.encode import Runtime
from xsearch.encode.neural.modules.base import load_base
from xsearch.encode.neural.modules.pairs import PairTokens

pytestmark = pytest.mark.neural

CPU = Runtime("cpu")


@pytest.fixture(scope="module")
def bert(models):
    return load_base(tiny.bert(models / "pairs-bert", masked=True), CPU)


@pytest.fixture(scope="module")
def roberta(models):
    return load_base(tiny.xlmr(models / "pairs-xlmr"), CPU)


def test_tokens_of_a_pair_know_their_segment_and_what_is_cut(bert, roberta):
    for each, gap in ((bert, 1), (roberta, 2)):
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
    for part, ids in zip(parts, pairs.ids, strict=True):
        # Beside a query that is cut, too; only a character that is many tokens does not fit.
        alone = roberta.tokenizer.encode(part, add_special_tokens=False)
        assert len(part) < 2 or ids[-1 - len(alone) : -1].tolist() == alone
    for ids, types, segments in zip(pairs.ids, pairs.types, pairs.segments, strict=True):
        assert len(ids) == len(types) == len(segments)
        assert (np.diff(segments) >= 0).all()
        assert ids[0] == 0
        assert ids[-1] == 2
