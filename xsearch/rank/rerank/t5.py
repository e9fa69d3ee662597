"""Sequence-to-sequence rerankers: monoT5 and its kin in many languages (Nogueira et al. 2020; Bonifacio et al. 2021).

The encoder reads "Query: … Document: … Relevant:", and what counts is which of two words the decoder would begin with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import FloatArray, Query
from xsearch.encode import Runtime
from xsearch.rank.rerank.card import RerankerCard
from xsearch.rank.rerank.forward import Features, Forward, Tokens
from xsearch.rank.rerank.opened import SEQ2SEQ, Opened, open_model
from xsearch.rank.rerank.prompts import check_prompt, fill, token_number
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text
from xsearch.rank.rerank.windows import fit


class T5Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """prompt: what the encoder reads, with {query} and {passage}. relevant, other: the tokens that say yes and no, as
    the vocabulary writes them."""

    prompt: str = "Query: {query} Document: {passage} Relevant:"
    relevant: str = "▁true"
    other: str = "▁false"


class T5Reranker:
    """The score is  z_relevant − z_other  of the decoder's first step: the log-odds of the softmax over the two words,
    by whose logarithm monoT5 ranks (which is the same order). Windows of a long passage: the best counts."""

    def __init__(self, opened: Opened, runtime: Runtime) -> None:
        self.card = opened.card
        self.counts: Counter[str] = Counter()
        self._opened = opened
        self._settings = opened.card.read_settings(T5Settings)
        check_prompt(opened, self._settings.prompt, "query", "passage")
        names = (self._settings.relevant, self._settings.other)
        self._answers = [token_number(opened, name) for name in names]
        self._start = int(opened.model.config.decoder_start_token_id or 0)
        self._forward = Forward(opened, runtime, self._log_odds)

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), log-odds."""
        texts = [passage_text(passage) for passage in passages]
        fitted = fit(query.text, texts, self._encode, self._opened.limit, self.counts)
        return fitted.best(self._forward.run(fitted.sequences))

    def _encode(self, query: str, passages: list[str]) -> list[Tokens]:
        if not passages:
            return []
        texts = [fill(self._settings.prompt, query=query, passage=passage) for passage in passages]
        found = self._opened.tokenizer(texts, truncation=False, return_attention_mask=False, verbose=False)
        return [Tokens(ids, [0] * len(ids)) for ids in found["input_ids"]]

    def _log_odds(self, features: Features) -> Any:
        torch = self._opened.torch
        start = torch.full((len(features["input_ids"]), 1), self._start, device=self._opened.device)
        logits = self._opened.model(**features, decoder_input_ids=start).logits[:, 0].float()
        relevant, other = self._answers
        return logits[:, relevant] - logits[:, other]


def load(card: RerankerCard, folder: Path, runtime: Runtime) -> T5Reranker:
    """The reranker that a card in `folder` describes; raises as `open_model`, and `BadInput` for a vocabulary that
    lacks one of the two words."""
    return T5Reranker(open_model(card, folder, runtime, SEQ2SEQ), runtime)
