"""What each objective adds to retrieval training, against its absence, at a size that a CPU trains in minutes: which
way an objective pulls, not how far.

    python eval/bench/objectives.py --data ../shared/data [--steps 150] [--only dual-alignment,one-to-k]

All begin as the same small network with the static encoder's token vectors, and see the same parallel rows and
sections in seven languages of five scripts. Each variant takes `--steps` steps of an objective and as many of
contrastive retrieval training; its absence is retrieval training alone for as many steps in all, and beside both stands
the start. Measured are reciprocal ranks: of held-out translations, of held-out sections asked for by their titles in
another language, and of Tatoeba's sentences, which come from no training file. Every variant is compared with its
absence text by text (paired randomisation, Holm's correction over all comparisons of the row); one seed, so that what
another seed would change is not in these p values. Appends a row to `eval/results/objectives.jsonl`;
`training_table.py` makes the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch.evaluate.compare import compare_values, holm
from xsearch.lang import normalize_code
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.fresh import fresh_model
from xsearch.train.neural.measure import Held, reciprocal_ranks
from xsearch.train.neural.pairs import Item
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import Fresh, Mining, Model, NeuralRecipe, Schedule, Stage, Transforms
from xsearch.train.neural.tasks import (
    Comparable,
    Continuous,
    Contrastive,
    Distillation,
    DualAlignment,
    MaskedWords,
    OneToK,
    QueueContrast,
    TranslatedWords,
    TranslationRanking,
    WordAlignment,
)
from xsearch.train.neural.training import Run, begin
from xsearch.train.recipe import Source
from xsearch.train.rows import read_records

ROOT = Path(__file__).resolve().parents[2]
LANGS = ("en", "de", "fa", "hi", "ru", "sw", "zh")
NETWORK = Fresh(layers=2, hidden=96, heads=4, inner=192, vocabulary=12_000, texts=12_000, positions=128)
MODEL = Model(query_length=32, passage_length=64, pooling="mean")
BATCH, RATE, SEED = 24, 5e-4, 1
TASKS: dict[str, tuple[Any, ...]] = {
    "dual-alignment": (DualAlignment(layers=1),),
    "one-to-k": (OneToK(languages=3),),
    "translation-ranking": (TranslationRanking(),),
    "masked-words": (MaskedWords(),),
    "comparable": (Comparable(),),
    "infoxlm": (MaskedWords(), TranslatedWords(), QueueContrast(queue=1024, momentum=0.9)),
    "continuous": (Continuous(),),
    "xlm-align": (MaskedWords(), TranslatedWords(), WordAlignment()),
}
HELD_EVERY = {"rows": 25, "sections": 8}
"""Of the rows and sections in training files every so-manieth is kept to measure with, at most `HELD_MOST`."""
HELD_MOST, TATOEBA = 300, 100
"""Texts of a held-out set; sentences of each language of Tatoeba."""
ABSENCE, RANDOM = "retrieval alone", "random token vectors"


def records(data: Path, lines: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """("rows" or "sections", record in the languages of this benchmark) of the training files."""
    for path in sorted(data.glob("parallel/*.jsonl*")):
        if path.name.startswith("tatoeba"):
            continue
        kind = "sections" if ".sections." in path.name else "rows"
        found = 0
        for _, record in read_records(path):
            if kind == "sections":
                kept: Any = {part: {k: v for k, v in record[part].items() if k in LANGS} for part in ("title", "text")}
                complete = len(kept["title"]) > 1 and len(kept["text"]) > 1
            else:
                kept = {lang: text for lang, text in record.items() if lang in LANGS and isinstance(text, str)}
                complete = len(kept) > 1 and all(10 <= len(text) <= 300 for text in kept.values())
            if complete:
                found += 1
                yield kind, kept
            if found == lines:
                break


def divided(data: Path, lines: int, folder: Path) -> dict[str, list[tuple[Item, Item]]]:
    """Write training files to `folder`; the held-out questions, each with what answers it in another language."""
    rng = np.random.default_rng(SEED)
    counts, kept = {"rows": 0, "sections": 0}, {"rows": [], "sections": []}
    (folder / "parallel").mkdir()
    names = {"rows": "rows.jsonl", "sections": "all.sections.jsonl"}
    files = {kind: (folder / "parallel" / name).open("w", encoding="utf-8") for kind, name in names.items()}
    for kind, record in records(data, lines):
        counts[kind] += 1
        if counts[kind] % HELD_EVERY[kind] == 0 and len(kept[kind]) < HELD_MOST:
            kept[kind].append(record)
        else:
            files[kind].write(json.dumps(record, ensure_ascii=False) + "\n")
    for file in files.values():
        file.close()

    def pair(asked: dict[str, str], answers: dict[str, str]) -> tuple[Item, Item]:
        lang = str(rng.choice(sorted(asked)))
        other = str(rng.choice(sorted(answers.keys() - {lang})))
        return (asked[lang], lang), (answers[other], other)

    return {
        "translations": [pair(row, row) for row in kept["rows"]],
        "sections": [pair(section["title"], section["text"]) for section in kept["sections"]],
    }


def tatoeba(data: Path) -> list[tuple[Item, Item]]:
    """(sentence, its English translation) of some of each language."""
    counts = dict.fromkeys(LANGS, 0)
    found = []
    for _, record in read_records(next(data.glob("eval/tatoeba/pairs.jsonl*"))):
        lang = normalize_code(record["lang"])
        if counts.get(lang, TATOEBA) < TATOEBA:
            counts[lang] += 1
            found.append(((record["text"], lang), (record["en"], "en")))
    return found


def stage(name: str, steps: int, tasks: tuple[Any, ...], **others: Any) -> Stage:
    """A stage of small batches."""
    return Stage(name, Schedule(steps=steps, learning_rate=RATE), tasks, batch=BATCH, **others)


def variants(steps: int) -> dict[str, tuple[Stage, ...]]:
    """The stages of each variant, by name."""
    retrieval = (Contrastive(both=True),)
    found: dict[str, tuple[Stage, ...]] = {"start": (), ABSENCE: (stage("retrieval", 2 * steps, retrieval),)}
    for name, tasks in TASKS.items():
        found[name] = (stage("before", steps, tasks), stage("retrieval", steps, retrieval))
    mining = Mining(negatives=4, queries=600, passages=1200)
    negatives = (Contrastive(both=True, negatives=4),)
    taught = (*negatives, Distillation(negatives=4, teacher_temperature=0.1))
    first = stage("retrieval", steps, retrieval)
    found["mined negatives"] = (first, stage("mined", steps, negatives, mining=mining))
    found["fused scores"] = (first, stage("mined", steps, taught, mining=mining))
    switched = Transforms(switch=0.3, lexicons=("lexicons/gatitos.jsonl*",))
    found["code switching"] = (first, stage("switched", steps, retrieval, transforms=switched))
    return found


def trained(name: str, stages: tuple[Stage, ...], corpus: Corpus, base: Path, data: Path, mined: dict[str, Any]) -> Any:
    """The network after a variant's stages."""
    from xsearch.train.neural.mining import mine

    recipe = NeuralRecipe(name, (Source("*"),), stages, MODEL)
    student = begin(recipe, corpus, str(base))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(student, recipe, data, Path(folder), "", Held(corpus, SEED), lambda _: None, 1e9)
        for number, part in enumerate(stages):
            drawn = corpus
            if part.mining:
                if "pairs" not in mined:
                    mined["pairs"] = mine(corpus, part.mining, SEED, Path(folder), lambda _: None)
                drawn = corpus.mined(mined["pairs"])
            run.stage(part, number, drawn)
    return student


def measured(student: Any, pools: dict[str, list[tuple[Item, Item]]]) -> dict[str, list[float]]:
    """Reciprocal ranks by pool; Tatoeba's among the English sentences of the same language's pairs."""
    student.eval()
    found: dict[str, list[float]] = {}
    with torch.no_grad():
        for name, pool in pools.items():
            for lang in LANGS if name == "tatoeba" else ("",):
                own = [pair for pair in pool if not lang or pair[0][1] == lang]
                if own:
                    questions, answers = zip(*own, strict=True)
                    found.setdefault(name, []).extend(reciprocal_ranks(student, list(questions), list(answers)))
    return found


def against(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, Any]]:
    """Every variant against retrieval training alone, by pool."""
    rows = []
    for name, pools in found.items():
        for pool, values in pools.items() if name != ABSENCE else ():
            numbered = [{str(n): v for n, v in enumerate(each)} for each in (found[ABSENCE][pool], values)]
            rows.append((name, compare_values(pool, (ABSENCE, name), *numbered)))
    corrected = holm([row.randomisation for _, row in rows])
    made: dict[str, dict[str, Any]] = {}
    for (name, row), p in zip(rows, corrected, strict=True):
        made.setdefault(name, {})[row.measure] = {
            "difference": round(row.difference, 4),
            "wins": row.wins,
            "losses": row.losses,
            "p": round(row.randomisation, 4),
            "p_holm": round(p, 4),
        }
    return made


def collect(given: argparse.Namespace, kept: dict[str, Any]) -> None:
    """Train and measure the variants that `kept` lacks. Interrupted, it keeps what there is."""
    chosen = variants(given.steps)
    if given.only:
        chosen = {name: chosen[name] for name in ("start", ABSENCE, *given.only.split(","))}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pools = {**divided(given.data, given.lines, folder), "tatoeba": tatoeba(given.data)}
        exclude = tuple(str(path.resolve()) for path in given.data.glob("eval/*/*.jsonl*"))
        corpus = read_corpus(folder, (Source("parallel/*.jsonl"),), exclude, SEED)
        kept |= {"data": corpus.described(), "texts": {name: len(pool) for name, pool in pools.items()}}
        note(kept["data"])
        for start, settings in (("", NETWORK), (RANDOM, msgspec.structs.replace(NETWORK, static=""))):
            base = folder / f"base {start}"
            with torch.random.fork_rng([]):
                torch.manual_seed(SEED)
                network, tokenizer = fresh_model(settings, corpus, SEED)
            network.save_pretrained(base)
            tokenizer.save_pretrained(base)
            mined: dict[str, Any] = {}
            for name in chosen if not start else [ABSENCE]:
                label, began = start or name, time.process_time()
                if label not in kept["found"]:
                    student = trained(name, chosen[name], corpus, base, given.data, mined)
                    kept["found"][label] = measured(student, pools)
                    kept["seconds"][label] = round(time.process_time() - began, 1)
                    note(f"{label}: {means(kept['found'][label])}, {kept['seconds'][label]} s")
                    if given.keep:
                        given.keep.write_text(json.dumps(kept))


def row_of(given: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Any]:
    """What was found, as a row of the results."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    found = kept["found"]
    return {
        "bench": "objectives",
        "size": "toy",
        "langs": LANGS,
        "network": msgspec.to_builtins(NETWORK),
        "steps": given.steps,
        "batch": BATCH,
        "data": kept["data"],
        "texts": kept["texts"],
        "measure": "mean reciprocal rank",
        "found": {name: means(values) | {"cpu_seconds": kept["seconds"][name]} for name, values in found.items()},
        "against retrieval alone": against(found),
        "not run": [name for name in (*variants(1), RANDOM) if name not in found],
        "commit": commit.stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"x86_64, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "command": f"python eval/bench/objectives.py --data ../shared/data --steps {given.steps} --lines {given.lines}"
        + (f" --only '{given.only}'" if given.only else ""),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=150, help="of the objective, and of retrieval training behind it")
    parser.add_argument("--lines", type=int, default=400, help="read of every file")
    parser.add_argument("--only", default="", help="variants, besides the start and retrieval alone")
    parser.add_argument("--keep", type=Path, help="a file of what was measured: the same run, cut short, goes on")
    parser.add_argument("--output", type=Path, default=ROOT / "eval" / "results" / "objectives.jsonl")
    given = parser.parse_args()
    kept = json.loads(given.keep.read_text()) if given.keep and given.keep.is_file() else {"found": {}, "seconds": {}}
    try:
        collect(given, kept)
    except KeyboardInterrupt:
        note("cut short")
    if ABSENCE in kept["found"]:
        with given.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row_of(given, kept)) + "\n")


def means(values: dict[str, list[float]]) -> dict[str, float]:
    """The mean of each pool."""
    return {name: round(float(np.mean(own)), 4) for name, own in values.items()}


def note(message: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {message}\n")


if __name__ == "__main__":
    main()
