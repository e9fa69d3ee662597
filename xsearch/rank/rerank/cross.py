"""Cross-encoders: query and passage in one sequence, a classifier's head over it (Nogueira and Cho 2019).

Checkpoints of transformers and of sentence-transformers' CrossEncoder: multilingual BERT, XLM-R, mDeBERTa, MiniLM,
BGE-reranker, decoders with a head for classification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput, FloatArray, Query
from xsearch.encode import Runtime
from xsearch.encode.neural.tokens import pad_number
from xsearch.rank.rerank.card import RerankerCard
from xsearch.rank.rerank.forward import Features, Forward, Tokens
from xsearch.rank.rerank.opened import CLASSIFIER, Opened, open_model
from xsearch.rank.rerank.prompts import fill
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text
from xsearch.rank.rerank.windows import fit


class CrossSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """relevant: the number of the class that stands for "relevant", where there are several. query, passage: how each
    is written, where the model was trained with more around them."""

    relevant: int = 1
    query: str = "{query}"
    passage: str = "{passage}"


class CrossEncoder:
    """Scores are the head's own: of one class its logit, of two the difference of logits, z_relevant − z_other, which
    is the log-odds of the softmax. Windows of a long passage: the best counts."""

    def __init__(self, opened: Opened, runtime: Runtime) -> None:
        self.card = opened.card
        self.counts: Counter[str] = Counter()
        self._opened = opened
        self._settings = opened.card.read_settings(CrossSettings)
        _check_classes(opened, self._settings)
        self._pairs = PairTokens(opened.tokenizer)
        self._forward = Forward(opened, runtime, self._logits, _padding(opened))

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), logits."""
        asked = fill(self._settings.query, query=query.text)
        texts = [fill(self._settings.passage, passage=passage_text(passage)) for passage in passages]
        fitted = fit(asked, texts, self._pairs.encode, self._opened.limit, self.counts)
        return fitted.best(self._forward.run(fitted.sequences))

    def _logits(self, features: Features) -> Any:
        logits = self._opened.model(**features).logits
        if logits.shape[-1] == 1:
            return logits[:, 0]
        relevant = self._settings.relevant
        return logits[:, relevant] - logits[:, 1 - relevant]


class PairTokens:
    """Query and passage as one sequence, with the tokenizer's own special tokens for pairs."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, query: str, passages: list[str]) -> list[Tokens]:
        """Whole, however long."""
        if not passages:
            return []
        made = self._tokenizer(
            [query] * len(passages),
            passages,
            truncation=False,
            padding=False,
            return_token_type_ids=True,
            return_attention_mask=False,
            verbose=False,
        )
        return [Tokens(*pair) for pair in zip(made["input_ids"], made["token_type_ids"], strict=True)]


def _padding(opened: Opened) -> int:
    """The number to pad with. Heads over decoders find a row's last token by the padding behind it, so that it must be
    the configuration's, and none that a row may end with."""
    config, tokenizer = opened.model.config, opened.tokenizer
    if config.pad_token_id is None:
        unknown = tokenizer.unk_token_id
        config.pad_token_id = pad_number(tokenizer) if unknown is None else unknown
    return int(config.pad_token_id)


def _check_classes(opened: Opened, settings: CrossSettings) -> None:
    count = int(opened.model.config.num_labels)
    if count > 2:
        raise BadInput(
            f"{opened.checkpoint.folder} tells {count} classes apart; a reranker has one, or two: relevant or not"
        )
    if settings.relevant not in (0, 1):
        raise BadInput(f"card of reranker '{opened.card.name}', settings: relevant is 0 or 1")


def load(card: RerankerCard, folder: Path, runtime: Runtime) -> CrossEncoder:
    """The cross-encoder that a card in `folder` describes; raises as `open_model`."""
    return CrossEncoder(open_model(card, folder, runtime, CLASSIFIER), runtime)
