"""Listwise reranking: a language model is shown numbered passages and writes their order (RankGPT: Sun et al. 2023).

A window of passages slides from the end of the list to its beginning, so that what belongs in front is carried there
window by window. What the model writes is read with patience: numbers are taken as they come, a number twice or out of
range is passed over, and passages it does not name keep their order behind those it names. An answer without any number
leaves its window as it was and is counted.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from xsearch.core import BadInput, FloatArray, Query
from xsearch.encode import Runtime
from xsearch.encode.neural.checkpoint import brief
from xsearch.encode.neural.tokens import pad_number
from xsearch.rank.rerank.card import RerankerCard
from xsearch.rank.rerank.opened import DECODER, Opened, open_model
from xsearch.rank.rerank.prompts import check_prompt, fill
from xsearch.rank.rerank.protocol import RerankCandidate, passage_text
from xsearch.rank.rerank.windows import QUERIES_CUT, TEXTS_CUT, shortened

NOT_UNDERSTOOD = "answers not understood"
INCOMPLETE = "answers that left passages out"
NUMBER = re.compile(r"\d+")
ANSWER_TOKENS = 8
"""Of an answer, a passage: "[12] > " has at most so many in the usual vocabularies."""
LEAST = 20
"""Characters of a passage at least, however little room there is."""


class ListwiseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """window: passages shown at once; stride: how far it moves. words: of a passage at most, 0 for all. system: what
    the model is told first, "" for nothing. prompt: with {query}, {count} and {passages}; passage: one of them, with
    {number} and {passage}."""

    window: int = 20
    stride: int = 10
    words: int = 300
    system: str = (
        "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query."
    )
    prompt: str = (
        "I will provide you with {count} passages, each indicated by a numerical identifier []. Rank the passages "
        "based on their relevance to the search query: {query}.\n\n{passages}\n\nSearch Query: {query}.\nRank the "
        "{count} passages above based on their relevance to the search query. All the passages should be included and "
        "listed using identifiers, in descending order of relevance. The output format should be [] > [], e.g., "
        "[4] > [2], Only respond with the ranking results, do not say any word or explain."
    )
    passage: str = "[{number}] {passage}"


class ListwiseReranker:
    """A `ListReranker` whose scores are places: the first of n passages has n, the last 1."""

    def __init__(self, opened: Opened) -> None:
        self.card = opened.card
        self.counts: Counter[str] = Counter()
        self._opened = opened
        self._settings = opened.card.read_settings(ListwiseSettings)
        check_prompt(opened, self._settings.prompt, "query", "passages")
        check_prompt(opened, self._settings.passage, "number", "passage")
        if not 0 < self._settings.stride <= self._settings.window or self._settings.window < 2:
            raise BadInput(
                f"card of reranker '{opened.card.name}', settings: a window of 2 passages or more moves by at most its "
                "size"
            )
        self._lock = threading.Lock()

    def score(self, query: Query, passages: Sequence[RerankCandidate]) -> FloatArray:
        """float32 (len(passages),), n for the first to 1 for the last."""
        *_, last = (places([*range(len(passages))]), *self.improve(query, passages))
        return last

    def passes(self, count: int) -> int:
        """As many as there are windows."""
        return len(self._windows(count))

    def improve(self, query: Query, passages: Sequence[RerankCandidate]) -> Iterator[FloatArray]:
        """The scores after each window."""
        order = [*range(len(passages))]
        texts = [self._words(passage_text(passage)) for passage in passages]
        for start, end in self._windows(len(order)):
            inside = order[start:end]
            answer = self._ask(query.text, [texts[row] for row in inside])
            order[start:end] = [inside[place] for place in self._read(answer, len(inside))]
            yield places(order)

    def _windows(self, count: int) -> list[tuple[int, int]]:
        return windows(count, self._settings.window, self._settings.stride)

    def _words(self, text: str) -> str:
        words = text.split()
        if not self._settings.words or len(words) <= self._settings.words:
            return " ".join(words)
        self.counts[TEXTS_CUT] += 1
        return " ".join(words[: self._settings.words])

    def _read(self, answer: str, count: int) -> list[int]:
        """The order that an answer gives, places from 0."""
        named = permutation(answer, count)
        if not named:
            self.counts[NOT_UNDERSTOOD] += 1
        elif len(named) < count:
            self.counts[INCOMPLETE] += 1
        return list(dict.fromkeys([*named, *range(count)]))

    def _ask(self, query: str, texts: list[str]) -> str:
        """What the model writes, always its likeliest next word."""
        torch, model, tokenizer = self._opened.torch, self._opened.model, self._opened.tokenizer
        room = ANSWER_TOKENS * len(texts)
        numbers = self._fitted(query, texts, max(1, self._opened.limit - room))
        given = torch.tensor([numbers], device=self._opened.device)
        with self._lock, torch.inference_mode():
            made = model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=room,
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=pad_number(tokenizer),
            )
        answer: str = tokenizer.decode(made[0, len(numbers) :], skip_special_tokens=True)
        return answer

    def _fitted(self, query: str, texts: list[str], limit: int) -> list[int]:
        """The prompt's tokens, at most `limit` of them: the longest passages are shortened until it fits."""
        tokenizer = self._opened.tokenizer
        asked = shortened(query, lambda text: len(tokenizer.encode(text, verbose=False)), max(1, limit // 4))
        if asked != query:
            self.counts[QUERIES_CUT] += 1
        numbers, most = self._prompt(asked, texts), max(map(len, texts))
        if len(numbers) > limit:
            self.counts[TEXTS_CUT] += 1
        while len(numbers) > limit and most > LEAST:
            most = max(LEAST, min(most - 1, most * limit // len(numbers)))
            numbers = self._prompt(asked, [text[:most] for text in texts])
        if len(numbers) > limit:
            raise BadInput(
                f"{self._opened.checkpoint.folder} reads {self._opened.limit} tokens, too few for {len(texts)} "
                f"passages: put a smaller window into the settings of the card of '{self.card.name}'"
            )
        return numbers

    def _prompt(self, query: str, texts: list[str]) -> list[int]:
        settings, tokenizer = self._settings, self._opened.tokenizer
        listed = "\n".join(fill(settings.passage, number=str(n), passage=text) for n, text in enumerate(texts, start=1))
        asked = fill(settings.prompt, query=query, count=str(len(texts)), passages=listed)
        if not tokenizer.chat_template:
            plain: list[int] = tokenizer.encode(f"{settings.system}\n{asked}\n".lstrip(), verbose=False)
            return plain
        said = [{"role": "system", "content": settings.system}] if settings.system else []
        said.append({"role": "user", "content": asked})
        try:
            text = tokenizer.apply_chat_template(
                said, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        except Exception as error:
            # A template may raise what it likes; what most refuse is a system's message.
            raise BadInput(
                f"the chat template of {self._opened.checkpoint.folder} refuses the prompt ({brief(error)}): try "
                f"system = \"\" in the settings of the card of '{self.card.name}'"
            ) from error
        numbers: list[int] = tokenizer.encode(text, add_special_tokens=False, verbose=False)
        return numbers


def windows(count: int, window: int, stride: int) -> list[tuple[int, int]]:
    """Stretches of a list of `count`, from its end to its beginning, `window` long and `stride` apart; the last one
    begins with the list."""
    if count < 2:
        return []
    starts = [*range(count - window, 0, -stride), 0] if count > window else [0]
    return [(start, min(count, start + window)) for start in starts]


def permutation(answer: str, count: int) -> list[int]:
    """The places, from 0, that an answer names by the numbers 1 to `count`, each once, in its order."""
    named = (int(number) - 1 for number in NUMBER.findall(answer) if len(number) < 6)
    return list(dict.fromkeys(place for place in named if 0 <= place < count))


def places(order: Sequence[int]) -> FloatArray:
    """Scores of passages whose order is given: n for the first to 1 for the last, float32 (n,)."""
    scores = np.empty(len(order), dtype=np.float32)
    scores[list(order)] = np.arange(len(order), 0, -1)
    return scores


def load(card: RerankerCard, folder: Path, runtime: Runtime) -> ListwiseReranker:
    """The reranker that a card in `folder` describes; raises as `open_model`."""
    return ListwiseReranker(open_model(card, folder, runtime, DECODER))
