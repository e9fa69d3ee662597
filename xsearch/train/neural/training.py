"""From a recipe and data to an encoder on disk: `xsearch train encoder|colbert|sparse`."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode import EncoderCard, Runtime
from xsearch.encode.neural.build import quiet
from xsearch.encode.neural.checkpoint import locate
from xsearch.train.neural.corpus import Corpus, read_corpus
from xsearch.train.neural.fresh import fresh_model
from xsearch.train.neural.recipe import NeuralRecipe, Stage
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.static import source_notes


def train_neural(
    recipe: NeuralRecipe,
    data: Path,
    out: Path,
    base: str = "",
    device: str = "auto",
    on_progress: OnProgress = lambda _: None,
    save_seconds: float = 120.0,
) -> EncoderCard:
    """Train what `recipe` describes from the files of `data`; write `out/NAME.toml` and `out/NAME/`. Returns the card.

    base: a checkpoint's folder or name on the hub, in the place of the recipe's. device: as a `Runtime`'s. A run that
    was cut short goes on from what it left in `out/NAME.work`, which is removed in the end: on a CPU with as many
    threads to the same weights. `out/NAME.log.jsonl` holds what was measured on the way. Raises `BadInput` for data
    that cannot be used and for a loss that is not finite, `MissingExtra` without torch.
    """
    torch = need("torch", "neural", "training an encoder")
    from xsearch.train.neural.finish import write_encoder
    from xsearch.train.neural.measure import Held

    where = Runtime(device).devices(torch)[0]
    on_progress(Progress("read"))
    corpus = read_corpus(data, recipe.sources, recipe.exclude, recipe.seed, recipe.most)
    student = begin(recipe, corpus, base).to(where)
    held = Held(corpus, recipe.seed)
    work = out / f"{recipe.name}.work"
    key = _key(recipe, corpus, base)
    measured: list[dict[str, Any]] = [{"stage": "", "step": 0, **held.measure(student)}]
    for number, stage in enumerate(recipe.stages):
        measured += _run(student, stage, number, corpus, recipe, work, key, on_progress, held, save_seconds)
    scores = {name: round(value, 4) for name, value in measured[-1].items() if isinstance(value, float)}
    notes = source_notes(data, corpus.files, recipe.sources)
    card = write_encoder(student, recipe, out, notes, held.by_language(student), scores)
    log = "".join(json.dumps(row) + "\n" for row in measured)
    (out / f"{recipe.name}.log.jsonl").write_text(log, encoding="utf-8")
    shutil.rmtree(work)
    return card


def begin(recipe: NeuralRecipe, corpus: Corpus, base: str = "") -> Any:
    """The model before its first step."""
    import torch

    from xsearch.train.neural.student import Student
    from xsearch.train.neural.tuning import prepare

    tasks = [task for stage in recipe.stages for task in stage.objectives]
    words = recipe.model.kind == "sparse" or any(task.needs_words() for task in tasks)
    name = base or recipe.model.base
    with torch.random.fork_rng([]):
        # What a checkpoint lacks (heads, poolers) begins at random.
        torch.manual_seed(recipe.seed)
        made = _checkpoint(name, words) if name else fresh_model(recipe.model.fresh, corpus, recipe.seed)
        transformer, tokenizer = made
        if recipe.model.layers:
            keep_layers(transformer, recipe.model.layers)
        transformer, settings = prepare(transformer, tokenizer, recipe.model)
        student = Student(transformer, tokenizer, settings)
        for task in tasks:
            for part, module in task.parts(student).items():
                if part not in student.parts:
                    student.parts[part] = module
    return student


def _checkpoint(name: str, words: bool) -> tuple[Any, Any]:
    """A checkpoint's network, with its masked-LM head if `words`, and tokenizer. Weights are read from safetensors
    only."""
    transformers = need("transformers", "neural", "training an encoder")
    folder = locate(name).folder
    load = transformers.AutoModelForMaskedLM if words else transformers.AutoModel
    try:
        with quiet(transformers):
            model = load.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        raise BadInput(f"{folder} cannot be loaded to be trained: {error}") from error
    return model.float(), tokenizer


def keep_layers(model: Any, count: int) -> None:
    """Leave `count` of a network's layers, evenly spread, the last among them (BiStil: Ansell et al. 2023 begin with
    every second layer of the teacher)."""
    import torch

    stack = getattr(getattr(model.base_model, "encoder", None), "layer", None)
    if stack is None or count > len(stack):
        raise BadInput(f"{type(model).__name__} has not {count} layers to keep: leave out model.layers")
    kept = [round((n + 1) * len(stack) / count) - 1 for n in range(count)]
    model.base_model.encoder.layer = torch.nn.ModuleList([stack[n] for n in kept])
    model.config.num_hidden_layers = count


def _run(
    student: Any,
    stage: Stage,
    number: int,
    corpus: Corpus,
    recipe: NeuralRecipe,
    work: Path,
    key: str,
    on_progress: OnProgress,
    held: Any,
    save_seconds: float,
) -> list[dict[str, Any]]:
    """One stage. Returns what was measured."""
    from xsearch.train.neural.loop import fit

    tasks = stage.objectives
    names = [f"{task.__struct_config__.tag}" for task in tasks]

    def draw(batch: int) -> Drawn:
        rngs = [np.random.default_rng([recipe.seed, number, batch, place]) for place in range(len(tasks))]
        return Drawn([task.draw(corpus, stage.batch, rng) for task, rng in zip(tasks, rngs, strict=True)])

    def losses(drawn: Drawn) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, task, batch in zip(names, tasks, drawn.batches, strict=True):
            found[name] = found.get(name, 0.0) + task.weight * task.loss(student, batch)
        return found

    state = fit(
        student,
        draw,
        losses,
        stage.schedule,
        seed=recipe.seed * 1000 + number,
        work=work / stage.name,
        key=key,
        on_progress=lambda step: on_progress(replace(step, within=stage.name)),
        evaluate=partial(held.measure, student),
        save_seconds=save_seconds,
    )
    return [{"stage": stage.name, "step": step, **found} for step, found in state.measured]


class Drawn(msgspec.Struct, frozen=True):
    """A batch of every objective of a stage."""

    batches: list[Any]

    def __len__(self) -> int:
        return sum(len(batch) for batch in self.batches)


def _key(recipe: NeuralRecipe, corpus: Corpus, base: str) -> str:
    """A digest of all that shapes a run: the recipe, what it begins from, and the size of what it read."""
    sizes = [len(corpus.rows.texts), len(corpus.titles.texts), len(corpus.pairs), corpus.files]
    content = json.dumps([msgspec.to_builtins(recipe), base, sizes])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
