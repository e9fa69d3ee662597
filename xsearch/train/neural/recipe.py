"""What trains a neural retriever, as a file: data, model, and stages of objectives with their schedules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import UsageError
from xsearch.train.neural.tasks import AnyTask
from xsearch.train.recipe import Source
from xsearch.train.recipe_file import read_recipe, recipe_path, refuse

KINDS = ("dense", "multivector", "sparse")


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long and how fast. learning_rate rises linearly over the share `warmup` of the steps and falls linearly to
    0. accumulate: batches a step. clip: the largest norm of a step's gradients, 0 for any. average: the mean of the
    weights at the last so many of ten moments is what comes out (Schmidt et al. 2023, "Free lunch: robust cross-lingual
    transfer via model checkpoint averaging"), 0 for the last weights. evaluate_every: steps, 0 for at the end only."""

    steps: int
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    accumulate: int = 1
    clip: float = 1.0
    average: int = 0
    evaluate_every: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        rise = (step + 1) / (self.warmup * self.steps) if self.warmup else 1.0
        fall = (self.steps - step) / max((1 - self.warmup) * self.steps, 1.0)
        return self.learning_rate * min(rise, fall, 1.0)

    def averaged(self) -> frozenset[int]:
        """The numbers of steps done at which weights are added to the average."""
        return frozenset(max(1, round(self.steps * (MOMENTS - back) / MOMENTS)) for back in range(self.average))


MOMENTS = 10
"""A run has so many moments whose weights may be averaged, evenly spread, the last at its end."""


class Fresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network to begin from where no checkpoint is given: BERT's architecture in thin layers, with a vocabulary
    learnt from the data and token vectors begun from a static encoder's (`xsearch.train.neural.fresh`). inner: width of
    the feed-forward layers. static: the encoder, "" for random vectors. texts: so many the vocabulary is learnt from.
    """

    layers: int = 6
    hidden: int = 256
    heads: int = 4
    inner: int = 1024
    vocabulary: int = 60_000
    texts: int = 300_000
    positions: int = 256
    static: str = "xsearch-static-v2"


class Tuning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which parameters are fitted. method: "full", "lora" (Hu et al. 2022: low-rank changes of `rank`, scaled by
    `alpha` / rank, added to the weights in the end) or "prompt" (Lester et al. 2021: vectors of `length` tokens that
    are put in front of every text)."""

    method: str = "full"
    rank: int = 8
    alpha: int = 16
    length: int = 10


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words that a checkpoint's vocabulary gets in addition (`xsearch.train.neural.vocabulary`). words: how many; 0 for
    none. texts: looked at. neighbours, temperature: of the known tokens whose vectors a new one begins as. static: the
    encoder that says what is near, "" for random vectors."""

    words: int = 0
    texts: int = 100_000
    neighbours: int = 10
    temperature: float = 0.1
    static: str = "xsearch-static-v2"


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is trained. base: a checkpoint's folder or name, which `--base` overrules; "" for a fresh network. kind:
    "dense", "multivector" or "sparse". dim: of vectors, 0 for the network's own width; multi-vector encoders have 128
    then. pooling: of dense vectors, "mean" or "cls". lengths: tokens of queries and passages. query, passage: what is
    put in front of them. layers: so many of a checkpoint's, evenly spread, 0 for all (BiStil starts so). int8: write
    weights of 8 bits (`xsearch.encode.neural.packed`)."""

    kind: str = "dense"
    base: str = ""
    dim: int = 0
    pooling: str = "mean"
    query_length: int = 64
    passage_length: int = 180
    query: str = ""
    passage: str = ""
    layers: int = 0
    int8: bool = False
    fresh: Fresh = Fresh()
    tuning: Tuning = Tuning()
    extension: Extension = Extension()


class Transforms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to texts before a stage reads them. switch: the share of words of a query that are replaced by a
    translation (EntityCS: Whitehouse et al. 2022) from the `lexicons`, globs of the data folder. romanise: the share of
    texts written in Latin letters (TransliCo: Liu et al. 2024)."""

    switch: float = 0.0
    lexicons: tuple[str, ...] = ()
    romanise: float = 0.0


class Mining(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hard negatives and a teacher's scores, made before a stage begins (`xsearch.train.neural.mining`).

    recipe: of the index that is asked. negatives: of every query. depth: passages looked at. margin: a passage that
    scores above the positive's score less this share of it counts as an answer. queries, passages: most of each.
    """

    recipe: str = "hybrid"
    negatives: int = 4
    depth: int = 50
    margin: float = 0.05
    queries: int = 20_000
    passages: int = 50_000


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Objectives fitted together. batch: rows, pairs or texts that each draws for one forward pass. mining: hard
    negatives and a teacher's scores that are made before the stage begins, None for what the pairs bring along."""

    name: str
    schedule: Schedule
    objectives: tuple[AnyTask, ...]
    batch: int = 32
    transforms: Transforms = Transforms()
    mining: Mining | None = None


class NeuralRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole recipe. `exclude` lists globs, relative to the data folder, of files whose texts may not be trained on.
    paper: whose recipe it is. most: lines read of every file, None for all."""

    name: str
    sources: tuple[Source, ...]
    stages: tuple[Stage, ...]
    model: Model = Model()
    exclude: tuple[str, ...] = ()
    licence: str = ""
    description: str = ""
    paper: str = ""
    seed: int = 1
    most: int | None = None


TOY = Fresh(layers=2, hidden=64, heads=2, inner=128, vocabulary=6_000, texts=4_000, positions=128)
TOY_CUTS = (TOY.hidden // 4, TOY.hidden // 2)
TOY_STEPS, TOY_BATCH, TOY_CHUNK, TOY_LINES, TOY_QUERIES = 60, 16, 6, 600, 300


def load_neural_recipe(path: Path) -> NeuralRecipe:
    """The recipe in a TOML file, or of a name in `encoders/recipes`. Raises `BadInput` for unknown keys, wrong types
    and impossible values."""
    recipe = read_recipe(path, NeuralRecipe)
    check_recipe(recipe, path)
    return recipe


def check_recipe(recipe: NeuralRecipe, path: Path) -> None:
    """Raise `BadInput` for impossible values. path: of the recipe, or its name."""
    model, stages = recipe.model, recipe.stages
    names = [stage.name for stage in stages]
    problems = {
        "no sources": not recipe.sources,
        "no stages": not stages,
        "two stages of one name": len(set(names)) < len(names),
        f"model.kind must be one of {', '.join(KINDS)}": model.kind not in KINDS,
        'model.pooling must be "mean" or "cls"': model.pooling not in ("mean", "cls"),
        'model.tuning.method must be "full", "lora" or "prompt"': model.tuning.method not in ("full", "lora", "prompt"),
        "a stage needs objectives": any(not stage.objectives for stage in stages),
        "hidden-states compares with the network as it was: no words (model.extension) and no prompt can be added": (
            any(task.needs_teacher() for stage in stages for task in stage.objectives)
            and (model.extension.words > 0 or model.tuning.method == "prompt")
        ),
        "a stage's batch must be at least 2": any(stage.batch < 2 for stage in stages),
        "schedule.steps and accumulate must be at least 1": any(
            stage.schedule.steps < 1 or stage.schedule.accumulate < 1 for stage in stages
        ),
        "schedule.warmup must lie in [0, 1)": any(not 0 <= stage.schedule.warmup < 1 for stage in stages),
        f"schedule.average must lie in 0..{MOMENTS}": any(
            not 0 <= stage.schedule.average <= MOMENTS for stage in stages
        ),
    }
    refuse(problems, path)
    for stage in stages:
        for task in stage.objectives:
            task.check(model.kind, str(recipe_path(path)))


def toy(recipe: NeuralRecipe) -> NeuralRecipe:
    """The recipe at a size that a CPU trains in minutes: few lines, few steps, small batches, and, unless a checkpoint
    is given, a network of 2 thin layers. It shows that the recipe runs and learns, not how good it is."""
    replace = msgspec.structs.replace
    stages = tuple(
        replace(
            stage,
            mining=replace(stage.mining, queries=TOY_QUERIES, passages=TOY_QUERIES) if stage.mining else None,
            batch=min(stage.batch, TOY_BATCH),
            objectives=tuple(_toy_task(task) for task in stage.objectives),
            schedule=replace(
                stage.schedule,
                steps=min(stage.schedule.steps, TOY_STEPS),
                accumulate=1,
                learning_rate=max(stage.schedule.learning_rate, 1e-3),
            ),
        )
        for stage in recipe.stages
    )
    words = min(recipe.model.extension.words, TOY_QUERIES)
    model = replace(
        recipe.model,
        base="",
        layers=min(recipe.model.layers, 1),
        fresh=replace(TOY, static=recipe.model.fresh.static),
        extension=replace(recipe.model.extension, words=words, texts=TOY.texts),
    )
    return replace(recipe, name=f"{recipe.name}-toy", stages=stages, model=model, most=TOY_LINES)


def _toy_task(task: AnyTask) -> AnyTask:
    """An objective whose batches go through memory in parts, with parts that are smaller than a small batch; one whose
    vectors are cut, with cuts that are shorter than the vectors."""
    smaller: dict[str, Any] = {}
    if chunk := getattr(task, "chunk", 0):
        smaller["chunk"] = min(chunk, TOY_CHUNK)
    if getattr(task, "cuts", ()):
        smaller["cuts"] = TOY_CUTS
    return msgspec.structs.replace(task, **smaller)


def adjusted(
    recipe: NeuralRecipe,
    kind: str,
    small: bool,
    steps: int | None,
    seed: int | None,
    exclude: Sequence[Path] | None = None,
) -> NeuralRecipe:
    """The recipe with what a command line says. exclude: files of evaluation text, instead of the recipe's. Raises
    `UsageError` for a recipe of another kind of encoder."""
    if recipe.model.kind != kind:
        command = {"dense": "encoder", "multivector": "colbert", "sparse": "sparse"}[recipe.model.kind]
        raise UsageError(f"the recipe {recipe.name} makes {recipe.model.kind} vectors: xsearch train {command}")
    if small:
        recipe = toy(recipe)
    replace = msgspec.structs.replace
    if steps is not None:
        stages = tuple(replace(stage, schedule=replace(stage.schedule, steps=steps)) for stage in recipe.stages)
        recipe = replace(recipe, stages=stages)
    if exclude is not None:
        recipe = replace(recipe, exclude=tuple(str(path.resolve()) for path in exclude))
    return recipe if seed is None else replace(recipe, seed=seed)
