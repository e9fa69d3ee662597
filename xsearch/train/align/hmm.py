"""The alignment HMM: a word's partner stands near the partner of the word before (Vogel, Ney and Tillmann 1996,
"HMM-Based Word Alignment in Statistical Translation"), with an empty word as Och and Ney 2003, section 2.1, have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.train.align.pairs import LENGTHS
from xsearch.train.align.tables import Floats

REACH = int(LENGTHS[-1])
NEAR = 8
"""Jumps further than this share their probability on either side."""

LEAST = np.float32(1e-12)


@dataclass(eq=False)
class Jumps:
    """weights: float32 (2 REACH + 1,): how likely a jump of d places is, at place d + REACH, up to a factor."""

    weights: FloatArray

    @staticmethod
    def initial() -> Jumps:
        """Falling off on both sides of one step forward."""
        distance = np.abs(np.arange(-REACH, REACH + 1) - 1)
        return Jumps(np.exp2(-np.minimum(distance, NEAR) / 2).astype(np.float32))

    def matrix(self, size: int) -> FloatArray:
        """s(i' − i) for i, i' below `size`: float32 (size, size)."""
        places = np.arange(size)
        matrix: FloatArray = self.weights[places[None, :] - places[:, None] + REACH]
        return matrix

    def maximise(self, counts: Floats) -> None:
        """Fit to the expected counts of jumps, (2 REACH + 1,)."""
        counts = counts + 1e-3 * max(counts.sum(), 1e-9) / len(counts)
        near = np.abs(np.arange(-REACH, REACH + 1)) <= NEAR
        weights = counts / counts.sum()
        for side in (slice(0, REACH - NEAR), slice(REACH + NEAR + 1, None)):
            weights[side] = weights[side].mean()
        # Far places are seldom in reach: their mean over all places would be too low, so they get no less than this.
        weights[~near] = np.maximum(weights[~near], weights[near].min() * 0.1)
        self.weights = weights.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Expected:
    """Of one block, one direction: posteriors float32 (J, n, I), those of the empty word (J, n), jumps
    (2 REACH + 1,)."""

    posteriors: FloatArray
    null: FloatArray
    jumps: Floats


def hmm_posteriors(
    emissions: FloatArray,
    null_emissions: FloatArray,
    states: IntArray,
    steps: IntArray,
    weights: FloatArray,
    jumps: Jumps,
    null: float,
) -> Expected:
    """Posteriors of the states of n chains at once, by the forward-backward algorithm.

    emissions: float32 (J, n, I), t(f_j | e_i). null_emissions: (J, n). states, steps: int64 (n,), the true I and J of
    each chain. weights: (n,), what each counts for the jumps. A chain goes from place i to i' with probability
    (1 − p₀) s(i' − i) / Σ_i'' s(i'' − i) over its own places, or, with p₀ = `null`, to the empty word, which remembers
    i. It begins anywhere. Padded steps emit with probability 1 at any true place, which changes nothing.
    """
    most_steps, _, most_states = emissions.shape
    valid = (np.arange(most_states) < states[:, None]).astype(np.float32)
    real = np.arange(most_steps)[:, None] < steps
    emissions = np.where(real[:, :, None], emissions, valid)
    emissions *= valid
    null_emissions = np.where(real, null_emissions, np.float32(1)) * np.float32(null)
    matrix = jumps.matrix(most_states)
    scale = np.float32(1 - null) * valid / np.maximum(valid @ matrix.T, LEAST)
    forward, moving, at_null, norms = _forward(emissions, null_emissions, valid, states, matrix, scale, null)
    ahead = np.ones_like(valid)
    arriving = np.empty_like(emissions)
    null_posteriors = np.empty_like(null_emissions)
    for j in range(most_steps - 1, -1, -1):
        # `ahead` is β of step j: what follows, given the place after it.
        np.multiply(emissions[j], ahead, out=arriving[j])
        forward[j] *= ahead
        null_posteriors[j] = (at_null[j] * ahead).sum(axis=1)
        arriving[j] /= norms[j][:, None]
        ahead = (arriving[j] @ matrix.T) * scale + (null_emissions[j] / norms[j])[:, None] * ahead
    forward *= real[:, :, None]
    null_posteriors *= real
    counted = arriving[1:] * (real[1:] * weights)[:, :, None]
    moves = matrix * (moving[1:].reshape(-1, most_states).T @ counted.reshape(-1, most_states))
    return Expected(forward, null_posteriors, _by_jump(moves))


def _forward(
    emissions: FloatArray,
    null_emissions: FloatArray,
    valid: FloatArray,
    states: IntArray,
    matrix: FloatArray,
    scale: FloatArray,
    null: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """(α at true places, what the places before send out, α at the empty word, norms): three (J, n, I), the second zero
    at the first step, and (J, n), by which each step's α was divided to sum to 1."""
    alpha, moving, at_null = np.empty_like(emissions), np.zeros_like(emissions), np.empty_like(emissions)
    norms = np.empty_like(null_emissions)
    total = valid / states.astype(np.float32)[:, None]
    for j in range(len(emissions)):
        if j:
            np.multiply(total, scale, out=moving[j])
            np.matmul(moving[j], matrix, out=alpha[j])
        else:
            np.multiply(total, np.float32(1 - null), out=alpha[j])
        alpha[j] *= emissions[j]
        np.multiply(total, null_emissions[j][:, None], out=at_null[j])
        norm = np.maximum(alpha[j].sum(axis=1) + at_null[j].sum(axis=1), LEAST)
        norms[j] = norm
        alpha[j] /= norm[:, None]
        at_null[j] /= norm[:, None]
        total = alpha[j] + at_null[j]
    return alpha, moving, at_null, norms


def _by_jump(moves: FloatArray) -> Floats:
    """Expected moves from i to i', (I, I), added up by i' − i."""
    size = len(moves)
    places = np.arange(size)
    jumps = (places[None, :] - places[:, None] + REACH).ravel()
    return np.bincount(jumps, weights=moves.ravel(), minlength=2 * REACH + 1).astype(np.float64)
