"""One module fitted to any objective: what is common to language and ranking modules."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import torch

from xsearch.encode.neural.modules.base import Base
from xsearch.encode.neural.modules.card import (
    AdapterSettings,
    Ia3Settings,
    LoraSettings,
    Module,
    ModuleCard,
    SparseSettings,
    write_module,
)
from xsearch.encode.neural.modules.composition import Composition
from xsearch.train.neural.loop import Batch, fit
from xsearch.train.neural.modules import ticket
from xsearch.train.neural.modules.plan import Plan
from xsearch.train.neural.modules.weights import fresh_adapter, fresh_head, injected, settings_of
from xsearch.train.neural.recipe import Schedule
from xsearch.train.progress import OnProgress, Progress

BEFORE = " before"
"""Behind the name of a figure that was measured before the first step."""
Loss = Callable[[Batch, Mapping[str, Any]], Any]
"""(batch, the head's parameters by name, none for language modules) → the loss, with gradients."""


@dataclass(frozen=True)
class Task:
    """What a module is fitted to. under: modules below it, which stay as they are. draw: the batch of a number. loss:
    of a batch, with everything composed. measure: figures by name, without gradients. key: of what shapes the run."""

    base: Base
    plan: Plan
    card: ModuleCard
    under: tuple[Module, ...]
    draw: Callable[[int], Batch]
    loss: Loss
    measure: Callable[[Mapping[str, Any]], dict[str, float]]
    key: str


def fit_module(task: Task, folder: Path, on_progress: OnProgress = lambda _: None) -> Path:
    """Fit a module and write it to `folder`; returns its card's path.

    What a run has done so far lies in a hidden folder there until it is finished, and the same call goes on from it.
    Raises `BadInput` where a loss is not finite, with the batch left there.
    """
    work = folder / f".{task.card.name}.work"
    task.base.model.requires_grad_(False)
    composition = Composition(task.base.body, task.base.torch)
    head = fresh_head(task.base, task.plan.seed) if task.card.role == "ranking" else {}
    settings = settings_of(task.plan)
    if isinstance(settings, SparseSettings):
        module = _sparse(task, settings, composition, head, work, on_progress)
    else:
        module = _dense(task, settings, composition)
    # A fresh module does nothing yet: this is the base, or a head of random numbers on it.
    scores = {f"heldout {name}{BEFORE}": value for name, value in _measured(task, head).items()}
    _fit(task, module.tensors, head, task.plan.steps, work / "fit", on_progress)
    scores |= {f"heldout {name}": value for name, value in _measured(task, head).items()}
    composition.remove()
    card = msgspec.structs.replace(
        module.card,
        training={name: value for name, value in msgspec.to_builtins(task.plan).items() if value != ""},
        scores={name: round(value, 4) for name, value in scores.items()},
    )
    path = write_module(Module(card, {**module.tensors, **head}), folder)
    shutil.rmtree(work)
    return path


def _dense(task: Task, settings: AdapterSettings | LoraSettings | Ia3Settings, composition: Composition) -> Module:
    """Fresh weights of an adapter, LoRA or IA3, in their place."""
    if isinstance(settings, AdapterSettings):
        named = fresh_adapter(task.base, settings, task.plan.seed)
        module = Module(_with_settings(task.card, settings), named)
        _compose(task, composition, [module])
        return module
    # peft wraps the layers, so that what is below must be in its place before.
    _compose(task, composition, [])
    named, complete = injected(task.base, settings, task.plan.seed)
    return Module(_with_settings(task.card, complete), named)


def _sparse(
    task: Task,
    settings: SparseSettings,
    composition: Composition,
    head: dict[str, Any],
    work: Path,
    on_progress: OnProgress,
) -> Module:
    """The whole base fitted, its farthest weights chosen, everything put back; the weights to fit are their changes."""
    base, plan = task.base, task.plan
    ticket.untie(base)
    named = ticket.candidates(base)
    start = {name: value.detach().clone() for name, value in named.items()}
    heads = {name: value.detach().clone() for name, value in head.items()}
    _compose(task, composition, [])
    for value in named.values():
        value.requires_grad_(True)
    _fit(task, named, head, plan.full_steps, work / "full", on_progress, start)
    total = sum(value.numel() for value in start.values())
    places = ticket.farthest(named, start, min(settings.entries, int(total * ticket.MOST)))
    with torch.no_grad():
        for name, value in [*named.items(), *head.items()]:
            value.copy_(start[name] if name in start else heads[name])
            value.requires_grad_(name in head)
    changed = {
        f"{name}.values": torch.nn.Parameter(torch.zeros(len(at), device=at.device)) for name, at in places.items()
    }
    fixed = {f"{name}.indices": at for name, at in places.items()}
    complete = SparseSettings(sum(len(at) for at in places.values()))
    module = Module(_with_settings(task.card, complete), fixed | changed)
    _compose(task, composition, [module])
    return module


def _compose(task: Task, composition: Composition, modules: list[Module]) -> None:
    composition.compose([[*task.under, *modules]], task.plan.invertible)
    decoder = task.base.model.get_output_embeddings() if task.card.role == "language" else None
    if decoder is not None and task.plan.invertible:
        composition.invert_before(decoder)


def _with_settings(card: ModuleCard, settings: Any) -> ModuleCard:
    return msgspec.structs.replace(card, settings=msgspec.to_builtins(settings))


def _fit(
    task: Task,
    named: Mapping[str, Any],
    head: Mapping[str, Any],
    steps: int,
    work: Path,
    on_progress: OnProgress,
    start: Mapping[str, Any] | None = None,
) -> None:
    """Fit what of `named` and `head` takes gradients. start: where the weights began, to hold them back."""
    plan = task.plan
    schedule = Schedule(
        steps,
        learning_rate=plan.learning_rate,
        warmup=plan.warmup,
        average=plan.average,
        evaluate_every=plan.evaluate_every,
    )

    def losses(batch: Batch) -> dict[str, Any]:
        task.base.model.train()
        found = {task.card.role: task.loss(batch, head)}
        if start is not None and plan.l1:
            found["distance"] = plan.l1 * ticket.distance(named, start)
        return found

    fitted = torch.nn.ParameterList([value for value in [*named.values(), *head.values()] if value.requires_grad])
    key = f"{task.key} {work.name}"

    def report(step: Progress) -> None:
        on_progress(replace(step, within="all weights" if start is not None else "chosen weights"))

    reporting = report if plan.kind == "sft" else on_progress
    fit(fitted, task.draw, losses, schedule, plan.seed, work, key, reporting, lambda: _measured(task, head))


def _measured(task: Task, head: Mapping[str, Any]) -> dict[str, float]:
    task.base.model.eval()
    with torch.no_grad():
        return task.measure(head)
