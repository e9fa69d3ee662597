"""Objectives over parallel texts: what means the same is represented alike."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import load_encoder
from xsearch.train.neural.batches import Parallel, Side
from xsearch.train.neural.tasks.task import Task
from xsearch.train.romanised import romanised

if TYPE_CHECKING:
    from xsearch.train.neural.corpus import Corpus
    from xsearch.train.neural.student import Student


class TranslationRanking(Task, frozen=True, tag="translation-ranking"):
    """A text's translation before all others (`objectives.translation_ranking`).

    temperature and margin: see there. pivot: a language that is one of the two wherever a row has it, "" for any two.
    chunk: texts that are held in memory at once, 0 for all.
    """

    temperature: float = 0.05
    margin: float = 0.0
    pivot: str = ""
    chunk: int = 0

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Rows in two languages."""
        return corpus.parallel(size, 2, rng, self.pivot)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """Cross entropy of the translations."""
        from xsearch.train.neural import objectives

        left, right = (student.sentences(column, self.chunk) for column in batch.columns)
        return objectives.translation_ranking(left, right, student.numbers(batch.groups), self.temperature, self.margin)


class Transliteration(TranslationRanking, frozen=True, tag="transliteration"):
    """A text and its transliteration into Latin letters, as `TranslationRanking` (TransliCo's transliteration
    contrastive modelling: Liu et al. 2024). Texts in Latin letters are not drawn."""

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Texts beside themselves in Latin letters."""
        texts: list[str] = []
        langs: list[str] = []
        latin: list[str] = []
        for _ in range(100):
            drawn = corpus.texts(size, rng).texts
            for text, lang in zip(drawn.texts, drawn.langs, strict=True):
                written = romanised(text)
                if written.casefold() != text.casefold() and len(texts) < size:
                    texts.append(text)
                    langs.append(lang)
                    latin.append(written)
            if len(texts) == size:
                sides = tuple(Side(tuple(side), tuple(langs)) for side in (texts, latin))
                return Parallel(sides, tuple(range(size)))
        raise BadInput("hardly any text is in letters other than Latin ones: there is nothing to transliterate")


class DualAlignment(TranslationRanking, frozen=True, tag="dual-alignment"):
    """Translation ranking and representation translation over the same states (Li et al. 2023, equation 7). layers: of
    the head that says the text in the pivot's language (`objectives.Translator`)."""

    pivot: str = "en"
    layers: int = 2

    def needs_words(self) -> bool:
        """It predicts the translation's words."""
        return True

    def parts(self, student: Student) -> dict[str, Any]:
        """The head."""
        from xsearch.train.neural import objectives

        if not hasattr(getattr(student.body, "encoder", None), "layer"):
            raise BadInput(
                f"{type(student.body).__name__} has no encoder.layer to begin the head of dual-alignment with"
            )
        return {"translator": objectives.Translator(student.body, self.layers, student.tokenizer.mask_token_id)}

    def loss(self, student: Student, batch: Parallel) -> Any:
        """L_TR + L_RTL."""
        from xsearch.train.neural import objectives

        pivot, other = (student.features(column, "document") for column in batch.columns)
        states = [student.states(features) for features in (pivot, other)]
        left, right = (student.pooled(s, f["attention_mask"]) for s, f in zip(states, (pivot, other), strict=True))
        groups = student.numbers(batch.groups)
        ranking = objectives.translation_ranking(left, right, groups, self.temperature, self.margin)
        targets, mask = pivot["input_ids"], pivot["attention_mask"]
        said = student.parts["translator"](states[1], other["attention_mask"], targets, mask, student.body.embeddings)
        counted = student.ordinary(pivot)
        translation = objectives.representation_translation(student.words(said[counted]), targets, counted)
        return ranking + translation


class OneToK(Task, frozen=True, tag="one-to-k"):
    """A text before all its translations at once (`objectives.one_to_k`). languages: K. chunk: as above."""

    temperature: float = 0.05
    languages: int = 4
    chunk: int = 0

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Rows in K languages."""
        return corpus.parallel(size, self.languages, rng)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """The mean over texts and their translations."""
        import torch

        from xsearch.train.neural import objectives

        vectors = torch.stack([student.sentences(column, self.chunk) for column in batch.columns])
        return objectives.one_to_k(vectors, student.numbers(batch.groups), self.temperature)


class Continuous(Task, frozen=True, tag="continuous"):
    """Texts that nearly mean the same are nearly positives (`objectives.continuously_weighted`). frozen: the encoder
    whose cosines say how nearly."""

    temperature: float = 0.05
    frozen: str = "xsearch-static-v2"

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Rows in two languages."""
        return corpus.parallel(size, 2, rng)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """Weighted cross entropy."""
        import torch

        from xsearch.train.neural import objectives

        left, right = (student.sentences(column) for column in batch.columns)
        vectors = frozen_vectors(self.frozen, batch.columns[0].texts)
        weights = torch.from_numpy(vectors @ vectors.T).to(student.device) / 2 + 0.5
        return objectives.continuously_weighted(left, right, weights.clamp(0.0, 1.0), self.temperature)


@cache
def _frozen(name: str) -> Any:
    return load_encoder(name)


def frozen_vectors(name: str, texts: tuple[str, ...]) -> FloatArray:
    """Vectors of texts by an encoder that does not learn."""
    vectors: FloatArray = _frozen(name).encode_queries(texts)
    return vectors


class Comparable(Task, frozen=True, tag="comparable"):
    """Sections about the same in two languages, token by token (`objectives.comparable`)."""

    temperature: float = 0.05

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Bodies of sections in two languages; pairs of queries and passages where there are no sections."""
        if corpus.bodies.weights.any():
            return corpus.parallel(size, 2, rng, bodies=True)
        ranked = corpus.ranked(size, 0, rng)
        return Parallel((ranked.queries, ranked.passages), ranked.groups)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """Cross entropy of late interaction."""
        from xsearch.train.neural import objectives

        sides: list[Any] = []
        for column in batch.columns:
            features = student.features(column, "document")
            sides += student.token_vectors(student.states(features), features, "document")
        left, left_mask, right, right_mask = sides
        groups = student.numbers(batch.groups)
        return objectives.comparable(left, left_mask, right, right_mask, groups, self.temperature)


class QueueContrast(Task, frozen=True, tag="queue-contrast"):
    """InfoXLM's cross-lingual contrast (`objectives.contrast_with_queue`). queue: texts of earlier batches that it
    holds. momentum: of the copy that encodes them."""

    temperature: float = 0.2
    queue: int = 16_384
    momentum: float = 0.999

    def parts(self, student: Student) -> dict[str, Any]:
        """The slowly moving copy and its queue."""
        from xsearch.train.neural import objectives

        return {"momentum": objectives.Momentum(student.body, student.sentence_dim, self.queue, self.momentum)}

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Rows in two languages."""
        return corpus.parallel(size, 2, rng)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """Cross entropy of the translation among the queue."""
        import torch

        from xsearch.train.neural import objectives

        slow = student.parts["momentum"]
        slow.follow(student.body)
        with torch.no_grad():
            features = student.features(batch.columns[1], "document")
            keys = student.pooled(slow.network(**features).last_hidden_state, features["attention_mask"])
        queue = slow.queue.clone()
        slow.push(keys)
        return objectives.contrast_with_queue(student.sentences(batch.columns[0]), keys, queue, self.temperature)


class WordAlignment(Task, frozen=True, tag="word-alignment"):
    """XLM-Align's denoising word alignment (`objectives.pointed`). regularisation and rounds: of the optimal transport
    that labels (`objectives.self_labels`). mask: share of the tokens that are hidden."""

    regularisation: float = 0.1
    rounds: int = 2
    mask: float = 0.15

    def parts(self, student: Student) -> dict[str, Any]:
        """What points."""
        from xsearch.train.neural import objectives

        return {"pointer": objectives.Pointer(int(student.config.hidden_size))}

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Rows in two languages."""
        return corpus.parallel(size, 2, rng)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """Cross entropy of the aligned tokens, both ways."""
        import torch

        from xsearch.train.neural import objectives

        features, first, second = student.joint_features(batch.columns[0], batch.columns[1])
        with torch.no_grad():
            seen = torch.nn.functional.normalize(student.states(features), dim=-1)
        ids, hidden = objectives.mask_tokens(
            features["input_ids"], first | second, student.tokenizer.mask_token_id, len(student.tokenizer), self.mask
        )
        states = student.states({**features, "input_ids": ids})
        logits = student.parts["pointer"](states, states)
        total: Any = 0.0
        for own, other in ((first, second), (second, first)):
            labels = objectives.self_labels(seen, seen, own, other, self.regularisation, self.rounds)
            total = total + objectives.pointed(logits, labels, hidden & own, other)
        return total / 2
