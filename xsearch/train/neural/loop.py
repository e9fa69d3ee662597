"""The loop that fits any model of torch: AdamW, warm-up and decay, accumulation, averaging, and exact resumption.

What a step does depends on the weights, the optimizer's state and the step's number alone: batches are drawn by
number and the random numbers of a step are seeded with it. A run that was killed therefore goes on from its last state
to the same weights, to the last bit where the device's sums are.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch.core import BadInput
from xsearch.storage.files import refusals
from xsearch.train.neural.recipe import Schedule
from xsearch.train.progress import OnProgress, Progress

Batch = Any
"""What `draw` makes: it has a length, in texts or pairs, and msgspec can write it as JSON."""
Losses = Callable[[Batch], Mapping[str, Any]]
"""Batch → the parts of its loss by name, scalars with gradients; their sum is what is made smaller."""

STATE, FAILED = "state.pt", "failed-batch.json"
REPORT_EVERY = 10


@dataclass(eq=False)
class State:
    """Where a fit stands. sums: added up weights of `added` moments. measured: (steps done, measures by name)."""

    step: int = 0
    sums: dict[str, Any] = field(default_factory=dict)
    added: int = 0
    measured: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def add(self, model: Any) -> None:
        """Add the weights of a moment."""
        for name, weight in model.state_dict().items():
            value = weight.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
        self.added += 1

    def take_mean(self, model: Any) -> None:
        """Give `model` the mean of the moments added."""
        mean = {name: total / self.added for name, total in self.sums.items()}
        model.load_state_dict({name: mean[name].to(value.dtype) for name, value in model.state_dict().items()})


def fit(
    model: Any,
    draw: Callable[[int], Batch],
    losses: Losses,
    schedule: Schedule,
    seed: int,
    work: Path,
    key: str = "",
    on_progress: OnProgress = lambda _: None,
    evaluate: Callable[[], dict[str, float]] | None = None,
    save_seconds: float = 120.0,
) -> State:
    """Fit `model`, a module of torch on its device, in place; parameters that need no gradient stay as they are.

    draw: the batch of a number counted from 0, always the same for it; called in a thread of its own. work: a folder;
    the state is kept there every `save_seconds` and when the run is interrupted (Ctrl-C waits for the end of a step, a
    second one does not), and a run that finds one goes on from it. key: of all that shapes the run. A GPU that can
    computes the losses in bfloat16. Raises `BadInput` when a loss or a gradient is not finite, with the batch left in
    `work`, and for a state of another key.
    """
    torch_device = next(model.parameters()).device
    optimizer = _optimizer(model, schedule, torch_device)
    work.mkdir(parents=True, exist_ok=True)
    state = _load(work / STATE, model, optimizer, key, torch_device)
    meter = _Meter(state.step, schedule.steps, on_progress)
    kept = time.monotonic()
    devices = [torch_device] if torch_device.type == "cuda" else []
    ahead = _Ahead(draw, state.step * schedule.accumulate)
    with torch.random.fork_rng(devices), ahead as batches, _Interrupts() as interrupts:
        try:
            if state.step < schedule.steps:
                note = f"goes on behind step {state.step:,} of {schedule.steps:,}" if state.step else ""
                on_progress(Progress("train", state.step, schedule.steps, note=note))
            while state.step < schedule.steps:
                _step(model, optimizer, batches, losses, schedule, seed, state.step, work, meter)
                state.step += 1
                if state.step in schedule.averaged():
                    state.add(model)
                if evaluate and _due(state.step, schedule):
                    state.measured.append((state.step, evaluate()))
                    meter.show(state.measured[-1][1])
                if state.step < schedule.steps and time.monotonic() - kept > save_seconds:
                    _save(work / STATE, model, optimizer, state, key)
                    kept = time.monotonic()
                interrupts.check()
        except KeyboardInterrupt:
            if not interrupts.at_once:
                _save(work / STATE, model, optimizer, state, key)
            raise
    if state.added:
        state.take_mean(model)
        state = State(state.step, measured=state.measured)
    _save(work / STATE, model, None, state, key)
    return state


def _step(
    model: Any,
    optimizer: Any,
    batches: _Ahead,
    losses: Losses,
    schedule: Schedule,
    seed: int,
    step: int,
    work: Path,
    meter: _Meter,
) -> None:
    torch.manual_seed(int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]) >> 1)
    model.train()
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate(step)
    seen: list[Batch] = []
    parts: dict[str, float] = {}
    for _ in range(schedule.accumulate):
        seen.append(batches.next())
        with _precision(model):
            found = losses(seen[-1])
        total: Any = sum(found.values())
        for name, value in found.items():
            parts[name] = parts.get(name, 0.0) + float(value.detach()) / schedule.accumulate
        _check(float(total.detach()), "loss", step, parts, seen, work)
        (total / schedule.accumulate).backward()
    trained = [parameter for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(trained, schedule.clip or float("inf"))
    _check(float(norm), "norm of the gradients", step, parts, seen, work)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    meter.add(parts, sum(len(batch) for batch in seen))


def _check(value: float, what: str, step: int, parts: dict[str, float], seen: list[Batch], work: Path) -> None:
    if np.isfinite(value):
        return
    note = {"step": step, "losses": {name: str(part) for name, part in parts.items()}, "batches": seen}
    (work / FAILED).write_bytes(msgspec.json.encode(note))
    raise BadInput(
        f"the {what} of step {step + 1} is {value}; its batch is in {work / FAILED}: look at its texts, or lower "
        "the learning rate"
    )


def _due(step: int, schedule: Schedule) -> bool:
    return step == schedule.steps or bool(schedule.evaluate_every and step % schedule.evaluate_every == 0)


def _precision(model: Any) -> AbstractContextManager[Any]:
    """bfloat16 where the device computes in it: it needs no scaling of losses, which float16 would."""
    device = next(model.parameters()).device
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        autocast: AbstractContextManager[Any] = torch.autocast("cuda", dtype=torch.bfloat16)
        return autocast
    return nullcontext()


def _optimizer(model: Any, schedule: Schedule, device: Any) -> Any:
    """AdamW (Loshchilov and Hutter 2019) without decay of biases and norms, nor of a table some of whose rows stay."""
    groups: list[dict[str, Any]] = [{"params": [], "weight_decay": decay} for decay in (schedule.weight_decay, 0.0)]
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[int(parameter.dim() < 2 or hasattr(parameter, "undecayed"))]["params"].append(parameter)
    given = [group for group in groups if group["params"]]
    return torch.optim.AdamW(given, lr=schedule.learning_rate, fused=device.type == "cuda")


def _save(path: Path, model: Any, optimizer: Any, state: State, key: str) -> None:
    """Replace `path` by the state, whole. A finished run keeps no optimizer."""
    content = {
        "key": key,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict() if optimizer else None,
        "step": state.step,
        "sums": state.sums,
        "added": state.added,
        "measured": state.measured,
    }
    part = path.with_suffix(".part")
    with refusals(path):
        with part.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


def _load(path: Path, model: Any, optimizer: Any, key: str, device: Any) -> State:
    if not path.is_file():
        return State()
    try:
        kept = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        # Whatever a damaged file makes torch raise, the file is what the user can remove.
        raise BadInput(f"not a state of training: {error}; remove it to begin anew", str(path)) from error
    if kept["key"] != key:
        raise BadInput("another training was cut short here: remove the folder or name another --out", str(path.parent))
    model.load_state_dict(kept["model"])
    if kept["optimizer"] is not None:
        optimizer.load_state_dict(kept["optimizer"])
    measured = [(int(step), dict(found)) for step, found in kept["measured"]]
    return State(kept["step"], kept["sums"], kept["added"], measured)


class _Interrupts:
    """Lets a step end before Ctrl-C stops the run: of a step half done the weights, the optimizer's sums and what an
    objective remembers would not belong together. at_once: whether there was a second one, which stops where it is."""

    def __init__(self) -> None:
        self.at_once = self._asked = False
        self._before: Any = None

    def __enter__(self) -> _Interrupts:
        # Only the main thread is told of signals; whoever has a handler of their own keeps it.
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        self.at_once = self._asked
        self._asked = True
        if self.at_once:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where there was one."""
        if self._asked:
            raise KeyboardInterrupt


class _Ahead:
    """Draws the next batch while the device works on this one."""

    def __init__(self, draw: Callable[[int], Batch], number: int) -> None:
        self._draw, self._number = draw, number
        self._thread = ThreadPoolExecutor(1, "xsearch-batches")
        self._following: Any = None

    def __enter__(self) -> _Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def next(self) -> Batch:
        """The next batch."""
        batch = self._following.result() if self._following else self._draw(self._number)
        self._number += 1
        self._following = self._thread.submit(self._draw, self._number)
        return batch


class _Meter:
    """Reports mean losses and the rate every few steps."""

    def __init__(self, done: int, total: int, on_progress: OnProgress) -> None:
        self._done, self._total, self._on_progress = done, total, on_progress
        self._restart()

    def add(self, parts: Mapping[str, float], size: int) -> None:
        """A step done."""
        self._done += 1
        self._size += size
        self._steps += 1
        for name, value in parts.items():
            self._parts[name] = self._parts.get(name, 0.0) + value
        if self._steps == REPORT_EVERY or self._done == self._total:
            means = {name: value / self._steps for name, value in self._parts.items()}
            rate = self._size / max(time.perf_counter() - self._since, 1e-9)
            self._on_progress(Progress("train", self._done, self._total, sum(means.values()), rate, parts=means))
            self._restart()

    def show(self, measures: dict[str, float]) -> None:
        """What an evaluation gave."""
        self._on_progress(Progress("evaluate", self._done, self._total, measures=measures))

    def _restart(self) -> None:
        self._parts: dict[str, float] = {}
        self._size = self._steps = 0
        self._since = time.perf_counter()
