"""The static encoder in training: vectors and weights of subwords, its forward pass and its gradients."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray
from xsearch.encode.pooling import sum_bags, unit_rows
from xsearch.train.bags import Bags, concatenate
from xsearch.train.contrastive import softmax_loss
from xsearch.train.recipe import Objective
from xsearch.train.sampling import PairBatch

EPSILON = 1e-10
SIF = 1e-3
"""Weights start at a / (a + p(token)), the smooth inverse frequency of Arora et al. 2017."""

LEAST_WEIGHT = 1e-4
Squares = tuple[FloatArray, FloatArray]


@dataclass(eq=False)
class StaticModel:
    """vectors: float32 (tokens, dim). raw: float32 (tokens,), weights before the softplus that keeps them positive."""

    vectors: FloatArray
    raw: FloatArray

    @staticmethod
    def initial(counts: NDArray[np.int64], dim: int, rng: np.random.Generator) -> StaticModel:
        """Random vectors of expected length 1; weights by inverse frequency, from the token `counts` of the data."""
        vectors = rng.standard_normal((len(counts), dim), dtype=np.float32) / np.float32(np.sqrt(dim))
        weights = np.maximum(SIF / (SIF + counts / max(counts.sum(), 1)), 0.02)
        return StaticModel(vectors, np.log(np.expm1(weights)).astype(np.float32))

    @staticmethod
    def of_rows(rows: FloatArray) -> StaticModel:
        """The model of weighted vectors (tokens, dim): a row's length is the token's weight."""
        weights = np.maximum(np.linalg.norm(rows, axis=1), LEAST_WEIGHT)
        return StaticModel(unit_rows(rows), np.log(np.expm1(weights)).astype(np.float32))

    def rows(self) -> FloatArray:
        """The weighted vectors, float32 (tokens, dim)."""
        return self.vectors * self.weights()[:, None]

    def weights(self, tokens: NDArray[np.int64] | None = None) -> FloatArray:
        """softplus of the raw weights, of all tokens or of some."""
        raw = self.raw if tokens is None else self.raw[tokens]
        return np.logaddexp(np.float32(0), raw)


@dataclass(eq=False)
class RowAdagrad:
    """Adagrad (Duchi, Hazan and Singer 2011) with one accumulator a row: θ_r −= η g_r / √(Σ mean(g_r²))."""

    squares: FloatArray

    def update(
        self, parameters: FloatArray, rows: NDArray[np.int64], gradient: FloatArray, rate: float | FloatArray
    ) -> None:
        """Move `rows` of `parameters` (n,) or (n, dim) against `gradient` (len(rows), …), in place. rate: of all or of
        each."""
        square = gradient * gradient
        self.squares[rows] += square.mean(axis=1) if gradient.ndim == 2 else square
        step = np.asarray(rate, dtype=np.float32) / (np.sqrt(self.squares[rows]) + np.float32(EPSILON))
        parameters[rows] -= gradient * (step[:, None] if gradient.ndim == 2 else step)


class Trainer:
    """Takes steps on a model. Only rows that a batch touches are read and written.

    squares: the accumulators of vectors and weights, float32 (tokens,) each, of a trainer to go on from. rates: float32
    (tokens,), what each token's learning rate is multiplied with; None for 1.
    """

    def __init__(
        self,
        model: StaticModel,
        objective: Objective,
        executor: Executor | None = None,
        squares: Squares | None = None,
        rates: FloatArray | None = None,
    ) -> None:
        self.model = model
        self._rates = rates
        self._objective = objective
        self._executor = executor
        empty = np.zeros((2, len(model.raw)), dtype=np.float32)
        self._vectors, self._weights = (RowAdagrad(kept) for kept in (squares or (empty[0], empty[1])))

    @property
    def squares(self) -> Squares:
        """What the accumulators hold."""
        return self._vectors.squares, self._weights.squares

    def step(self, batch: PairBatch, rate: float) -> float:
        """Fit one batch at a learning rate. Returns the loss."""
        loss, tokens, vector_gradient, raw_gradient = self.gradients(batch)
        rates = rate if self._rates is None else np.float32(rate) * self._rates[tokens]
        self._vectors.update(self.model.vectors, tokens, vector_gradient, rates)
        self._weights.update(self.model.raw, tokens, raw_gradient, rates)
        return loss

    def gradients(self, batch: PairBatch) -> tuple[float, NDArray[np.int64], FloatArray, FloatArray]:
        """(loss, touched tokens ascending, d loss / d their vectors, d loss / d their raw weights).

        A bag's sum is s = Σ w_t v_t and its vector u = s / |s|, so d/ds = (d/du − (d/du · u) u) / |s|, and with
        G_t = Σ d/ds over the places of t: d/dv_t = w_t G_t, d/dw_t = v_t · G_t, d/draw_t = σ(raw_t) d/dw_t. With
        `cuts` the loss is the mean over all lengths d of that of the first d numbers of every sum (Kusupati et al.
        2022, "Matryoshka representation learning", equation 1).
        """
        bags = concatenate([batch.left, batch.right])
        tokens, places = np.unique(bags.tokens, return_inverse=True)
        weights = self.model.weights(tokens)
        vectors = self.model.vectors[tokens]
        sums = sum_bags(vectors * weights[:, None], places, bags.starts, self._executor)
        loss, by_sums = self._by_sums(sums, batch)
        total = self._sum_by_token(by_sums, bags, places, len(tokens))
        by_weights = np.einsum("td,td->t", vectors, total)
        sigmoid = -np.expm1(-weights)
        return loss, tokens, total * weights[:, None], by_weights * sigmoid

    def _by_sums(self, sums: FloatArray, batch: PairBatch) -> tuple[float, FloatArray]:
        """The loss and its gradient by the sums of the bags, those of all left ones first."""
        n, lengths = len(batch), (sums.shape[1], *self._objective.cuts)
        gradient = np.zeros_like(sums)
        losses = []
        for length in lengths:
            part = sums[:, :length]
            units = unit_rows(part)
            loss, by_left, by_right = softmax_loss(
                units[:n], units[n:], batch.groups, self._objective.scale, self._objective.margin
            )
            by_units = np.concatenate([by_left, by_right])
            by_part = by_units - np.einsum("nd,nd->n", by_units, units)[:, None] * units
            by_part /= np.maximum(np.sqrt(np.einsum("nd,nd->n", part, part)), np.float32(EPSILON))[:, None]
            gradient[:, :length] += by_part / np.float32(len(lengths))
            losses.append(loss)
        return sum(losses) / len(losses), gradient

    def _sum_by_token(self, rows: FloatArray, bags: Bags, places: NDArray[np.int64], tokens: int) -> FloatArray:
        """For every token, the sum of `rows` over the bags it stands in, as often as it does."""
        order = np.argsort(places, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=tokens))])
        return sum_bags(rows, bags.owners[order], starts, self._executor)
