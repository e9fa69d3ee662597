"""Decoders that answer yes or no, as Qwen3-Reranker (Zhang et al. 2025) does.

The model reads an instruction, the query and the passage in its template, and what counts is whether the next word
would be "yes" or "no".
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
from xsearch.rank.rerank.opened import DECODER, Opened, open_model
from xsearch.rank.rerank.prompts import check_prompt, fill, token_number
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text
from xsearch.rank.rerank.windows import fit


class DecoderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """before, prompt, after: what the model reads, one behind the other, tokenised apart; `prompt` holds {query},
    {passage} and, if it likes, {instruction}. relevant, other: the words that say yes and no; without `other` the
    logit of `relevant` alone is the score."""

    before: str = ""
    prompt: str = "Query: {query}\nDocument: {passage}\nIs the document relevant to the query? Answer yes or no:"
    after: str = ""
    instruction: str = "Given a web search query, retrieve relevant passages that answer the query"
    relevant: str = "yes"
    other: str = "no"


class DecoderReranker:
    """The score is  z_yes − z_no  of the next token, the log-odds of the probability that the model's authors rank by.
    Windows of a long passage: the best counts."""

    def __init__(self, opened: Opened, runtime: Runtime) -> None:
        self.card = opened.card
        self.counts: Counter[str] = Counter()
        self._opened = opened
        self._settings = opened.card.read_settings(DecoderSettings)
        check_prompt(opened, self._settings.prompt, "query", "passage")
        self._relevant = token_number(opened, self._settings.relevant)
        self._other = token_number(opened, self._settings.other) if self._settings.other else None
        self._before, self._after = (self._numbers([text])[0] for text in (self._settings.before, self._settings.after))
        if not self._before and opened.tokenizer.bos_token_id is not None and _adds_bos(opened.tokenizer):
            self._before = [int(opened.tokenizer.bos_token_id)]
        self._forward = Forward(opened, runtime, self._log_odds, left=True)

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), log-odds."""
        texts = [passage_text(passage) for passage in passages]
        fitted = fit(query.text, texts, self._encode, self._opened.limit, self.counts)
        return fitted.best(self._forward.run(fitted.sequences))

    def _encode(self, query: str, passages: list[str]) -> list[Tokens]:
        prompt, instruction = self._settings.prompt, self._settings.instruction
        texts = [fill(prompt, instruction=instruction, query=query, passage=passage) for passage in passages]
        found = [[*self._before, *ids, *self._after] for ids in self._numbers(texts)]
        return [Tokens(ids, [0] * len(ids)) for ids in found]

    def _numbers(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self._opened.tokenizer(
            texts, add_special_tokens=False, truncation=False, return_attention_mask=False, verbose=False
        )["input_ids"]
        return found

    def _log_odds(self, features: Features) -> Any:
        logits = self._opened.model(**features, use_cache=False, logits_to_keep=1).logits[:, -1].float()
        return logits[:, self._relevant] - (0 if self._other is None else logits[:, self._other])


def _adds_bos(tokenizer: Any) -> bool:
    """Whether a tokenizer puts its first special token in front of a text."""
    return bool(tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id])


def load(card: RerankerCard, folder: Path, runtime: Runtime) -> DecoderReranker:
    """The reranker that a card in `folder` describes; raises as `open_model`, and `BadInput` for words that are not one
    token."""
    return DecoderReranker(open_model(card, folder, runtime, DECODER), runtime)
