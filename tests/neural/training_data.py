"""Invented parallel text, and recipes of a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

RECIPE = """
name = "mine"
licence = "CC0-1.0"
exclude = ["eval/*/*.jsonl"]
seed = 3

[model]
kind = "{kind}"
query_length = 24
passage_length = 40
{model}

[[sources]]
files = "parallel/*.jsonl"
licence = "CC0-1.0"

[[stages]]
name = "only"
batch = {batch}
schedule = {{ steps = {steps}, learning_rate = 2e-3, {schedule} }}
objectives = [{objectives}]
"""
CONTRASTIVE = '{ objective = "contrastive", temperature = 0.1 }'


def recipe(
    folder: Path, kind="dense", objectives=CONTRASTIVE, steps=4, model="", schedule="warmup = 0.25", batch=6
) -> Path:
    """A recipe's file."""
    path = folder / f"{kind}.toml"
    given = {"objectives": objectives, "steps": steps, "model": model, "schedule": schedule, "batch": batch}
    path.write_text(RECIPE.format(kind=kind, **given))
    return path


def write_data(folder: Path, sections: int = 60, rows: int = 120) -> Path:
    """A data folder: parallel rows, sections and a lexicon in three languages with words of their own, one of them in
    Greek letters, and an evaluation file."""
    rng = np.random.default_rng(1)
    syllables = [c + v for c in "bdfgklmnprst" for v in "aeiou"]
    lexicon = {lang: ["".join(rng.choice(syllables, 2)) for _ in range(40)] for lang in ("en", "sw", "el")}
    lexicon["el"] = ["".join(chr(ord("α") + (ord(c) - ord("a")) % 17) for c in word) for word in lexicon["el"]]

    def sentence(concepts):
        return {lang: " ".join(words[c] for c in rng.permutation(concepts)) for lang, words in lexicon.items()}

    lines = [sentence(rng.choice(40, 5, replace=False)) for _ in range(rows)]
    held = [{"id": str(n), **sentence(rng.choice(40, 5, replace=False))} for n in range(5)]
    parts = []
    for _ in range(sections):
        concepts = rng.choice(40, 8, replace=False)
        parts.append({"title": sentence(concepts[:3]), "text": sentence(concepts)})
    words = [{lang: [words[n]] for lang, words in lexicon.items()} for n in range(40)]
    files = {"parallel/rows": lines, "parallel/talk.sections": parts, "lexicons/words": words, "eval/held/docs": held}
    for name, records in files.items():
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return folder
