"""Objectives over queries and passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xsearch.core import BadInput
from xsearch.train.neural.batches import Ranked
from xsearch.train.neural.tasks.task import Task

if TYPE_CHECKING:
    from xsearch.train.neural.corpus import Corpus
    from xsearch.train.neural.student import Student


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


class Distillation(Task, frozen=True, tag="distillation"):
    """A teacher's scores of each query's passage and mined negatives (`objectives.distillation`).

    negatives: of every query. temperature, teacher_temperature: what the student's and the teacher's scores are divided
    by. chunk: as `Contrastive`'s.
    """

    temperature: float = 0.05
    teacher_temperature: float = 1.0
    negatives: int = 4
    chunk: int = 0

    def draw(self, corpus: Corpus, size: int, rng: np.random.Generator) -> Ranked:
        """Queries whose passages a teacher scored."""
        return corpus.ranked(size, self.negatives, rng, scored=True)

    def loss(self, student: Student, batch: Ranked) -> Any:
        """Divergence from the teacher's shares."""
        import torch

        from xsearch.train.neural import objectives

        queries = student.represent(batch.queries, "query", self.chunk)
        passages = student.represent(batch.passages, "document", self.chunk)
        candidates = torch.tensor(batch.candidates, device=student.device)
        scores = student.scores(queries, passages).gather(1, candidates)
        teacher = torch.tensor(batch.scores, device=student.device)
        return objectives.distillation(scores, teacher, self.temperature, self.teacher_temperature)
