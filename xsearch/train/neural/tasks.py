"""Objectives as a recipe names them: their settings, what they read, and which function of `objectives/` they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xsearch.core import BadInput
from xsearch.train.neural.batches import Ranked

if TYPE_CHECKING:
    from xsearch.train.neural.corpus import Corpus
    from xsearch.train.neural.student import Student


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="objective"):
    """One objective of a stage: `draw` makes its batch from a corpus, `loss` its part of the loss. weight: of that part
    in the sum."""

    weight: float = 1.0

    def check(self, kind: str, where: str) -> None:
        """Raise `BadInput` where an encoder of `kind` cannot be trained so."""

    def needs_words(self) -> bool:
        """Whether it predicts words, with the checkpoint's masked-LM head."""
        return False

    def parts(self, student: Student) -> dict[str, Any]:
        """Modules of torch that are trained along and left out of what is written, by name."""
        return {}


class Contrastive(Task, frozen=True, tag="contrastive"):
    """A query's passage before all others of the batch and before mined negatives (`objectives.in_batch_softmax`).

    temperature: what scores are divided by; 1 for sparse encoders. negatives: mined ones of every query. both: also a
    passage's query before the others. chunk: texts that are held in memory at once (`objectives.chunked`), 0 for all.
    cuts: dimensions that the vectors are good at too (`objectives.matryoshka`). flops_queries, flops_passages: weights
    of the sparsity of each side (`objectives.flops`), for sparse encoders.
    """

    temperature: float = 0.05
    negatives: int = 0
    both: bool = False
    chunk: int = 0
    cuts: tuple[int, ...] = ()
    flops_queries: float = 0.0
    flops_passages: float = 0.0

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Ranked:
        """Queries with passages."""
        return corpus.ranked(size, self.negatives, rng)

    def check(self, kind: str, where: str) -> None:
        """Cuts are of dense vectors, sparsity is of sparse ones."""
        if self.cuts and kind != "dense":
            raise BadInput("only dense vectors can be cut: leave out `cuts`", where)
        if (self.flops_queries or self.flops_passages) and kind != "sparse":
            raise BadInput("flops_queries and flops_passages are for sparse encoders", where)

    def loss(self, student: Student, batch: Ranked) -> Any:
        """Cross entropy of each query's passage."""
        from xsearch.train.neural import objectives

        queries = student.represent(batch.queries, "query", self.chunk)
        passages = student.represent(batch.passages, "document", self.chunk)
        rivals = student.rivals(batch)

        def softmax(queries: Any, passages: Any) -> Any:
            scores = student.scores(queries, passages)
            return objectives.in_batch_softmax(scores, rivals, self.temperature, self.both)

        if self.cuts:
            return objectives.matryoshka(softmax, queries, passages, self.cuts)
        loss = softmax(queries, passages)
        if self.flops_queries or self.flops_passages:
            loss = (
                loss + self.flops_queries * objectives.flops(queries) + self.flops_passages * objectives.flops(passages)
            )
        return loss


class Mining(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hard negatives from an index of the training passages (`xsearch.train.neural.mining`)."""

    negatives: int = 4
    depth: int = 50
    margin: float = 0.05
    passages: int = 20_000
    queries: int = 20_000


AnyTask = Contrastive
