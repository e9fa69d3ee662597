"""From a recipe and data to an encoder on disk: `xsearch train encoder|colbert|sparse`."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode import EncoderCard, Runtime, checkpoint_named
from xsearch.encode.neural.build import quiet
from xsearch.encode.neural.checkpoint import locate
from xsearch.encode.neural.packed import unpacked
from xsearch.encode.neural.tokens import check_vocabulary
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.fresh import fresh_model, start_words
from xsearch.train.neural.mining import mine
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import NeuralRecipe, Stage
from xsearch.train.neural.transforms import read_lexicon, transformed
from xsearch.train.progress import OnProgress, Progress
from xsearch.train.recipe import Source
from xsearch.train.rows import file_stats
from xsearch.train.static import source_notes


def train_neural(
    recipe: NeuralRecipe,
    data: Path,
    out: Path,
    base: str = "",
    device: str = "auto",
    on_progress: OnProgress = lambda _: None,
    collections: Sequence[Path] = (),
    save_seconds: float = 120.0,
) -> EncoderCard:
    """Train what `recipe` describes from the files of `data`; write `out/NAME.toml` and `out/NAME/`. Returns the card.

    base: a checkpoint's folder or name on the hub, in the place of the recipe's. device: as a `Runtime`'s. collections:
    folders of documents and topics that are searched at every evaluation (`measure.Measures`). A run that was
    cut short goes on from what it left in `out/NAME.work`, which is removed in the end: on a CPU with as many
    threads to the same weights. `out/NAME.log.jsonl` holds what was measured on the way. Raises `BadInput` for data
    that cannot be used and for a loss that is not finite, `MissingExtra` without torch.
    """
    torch = need("torch", "neural", "training an encoder")
    from xsearch.train.neural.finish import write_encoder
    from xsearch.train.neural.measure import Held, Measures

    where = Runtime(device).devices(torch)[0]
    if name := base or recipe.model.base:
        # A checkpoint that is not there is said before large data are read.
        locate(checkpoint_named(name))
    on_progress(Progress("read"))
    corpus = read_corpus(data, recipe.sources, recipe.exclude, recipe.seed, recipe.most)
    on_progress(Progress("read", note=corpus.described()))
    student = begin(recipe, corpus, base).to(where)
    out.mkdir(parents=True, exist_ok=True)
    measures = Measures(Held(corpus, recipe.seed), collections)
    work = out / f"{recipe.name}.work"
    measured: list[dict[str, Any]] = [{"stage": "", "step": 0, **measures.measure(student)}]
    run = Run(student, recipe, data, work, _key(recipe, data, base), measures, on_progress, save_seconds)
    for number, stage in enumerate(recipe.stages):
        if stage.mining:
            # Another recipe in the same place mines anew.
            folder = work / f"{stage.name}-{run.key[:12]}"
            folder.mkdir(parents=True, exist_ok=True)
            corpus = corpus.mined(mine(corpus, stage.mining, recipe.seed, folder, on_progress))
        measured += run.stage(stage, number, corpus)
    scores = {name: round(value, 4) for name, value in measured[-1].items() if isinstance(value, float)}
    notes = source_notes(data, corpus.files, recipe.sources)
    card = write_encoder(student, recipe, out, notes, measures.held.by_language(student), scores)
    log = "".join(json.dumps(row) + "\n" for row in measured)
    (out / f"{recipe.name}.log.jsonl").write_text(log, encoding="utf-8")
    shutil.rmtree(work)
    return card


def begin(recipe: NeuralRecipe, corpus: Corpus, base: str = "") -> Any:
    """The model before its first step."""
    import torch

    from xsearch.train.neural.student import Student
    from xsearch.train.neural.tuning import prepare
    from xsearch.train.neural.vocabulary import extend

    tasks = [task for stage in recipe.stages for task in stage.objectives]
    words = recipe.model.kind == "sparse" or any(task.needs_words() for task in tasks)
    name = base or recipe.model.base
    with torch.random.fork_rng([]):
        # What a checkpoint lacks (heads, poolers) begins at random.
        torch.manual_seed(recipe.seed)
        made = _checkpoint(name, words) if name else fresh_model(recipe.model.fresh, corpus, recipe.seed)
        transformer, tokenizer = made
        if recipe.model.kind == "sparse" and not name:
            start_words(transformer)
        teacher = copy.deepcopy(transformer) if any(task.needs_teacher() for task in tasks) else None
        if recipe.model.layers:
            keep_layers(transformer, recipe.model.layers)
        if recipe.model.extension.words:
            extend(transformer, tokenizer, recipe.model.extension, corpus, recipe.seed)
        transformer, settings = prepare(transformer, tokenizer, recipe.model)
        student = Student(transformer, tokenizer, settings)
        if teacher is not None:
            student.remember(teacher)
        for task in tasks:
            for part, module in task.parts(student).items():
                if part not in student.parts:
                    student.parts[part] = module
    return student


def _checkpoint(name: str, words: bool) -> tuple[Any, Any]:
    """A checkpoint's network, with its masked-LM head if `words`, and tokenizer. Weights are read from safetensors
    only."""
    transformers = need("transformers", "neural", "training an encoder")
    folder = locate(checkpoint_named(name)).folder
    load = transformers.AutoModelForMaskedLM if words else transformers.AutoModel
    try:
        with quiet(transformers), unpacked(folder) as whole:
            model = load.from_pretrained(whole, local_files_only=True, use_safetensors=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(whole, local_files_only=True)
    except Exception as error:
        # Whatever a damaged or foreign checkpoint makes the library raise, the folder is what the user can change.
        raise BadInput(f"{folder} cannot be loaded to be trained: {error}") from error
    check_vocabulary(tokenizer, folder)
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


@dataclass(frozen=True)
class Run:
    """A training under way."""

    student: Any
    recipe: NeuralRecipe
    data: Path
    work: Path
    key: str
    measures: Any
    on_progress: OnProgress
    save_seconds: float

    def stage(self, stage: Stage, number: int, corpus: Corpus) -> list[dict[str, Any]]:
        """Go through one stage, or through what is left of it. Returns what was measured."""
        from xsearch.train.neural.loop import fit

        tasks, transforms = stage.objectives, stage.transforms
        lexicon = read_lexicon(self.data, transforms.lexicons) if transforms.switch else {}

        def draw(batch: int) -> Drawn:
            batches = []
            for place, task in enumerate(tasks):
                rng = np.random.default_rng([self.recipe.seed, number, batch, place])
                batches.append(transformed(task.draw(corpus, stage.batch, rng), transforms, lexicon, rng))
            return Drawn(batches)

        def losses(drawn: Drawn) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for task, batch in zip(tasks, drawn.batches, strict=True):
                name = str(task.__struct_config__.tag)
                found[name] = found.get(name, 0.0) + task.weight * task.loss(self.student, batch)
            return found

        state = fit(
            self.student,
            draw,
            losses,
            stage.schedule,
            seed=self.recipe.seed * 1000 + number,
            work=self.work / stage.name,
            key=self.key,
            on_progress=lambda step: self.on_progress(replace(step, within=stage.name)),
            evaluate=partial(self.measures.measure, self.student),
            save_seconds=self.save_seconds,
        )
        return [{"stage": stage.name, "step": step, **found} for step, found in state.measured]


class Drawn(msgspec.Struct, frozen=True):
    """A batch of every objective of a stage."""

    batches: list[Any]

    def __len__(self) -> int:
        return sum(len(batch) for batch in self.batches)


def _key(recipe: NeuralRecipe, data: Path, base: str) -> str:
    """A digest of all that shapes a run: the recipe, what it begins from, and the files that it reads."""
    lexicons = [Source(glob) for stage in recipe.stages for glob in stage.transforms.lexicons]
    files = file_stats(data, [*recipe.sources, *lexicons], recipe.exclude)
    content = json.dumps([msgspec.to_builtins(recipe), base, files])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
