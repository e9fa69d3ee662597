"""What each objective and each way to train adds, against its absence, at a size that a CPU trains in minutes: which
way it pulls, not how far.

    python eval/bench/objectives.py --data ../shared/data [--steps 75] [--seed 2] [--only dual-alignment,one-to-k]

All begin as the same small network with the static encoder's token vectors, and see the same parallel rows and
sections in seven languages of five scripts; `objective_variants.py` lists them. Most take `--steps` steps of an
objective and as many of contrastive retrieval training; their absence is retrieval training alone for as many steps in
all. Measured are reciprocal ranks: of held-out translations, of the same asked for in Latin letters (romanised) or with
the first quarter of the vectors' numbers (cut), of held-out sections asked for by their titles in another language, and
of Tatoeba's sentences, which come from no training file. Every variant is compared with its absence text by text
(paired randomisation, Holm's correction over all comparisons of the row). A seed decides about the network's first
weights, batches, dropout and what is mined, not about the texts measured with. Appends a row to
`eval/results/objectives.jsonl`; `training_table.py` makes the table of the rows of all seeds.
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
from objective_variants import ALONE, BATCH, CUT, NETWORK, START, Variant, variants

from xsearch.evaluate.compare import compare_values, holm
from xsearch.lang import normalize_code
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.fresh import fresh_model
from xsearch.train.neural.measure import Held, reciprocal_ranks
from xsearch.train.neural.mining import mine
from xsearch.train.neural.pairs import Item
from xsearch.train.neural.reading import read_corpus
from xsearch.train.neural.recipe import NeuralRecipe
from xsearch.train.neural.training import Run, begin
from xsearch.train.recipe import Source
from xsearch.train.romanised import romanised
from xsearch.train.rows import read_records

ROOT = Path(__file__).resolve().parents[2]
LANGS = ("en", "de", "fa", "hi", "ru", "sw", "zh")
HELD_EVERY = {"rows": 25, "sections": 8}
"""Of the rows and sections in training files every so-manieth is kept to measure with, at most `HELD_MOST`."""
LEXICONS = ("enwiktionary_words", "wikdict_senses", "panlex_bli")
"""Whose words are switched."""
HELD_MOST, TATOEBA = 300, 100
"""Texts of a held-out set; sentences of each language of Tatoeba."""
TEXTS_SEED = 1
"""Of the texts that are held out: those of every run."""


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
    rng = np.random.default_rng(TEXTS_SEED)
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


def lexicons(data: Path, folder: Path) -> None:
    """Write the lexicons' words in the languages of this benchmark to `folder`: of others nothing here would be
    learnt."""
    (folder / "lexicons").mkdir()
    with (folder / "lexicons" / "words.jsonl").open("w", encoding="utf-8") as file:
        for name in LEXICONS:
            for _, record in read_records(next(data.glob(f"lexicons/{name}.jsonl*"))):
                kept = {lang: words for lang, words in record.items() if lang in LANGS}
                if len(kept) > 1:
                    file.write(json.dumps(kept, ensure_ascii=False) + "\n")


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


class Trainings:
    """Trains variants from data in `folder`. mined, networks: what was made on the way."""

    def __init__(self, data: Path, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        exclude = tuple(str(path.resolve()) for path in data.glob("eval/*/*.jsonl*"))
        self.corpus = read_corpus(folder, (Source("parallel/*.jsonl"),), exclude, TEXTS_SEED)
        self._mined: Corpus | None = None

    def base(self, variant: Variant) -> Path:
        """The network that a variant goes on from."""
        base = self.folder / (variant.base or f"fresh {'random' if variant.random else 'static'}")
        if not base.is_dir() and not variant.base:
            settings = msgspec.structs.replace(NETWORK, static="") if variant.random else NETWORK
            with torch.random.fork_rng([]):
                torch.manual_seed(self.seed)
                network, tokenizer = fresh_model(settings, self.corpus, self.seed)
            network.save_pretrained(base)
            tokenizer.save_pretrained(base)
        return base

    def train(self, name: str, variant: Variant) -> Any:
        """The network after a variant's stages."""
        recipe = NeuralRecipe(name, (Source("*"),), variant.stages, variant.model, seed=self.seed)
        student = begin(recipe, self.corpus, str(self.base(variant)))
        with tempfile.TemporaryDirectory() as work:
            held = Held(self.corpus, self.seed)
            run = Run(student, recipe, self.folder, Path(work), "", held, lambda _: None, 1e9)
            for number, stage in enumerate(variant.stages):
                if stage.mining and not self._mined:
                    pairs = mine(self.corpus, stage.mining, self.seed, Path(work), lambda _: None)
                    self._mined = self.corpus.mined(pairs)
                run.stage(stage, number, self._mined if stage.mining and self._mined else self.corpus)
        if name == ALONE:
            student.transformer.save_pretrained(self.folder / ALONE)
            student.tokenizer.save_pretrained(self.folder / ALONE)
        return student


class Cut:
    """A student whose vectors keep their first numbers only."""

    def __init__(self, student: Any, dim: int) -> None:
        self._student, self._dim, self.scores = student, dim, student.scores

    def represent(self, side: Any, task: str) -> Any:
        """Vectors of texts, (n, dim) of length 1."""
        return torch.nn.functional.normalize(self._student.represent(side, task)[:, : self._dim], dim=-1)


def measured(student: Any, pools: dict[str, list[tuple[Item, Item]]]) -> dict[str, list[float]]:
    """Reciprocal ranks by pool; Tatoeba's among the English sentences of the same language's pairs."""
    student.eval()
    found: dict[str, list[float]] = {}
    with torch.no_grad():
        for name, pool in pools.items():
            for lang in LANGS if name == "tatoeba" else ("",):
                own = [pair for pair in pool if not lang or pair[0][1] == lang]
                if own:
                    found.setdefault(name, []).extend(reciprocal_ranks(student, *columns(own)))
        found["cut"] = reciprocal_ranks(Cut(student, CUT), *columns(pools["translations"]))
    return found


def columns(pairs: list[tuple[Item, Item]]) -> tuple[list[Item], list[Item]]:
    """Questions, and their answers."""
    questions, answers = zip(*pairs, strict=True)
    return list(questions), list(answers)


def against(found: dict[str, dict[str, list[float]]], chosen: dict[str, Variant]) -> dict[str, dict[str, Any]]:
    """Every variant against its absence, by pool."""
    rows = []
    for name, pools in found.items():
        absence = chosen[name].absence
        for pool, values in pools.items() if name != ALONE and absence in found else ():
            numbered = [{str(n): v for n, v in enumerate(each)} for each in (found[absence][pool], values)]
            rows.append((name, compare_values(pool, (absence, name), *numbered)))
    corrected = holm([row.randomisation for _, row in rows])
    made: dict[str, dict[str, Any]] = {}
    for (name, row), p in zip(rows, corrected, strict=True):
        made.setdefault(name, {"absence": chosen[name].absence})[row.measure] = {
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
        chosen = {name: chosen[name] for name in dict.fromkeys((START, ALONE, *given.only.split(",")))}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pools = {**divided(given.data, given.lines, folder), "tatoeba": tatoeba(given.data)}
        foreign = [pair for pair in pools["translations"] if romanised(pair[0][0]).casefold() != pair[0][0].casefold()]
        pools["romanised"] = [((romanised(text), lang), answer) for (text, lang), answer in foreign]
        lexicons(given.data, folder)
        trainings = Trainings(given.data, folder, given.seed)
        kept["data"] = trainings.corpus.described()
        kept["texts"] = {name: len(pool) for name, pool in pools.items()} | {"cut": len(pools["translations"])}
        note(kept["data"])
        needed = {each.base for name, each in chosen.items() if name not in kept["found"]}
        for name, variant in chosen.items():
            if name in kept["found"] and name not in needed:
                continue
            began = time.process_time()
            student = trainings.train(name, variant)
            kept["found"][name] = measured(student, pools)
            kept["seconds"][name] = round(time.process_time() - began, 1)
            note(f"{name}: {means(kept['found'][name])}, {kept['seconds'][name]} s")
            if given.keep:
                given.keep.write_text(json.dumps(kept))


def row_of(given: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Any]:
    """What was found, as a row of the results."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    found, known = kept["found"], variants(1)
    # A run that goes on has what its parts were asked for.
    only = ",".join(name for name in found if name not in (START, ALONE)) if found.keys() != known.keys() else ""
    return {
        "bench": "objectives",
        "size": "toy",
        "langs": LANGS,
        "network": msgspec.to_builtins(NETWORK),
        "steps": given.steps,
        "seed": given.seed,
        "batch": BATCH,
        "data": kept["data"],
        "texts": kept["texts"],
        "measure": "mean reciprocal rank",
        "found": {name: means(values) | {"cpu_seconds": kept["seconds"][name]} for name, values in found.items()},
        "tests": against(found, known),
        "not run": [name for name in known if name not in found],
        "commit": commit.stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"x86_64, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "command": f"python eval/bench/objectives.py --data ../shared/data --steps {given.steps} --seed {given.seed}"
        + (f" --only '{only}'" if only else ""),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=75, help="of the objective, and of retrieval training behind it")
    parser.add_argument("--seed", type=int, default=1)
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
    if ALONE in kept["found"]:
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
