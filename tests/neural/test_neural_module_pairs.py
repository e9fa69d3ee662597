"""Pairs for rankers: candidates of every query, their loss, and pairs from judgments."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from reranker_data import write_files

from xsearch.train.neural.modules.judgments import Judgments, judged_pairs
from xsearch.train.neural.modules.pairs import Candidates, found_pairs, pair_data
from xsearch.train.neural.modules.ranking import candidates_loss, reciprocal_rank

pytestmark = pytest.mark.neural


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("data"))


def test_losses_of_candidates_are_those_computed_by_hand():
    table = {("q", "a"): 2.0, ("q", "b"): 1.0, ("q", "c"): 3.0, ("r", "a"): 0.5, ("r", "c"): 0.5}
    batch = Candidates(("q", "r"), (("a", "b", "c"), ("c", "a")))

    def score(queries, passages):
        return torch.tensor([table[pair] for pair in zip(queries, passages, strict=True)])

    by_hand = [np.log(np.exp([2.0, 1.0, 3.0]).sum()) - 2.0, np.log(2)]
    assert float(candidates_loss(score, batch)) == pytest.approx(np.mean(by_hand))
    # Second of three; of two equal ones the last.
    assert reciprocal_rank(score, batch) == 0.5


def test_candidates_have_one_answer_and_no_other_of_the_same_query(files):
    data = pair_data(list(found_pairs([files / "pairs.jsonl"])), 1)
    assert not {pair.query for pair in data.train} & {pair.query for pair in data.held}
    for number in range(10):
        batch = data.batch(number, 6, 3, 1)
        assert batch == data.batch(number, 6, 3, 1)
        answers = {pair.query: pair.positive for pair in data.train}
        for query, passages in zip(batch.queries, batch.passages, strict=True):
            assert passages[0] == answers[query]
            assert tiny.TEXTS[4] in passages[1:]
            assert len(set(passages)) == len(passages)


def test_judged_documents_become_pairs(tmp_path):
    (tmp_path / "qrels").write_text("t1 0 d1 2\nt1 0 d2 0\nt1 0 gone 0\nt2 0 d2 1\n")
    (tmp_path / "topics.jsonl").write_text(
        '{"id": "t1", "lang": "en", "text": "river"}\n{"id": "t1", "lang": "de", "text": "Fluss"}\n'
        '{"id": "t2", "lang": "en", "text": "town"}\n'
    )
    (tmp_path / "docs.jsonl").write_text(
        '{"id": "d1", "title": "One", "text": "about a river"}\n{"id": "d2", "text": "about a town"}\n'
    )
    judged = Judgments(tmp_path / "qrels", tmp_path / "topics.jsonl", tmp_path / "docs.jsonl")
    found = [pair for _, pair in judged_pairs(judged, "en")]
    assert [(pair.query, pair.positive, pair.negatives) for pair in found] == [
        ("river", "One\nabout a river", ("about a town",)),
        ("town", "about a town", ()),
    ]
