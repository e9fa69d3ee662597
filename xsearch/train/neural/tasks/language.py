"""Objectives over words: a network that can say what is hidden, or that thinks as another does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xsearch.train.neural.batches import Parallel, Plain
from xsearch.train.neural.tasks.task import Task

if TYPE_CHECKING:
    from xsearch.train.neural.corpus import Corpus
    from xsearch.train.neural.student import Student


class MaskedWords(Task, frozen=True, tag="masked-words"):
    """Masked language modelling of single texts (`objectives.masked_words`). mask: share of the tokens hidden."""

    mask: float = 0.15

    def needs_words(self) -> bool:
        """It predicts words."""
        return True

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Any:
        """Texts."""
        return corpus.texts(size, rng)

    def loss(self, student: Student, batch: Any) -> Any:
        """Cross entropy of the hidden tokens."""
        features = student.features(batch.texts, "document")
        return self.of(student, features, student.ordinary(features))

    def of(self, student: Student, features: dict[str, Any], maskable: Any) -> Any:
        """The loss over the tokens of `features` that may be hidden."""
        from xsearch.train.neural import objectives

        tokenizer, ids = student.tokenizer, features["input_ids"]
        shown, hidden = objectives.mask_tokens(ids, maskable, tokenizer.mask_token_id, len(tokenizer), self.mask)
        states = student.states({**features, "input_ids": shown})
        return objectives.masked_words(student.words(states[hidden]), ids[hidden])


class TranslatedWords(MaskedWords, frozen=True, tag="translated-words"):
    """Translation language modelling: the same over a text with its translation behind it."""

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Parallel:
        """Rows in two languages."""
        return corpus.parallel(size, 2, rng)

    def loss(self, student: Student, batch: Parallel) -> Any:
        """Cross entropy of the hidden tokens of both texts."""
        features, first, second = student.joint_features(batch.columns[0], batch.columns[1])
        return self.of(student, features, first | second)


class HiddenStates(Task, frozen=True, tag="hidden-states"):
    """The states of the network before it lost layers (`objectives.hidden_states`). languages: of the texts, () for
    all; BiStil takes two."""

    languages: tuple[str, ...] = ()

    def needs_teacher(self) -> bool:
        """It compares with the whole network."""
        return True

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Plain:
        """Texts in the languages."""
        return corpus.texts(size, rng, self.languages)

    def loss(self, student: Student, batch: Plain) -> Any:
        """Squared distance of states, layer by layer."""
        import torch

        from xsearch.train.neural import objectives

        features = student.features(batch.texts, "document")
        own = student.body(**features, output_hidden_states=True).hidden_states
        with torch.no_grad():
            whole = student.teacher()(**features, output_hidden_states=True).hidden_states
        return objectives.hidden_states(own, whole, features["attention_mask"])
