"""What each objective adds to retrieval training, at a size that a CPU trains in minutes: toys that show which way an
objective pulls, not how far.

    python eval/bench/objectives.py --data ../shared/data [--steps 80] [--only dual-alignment,one-to-k]

All begin as the same small network with the static encoder's token vectors. Each variant takes `--steps` steps of an
objective and as many of contrastive retrieval training; beside them stand retrieval training alone, for as many steps
in all, and the start. Measured: mean reciprocal ranks of held-out translations and of held-out sections asked for by
their titles in another language, and the accuracy of the first pairs of every XTREME language of Tatoeba. Appends a row
to `eval/results/objectives.jsonl`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from xsearch.train.evaluate_static import XTREME
from xsearch.train.neural.batches import Side
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.fresh import fresh_model
from xsearch.train.neural.measure import Held
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import Fresh, Mining, Model, NeuralRecipe, Schedule, Stage
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
NETWORK = Fresh(layers=2, hidden=96, heads=4, inner=192, vocabulary=12_000, texts=8_000, positions=128)
SOURCES = (Source("parallel/*.sections.jsonl*"), Source("parallel/[bghimopstu]*.jsonl*"))
BEFORE: dict[str, tuple[Any, ...]] = {
    "translation-ranking": (TranslationRanking(),),
    "dual-alignment": (DualAlignment(layers=1),),
    "one-to-k": (OneToK(languages=4),),
    "continuous": (Continuous(),),
    "comparable": (Comparable(),),
    "masked-words": (MaskedWords(),),
    "infoxlm": (MaskedWords(), TranslatedWords(), QueueContrast(queue=1024, momentum=0.9)),
    "xlm-align": (MaskedWords(), TranslatedWords(), WordAlignment()),
}
PAIRS = 40
"""Of each language of Tatoeba."""


def stage(name: str, steps: int, tasks: tuple[Any, ...], mining: Mining | None = None) -> Stage:
    """A stage of small batches."""
    schedule = Schedule(steps=steps, learning_rate=5e-4)
    return Stage(name, schedule, tasks, batch=24, mining=mining)


def variants(steps: int) -> dict[str, tuple[Stage, ...]]:
    """The stages of each variant, by name."""
    retrieval = (Contrastive(both=True),)
    found: dict[str, tuple[Stage, ...]] = {"start": (), "retrieval alone": (stage("retrieval", 2 * steps, retrieval),)}
    for name, tasks in BEFORE.items():
        found[name] = (stage("before", steps, tasks), stage("retrieval", steps, retrieval))
    mining = Mining(negatives=4, queries=1000, passages=2000)
    negatives = (Contrastive(both=True, negatives=4),)
    taught = (*negatives, Distillation(negatives=4, teacher_temperature=0.1))
    found["mined negatives"] = (stage("retrieval", steps, retrieval), stage("mined", steps, negatives, mining))
    found["fused scores"] = (
        stage("retrieval", steps, retrieval),
        stage("mined", steps, taught, mining),
    )
    return found


def tatoeba(student: Any, folder: Path) -> float:
    """The mean over XTREME's languages of the accuracy of the first pairs, foreign to English."""
    by_language: dict[str, list[tuple[str, str]]] = {}
    for _, record in read_records(sorted(folder.glob("pairs.jsonl*"))[0]):
        pairs = by_language.setdefault(record["lang"], [])
        if record["lang"] in XTREME and len(pairs) < PAIRS:
            pairs.append((record["text"], record["en"]))
    scores = []
    student.eval()
    with torch.no_grad():
        for pairs in filter(None, by_language.values()):
            left, right = (student.sentences(Side(texts, ("",) * len(texts))) for texts in zip(*pairs, strict=True))
            scores.append(float(((left @ right.T).argmax(1) == torch.arange(len(pairs))).float().mean()))
    return float(np.mean(scores))


def measured(
    name: str, stages: tuple[Stage, ...], corpus: Corpus, base: Path, data: Path, mined: dict[str, Any]
) -> Any:
    """Train a variant and measure it."""
    from xsearch.train.neural.mining import mine

    recipe = NeuralRecipe(name, SOURCES, stages, Model(query_length=64, passage_length=96, pooling="mean"))
    held = Held(corpus, 1)
    student = begin(recipe, corpus, str(base))
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(student, recipe, data, Path(folder), "", held, lambda _: None, 1e9)
        for number, part in enumerate(stages):
            drawn = corpus
            if part.mining:
                if "pairs" not in mined:
                    mined["pairs"] = mine(corpus, part.mining, 1, Path(folder), lambda _: None)
                drawn = corpus.mined(mined["pairs"])
            run.stage(part, number, drawn)
    seconds = time.process_time() - began
    found = {**held.measure(student), "tatoeba": tatoeba(student, data / "eval" / "tatoeba")}
    return {key: round(value, 4) for key, value in found.items()} | {"cpu_seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--lines", type=int, default=300, help="read of every file")
    parser.add_argument("--only", default="", help="variants, besides the start and retrieval alone")
    parser.add_argument("--output", type=Path, default=ROOT / "eval" / "results" / "objectives.jsonl")
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.data, SOURCES, ("eval/*/*.jsonl*",), 1, arguments.lines)
    chosen = variants(arguments.steps)
    if arguments.only:
        chosen = {name: chosen[name] for name in ("start", "retrieval alone", *arguments.only.split(","))}
    found, mined = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        starts = {"static": NETWORK, "random": msgspec.structs.replace(NETWORK, static="")}
        for start, settings in starts.items():
            base = Path(folder) / start
            with torch.random.fork_rng([]):
                torch.manual_seed(1)
                network, tokenizer = fresh_model(settings, corpus, 1)
            network.save_pretrained(base)
            tokenizer.save_pretrained(base)
            for name, stages in chosen.items() if start == "static" else itertools.islice(chosen.items(), 2):
                label = name if start == "static" else f"{name}, random token vectors"
                found[label] = measured(name, stages, corpus, base, arguments.data, mined)
                print(f"{label}: {found[label]}", file=sys.stderr, flush=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    row = {
        "bench": "objectives",
        "size": "toy",
        "commit": commit.stdout.strip(),
        "command": " ".join(["python", *sys.argv]),
        "machine": f"x86_64, {os.cpu_count()} cores",
        "network": msgspec.to_builtins(NETWORK),
        "steps": arguments.steps,
        "batch": 24,
        "held": {"translations": len(corpus.held_rows), "passages": len(corpus.held_sections)},
        "found": found,
    }
    with arguments.output.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
