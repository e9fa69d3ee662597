"""Training a generator of questions: an mT5 or its kin learns to write, in the language that the prompt names, a
question that a passage answers (docTTTTTquery: Nogueira and Lin 2019; across languages: xQG, Zhuang et al. 2023).

Examples are lines ``{"passage": …, "query": …, "query_lang": "fa", "title"?: …}``; the names of pairs, "positive" for
"passage", are understood too. With the tokens y_1 … y_n of the question and x of the prompt, what is made smaller is

    −1/n Σ_i log p(y_i | y_1 … y_{i−1}, x)
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch import lang as languages
from xsearch.core import BadInput, UsageError
from xsearch.core.extras import need
from xsearch.encode import Runtime
from xsearch.encode.neural.build import quiet
from xsearch.generate import SourcePassage
from xsearch.generate.model import SETTINGS_FILE, ModelGenerator, QuestionSettings, load_model_generator
from xsearch.train.neural.folders import replacing
from xsearch.train.neural.fresh import fresh_generator
from xsearch.train.neural.loop import fit
from xsearch.train.neural.pairs import shipped_evaluation
from xsearch.train.neural.recipe import TOY, TOY_BATCH, Fresh, Schedule
from xsearch.train.progress import OnProgress
from xsearch.train.recipe_file import read_recipe, refuse
from xsearch.train.rows import excluded_files, is_excluded, read_excluded, read_records

HELD_SHARE, HELD_MOST = 0.02, 500
"""Of the examples, kept from training to measure with."""
IGNORED = -100
"""What transformers leaves out of a loss."""
TOY_STEPS, TOY_RATE, TOY_QUESTION = 300, 5e-3, 24


class QgenRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a generator is trained on. base: a checkpoint that writes. sources: globs of the data folder. exclude: globs
    of files whose texts may not be learnt, besides the collection that ships. batch: examples of a step. asked: how it
    is asked, now and later. fresh: the network to begin from where there is no base, None for none."""

    name: str
    schedule: Schedule
    base: str = ""
    sources: tuple[str, ...] = ("*.jsonl",)
    exclude: tuple[str, ...] = ()
    batch: int = 16
    asked: QuestionSettings = QuestionSettings()
    fresh: Fresh | None = None
    seed: int = 1
    licence: str = ""
    description: str = ""


class Example(msgspec.Struct, frozen=True):
    """A question, its language, and the passage that answers it."""

    passage: str
    title: str
    query: str
    lang: str

    def prompt(self, asked: QuestionSettings) -> str:
        """What the model reads."""
        return asked.fill(SourcePassage(0, self.passage, self.title, ""), self.lang)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made: the model's folder, examples by language, those left out because evaluation has them, and the
    loss over the examples that were kept from training."""

    folder: Path
    examples: dict[str, int]
    excluded: int
    loss: float


def load_qgen_recipe(path: Path) -> QgenRecipe:
    """The recipe in a TOML file, or of a name in `encoders/recipes`. Raises `BadInput`."""
    recipe = read_recipe(path, QgenRecipe)
    missing = not recipe.sources or recipe.batch < 1 or recipe.schedule.steps < 1
    refuse({"it needs sources, a batch of 1 or more, and steps": missing}, path)
    return recipe


def toy(recipe: QgenRecipe) -> QgenRecipe:
    """The recipe at a size that a CPU trains in minutes, from 2 thin layers that begin at random. It shows that it runs
    and learns, not how good it is."""
    replace = msgspec.structs.replace
    schedule = replace(
        recipe.schedule, steps=min(recipe.schedule.steps, TOY_STEPS), learning_rate=TOY_RATE, accumulate=1
    )
    asked = replace(recipe.asked, passage_tokens=TOY.positions, question_tokens=TOY_QUESTION)
    return replace(
        recipe,
        name=f"{recipe.name}-toy",
        base="",
        batch=min(recipe.batch, TOY_BATCH),
        schedule=schedule,
        asked=asked,
        fresh=replace(TOY, static=""),
    )


def adjusted(
    recipe: QgenRecipe,
    base: str = "",
    small: bool = False,
    steps: int | None = None,
    seed: int | None = None,
    exclude: Sequence[Path] | None = None,
) -> QgenRecipe:
    """The recipe with what a command line says. exclude: files of evaluation text, instead of the recipe's."""
    replace = msgspec.structs.replace
    if small:
        recipe = toy(recipe)
    if steps is not None:
        recipe = replace(recipe, schedule=replace(recipe.schedule, steps=steps))
    if exclude is not None:
        recipe = replace(recipe, exclude=tuple(str(path.resolve()) for path in exclude))
    return replace(recipe, base=base or recipe.base, seed=recipe.seed if seed is None else seed)


def train_qgen(
    recipe: QgenRecipe, data: Path, out: Path, runtime: Runtime | None = None, on_progress: OnProgress = lambda _: None
) -> Trained:
    """Fine-tune a generator and save it in ``out/<name>``, where `xsearch augment --generator` takes it from.

    A run that was cut short goes on from its last state in ``out/<name>.work``. Raises `BadInput` where there is
    nothing to learn from, or a loss is not finite, what `load_model_generator` raises for the base.
    """
    runtime = runtime or Runtime(precision="fp32")
    examples, excluded = read_examples(recipe, data)
    work = out / f"{recipe.name}.work"
    generator = load_model_generator(recipe.base or _begun(recipe, examples, work), runtime)
    model, tokenizer = generator.network
    kept, held = divided(examples, recipe.seed)
    asked = recipe.asked

    def draw(number: int) -> list[Example]:
        rng = np.random.default_rng([recipe.seed, number])
        return [kept[place] for place in rng.integers(0, len(kept), recipe.batch).tolist()]

    def losses(batch: Sequence[Example]) -> Mapping[str, Any]:
        return {"question": _loss(model, tokenizer, asked, batch)}

    def measured() -> dict[str, float]:
        model.eval()
        with torch.inference_mode():
            parts = [float(_loss(model, tokenizer, asked, batch)) * len(batch) for batch in _cut(held, recipe.batch)]
        return {"held-out loss": sum(parts) / len(held)}

    key = _key(recipe, generator, examples)
    state = fit(model, draw, losses, recipe.schedule, recipe.seed, work, key, on_progress, measured)
    spoken = languages_of(examples)
    folder = _save(model, tokenizer, msgspec.structs.replace(asked, languages=tuple(spoken)), out / recipe.name)
    shutil.rmtree(work)
    return Trained(folder, spoken, excluded, state.measured[-1][1]["held-out loss"])


def read_examples(recipe: QgenRecipe, data: Path) -> tuple[list[Example], int]:
    """All examples, and how many were left out because their query or passage is evaluation text: of the files that
    `recipe.exclude` names, or of the collection that ships. Raises `BadInput` for a line that is none, and where there
    is not a single one."""
    evaluation = excluded_files(recipe.exclude, data)
    excluded = read_excluded([*evaluation, *shipped_evaluation()])
    files = sorted({path for glob in recipe.sources for path in data.glob(glob)} - set(evaluation))
    examples: list[Example] = []
    left_out = 0
    for path in files:
        for where, record in read_records(path):
            example = _example(record, where)
            texts = (example.query, example.passage)
            if any(is_excluded(text, excluded) for text in texts):
                left_out += 1
            else:
                examples.append(example)
    if not examples:
        raise BadInput(
            f"no examples in {', '.join(recipe.sources)}" + (": all are evaluation text" if left_out else ""), str(data)
        )
    return examples, left_out


def divided(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and some to measure with: all of a few passages, so that none is in both. Where there is
    but one passage it is in both."""
    passages = sorted({example.passage for example in examples})
    wanted = max(1, min(HELD_MOST, round(HELD_SHARE * len(passages))))
    chosen = {passages[place] for place in np.random.default_rng(seed).permutation(len(passages))[:wanted].tolist()}
    held = [example for example in examples if example.passage in chosen]
    return [example for example in examples if example.passage not in chosen] or held, held


def languages_of(examples: Sequence[Example]) -> dict[str, int]:
    """How many questions there are in each language."""
    counts: dict[str, int] = {}
    for example in examples:
        counts[example.lang] = counts.get(example.lang, 0) + 1
    return dict(sorted(counts.items()))


def _example(record: Mapping[str, Any], where: str) -> Example:
    passage, query = record.get("passage", record.get("positive")), record.get("query")
    lang, title = record.get("query_lang", record.get("lang")), record.get("title", "")
    fields = {"passage": passage, "query": query, "query_lang": lang, "title": title}
    for name, value in fields.items():
        if not isinstance(value, str) or (name != "title" and not value.strip()):
            raise BadInput(f"an example needs '{name}', a text that is not empty", where)
    return Example(str(passage), str(title), str(query), languages.normalize_code(str(lang)))


def _loss(model: Any, tokenizer: Any, asked: QuestionSettings, batch: Sequence[Example]) -> Any:
    """Mean over the tokens of all questions of a batch."""
    prompts = [example.prompt(asked) for example in batch]
    read = tokenizer(prompts, truncation=True, max_length=asked.passage_tokens, padding=True, return_tensors="pt")
    questions = [" ".join(example.query.split()) for example in batch]
    write = tokenizer(questions, truncation=True, max_length=asked.question_tokens, padding=True, return_tensors="pt")
    labels = write["input_ids"].masked_fill(write["attention_mask"] == 0, IGNORED)
    device = model.device
    return model(
        input_ids=read["input_ids"].to(device),
        attention_mask=read["attention_mask"].to(device),
        labels=labels.to(device),
    ).loss


def _begun(recipe: QgenRecipe, examples: Sequence[Example], work: Path) -> Path:
    """The folder of a fresh network, made where there is none from an earlier run. Raises `UsageError` for a recipe
    that describes none."""
    if recipe.fresh is None:
        raise UsageError("which model to begin from? Name it with --base, or try the recipe with --toy")
    folder = work / "fresh"
    if not folder.is_dir():
        texts = [
            text for example in examples for text in (example.passage, example.query, example.prompt(recipe.asked))
        ]
        model, tokenizer = fresh_generator(recipe.fresh, list(dict.fromkeys(texts)), recipe.seed)
        work.mkdir(parents=True, exist_ok=True)
        _save(model, tokenizer, recipe.asked, folder)
    return folder


def _cut(examples: Sequence[Example], size: int) -> Iterator[Sequence[Example]]:
    for start in range(0, len(examples), size):
        yield examples[start : start + size]


def _key(recipe: QgenRecipe, generator: ModelGenerator, examples: Sequence[Example]) -> str:
    """Of all that shapes a run."""
    shaping = msgspec.json.encode([recipe, generator.fingerprint, examples])
    return hashlib.blake2b(shaping, digest_size=16).hexdigest()


def _save(model: Any, tokenizer: Any, asked: QuestionSettings, folder: Path) -> Path:
    transformers = need("transformers", "neural", "training a generator of questions")
    with replacing(folder) as part, quiet(transformers):
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        (part / SETTINGS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(asked), indent=1))
    return folder
