"""Fitting a static model to pairs, step by step, with a state on disk from which a run that was cut short goes on."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.train.model import Squares, StaticModel, Trainer
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.recipe import Objective
from xsearch.train.sampling import PairBatch

REPORT_EVERY = 50
SAVE_SECONDS = 120.0


class Sampler(Protocol):
    """Draws batches of pairs."""

    def draw(self, size: int, rng: np.random.Generator) -> PairBatch:
        """At most `size` pairs."""


@dataclass(frozen=True)
class Saved:
    """Where the state of a training is kept, and a key of all that its result depends on."""

    path: Path
    key: str


@dataclass(eq=False)
class State:
    """Where a fit stands: before step `step` of cycle `cycle`."""

    trainer: Trainer
    rng: np.random.Generator
    cycle: int = 0
    step: int = 0

    def save(self, saved: Saved) -> None:
        """Replace the file by this state, whole."""
        path = saved.path
        model, (vectors, weights) = self.trainer.model, self.trainer.squares
        counters = json.dumps(
            {"key": saved.key, "cycle": self.cycle, "step": self.step, "rng": self.rng.bit_generator.state}
        )
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(
                file, vectors=model.vectors, raw=model.raw, vector_squares=vectors, weight_squares=weights,
                counters=np.array(counters),
            )  # fmt: skip
        os.replace(part, path)

    @staticmethod
    def load(saved: Saved, begin: Callable[[StaticModel, Squares | None], Trainer]) -> State | None:
        """The state in the file; None where there is none or one of another training. Raises `BadInput` for a file that
        is no state."""
        if not saved.path.is_file():
            return None
        try:
            with np.load(saved.path) as file:
                counters = json.loads(str(file["counters"]))
                if counters["key"] != saved.key:
                    return None
                model = StaticModel(file["vectors"], file["raw"])
                trainer = begin(model, (file["vector_squares"], file["weight_squares"]))
            rng = np.random.default_rng()
            rng.bit_generator.state = counters["rng"]
            return State(trainer, rng, counters["cycle"], counters["step"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput(f"not a state of training: {error}; delete it to begin anew", str(saved.path)) from error


def fit(
    start: StaticModel,
    sampler: Sampler,
    objective: Objective,
    seed: int,
    on_progress: OnProgress,
    saved: Saved | None = None,
    rates: FloatArray | None = None,
) -> StaticModel:
    """`start` after all steps of all cycles; changed in place.

    Each cycle has accumulators and random numbers of its own. With `saved`, the state is kept there every two
    minutes, and a run that finds one of its own goes on from it with the same result as one that was never cut short.
    rates: see `Trainer`.
    """
    cycles = objective.cycles
    with ThreadPoolExecutor(os.cpu_count()) as executor:

        def begin(model: StaticModel, squares: Squares | None = None) -> Trainer:
            return Trainer(model, objective, executor, squares, rates)

        state = State.load(saved, begin) if saved else None
        state = state or State(begin(start), np.random.default_rng([seed, 0]))
        done = sum(cycle.steps for cycle in cycles[: state.cycle]) + state.step
        meter = _Meter(done, sum(cycle.steps for cycle in cycles), on_progress)
        kept = time.monotonic()
        while state.cycle < len(cycles):
            cycle = cycles[state.cycle]
            while state.step < cycle.steps:
                batch = sampler.draw(objective.batch, state.rng)
                meter.add(state.trainer.step(batch, cycle.rate(state.step)), len(batch))
                state.step += 1
                if saved is not None and time.monotonic() - kept > SAVE_SECONDS:
                    state.save(saved)
                    kept = time.monotonic()
            state.cycle, state.step = state.cycle + 1, 0
            state.rng = np.random.default_rng([seed, state.cycle])
            state.trainer = begin(state.trainer.model)
        return state.trainer.model


class _Meter:
    """Reports mean loss and pairs a second every few steps. Raises `BadInput` when the loss is no number."""

    def __init__(self, done: int, total: int, on_progress: OnProgress) -> None:
        self._done, self._total, self._on_progress = done, total, on_progress
        self._restart()

    def add(self, loss: float, pairs: int) -> None:
        self._done += 1
        if not np.isfinite(loss):
            raise BadInput(f"the loss of step {self._done} is {loss}: lower the recipe's learning rate")
        self._losses.append(loss)
        self._pairs += pairs
        if len(self._losses) == REPORT_EVERY or self._done == self._total:
            elapsed = time.perf_counter() - self._since
            mean = sum(self._losses) / len(self._losses)
            self._on_progress(Progress("train", self._done, self._total, mean, self._pairs / elapsed))
            self._restart()

    def _restart(self) -> None:
        self._losses: list[float] = []
        self._pairs = 0
        self._since = time.perf_counter()
