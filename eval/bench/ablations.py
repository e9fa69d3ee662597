"""What each choice behind the static vectors is worth, by short trainings that differ in that choice alone.

    python eval/bench/ablations.py --data ../shared/data [--steps 500] [--only "120,000 pieces;no Tatoeba"]
    python eval/bench/ablations.py --data ../shared/data --shipped 255000,120000,60000,30000

Twenty languages, at most `--lines` rows a file, from vectors aligned by rough tables, `--steps` steps each with the
same random numbers; all else as in `encoders/recipes/static-v2.toml`. Measured are the coded vectors (as they would
ship): accuracy on the first Tatoeba sentences of each language, foreign to English; nDCG@10 by windows alone on half of
the documents of three parallel collections, across languages and in one language, and for romanised questions (the half
of the names collection that is there to tune on). Short trainings show what is learnt first: a choice that pays late
(rare pieces, many languages) looks smaller here than it is. With `--shipped` nothing is trained: the encoder that ships
keeps its likeliest pieces, and what was cut is spelled in them. Appends rows to `eval/results/ablations.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.encode import EncoderCard, load_encoder
from xsearch.encode.codes import CodedRows
from xsearch.encode.static import StaticEncoder
from xsearch.encode.unigram import START
from xsearch.engine.clock import utc_now
from xsearch.evaluate.provenance import provenance
from xsearch.train.evaluate_static import Collection, ndcg, read_collection, retrieval_scores, tatoeba_accuracy
from xsearch.train.fitting import Sampler, fit
from xsearch.train.heldout import hold_out
from xsearch.train.model import StaticModel
from xsearch.train.piecetables import piece_tables
from xsearch.train.preparation import Prepared, tokenise
from xsearch.train.recipe import Cycle, StaticRecipe, Vocabulary, load_recipe
from xsearch.train.romanised import add_romanised
from xsearch.train.rows import ParallelText, Texts, excluded_files, read_excluded, read_parallel, read_records
from xsearch.train.sampling import PairSampler
from xsearch.train.start import aligned_start
from xsearch.train.static import code_vectors
from xsearch.train.translated import TranslatingSampler, Translator
from xsearch.train.vocabulary import learn_pieces, sample_texts

ROOT = Path(__file__).resolve().parents[2]
TATOEBA = {
    "ar": "ara", "de": "deu", "el": "ell", "es": "spa", "fa": "pes", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin",
    "id": "ind", "ja": "jpn", "ko": "kor", "ru": "rus", "sw": "swh", "ta": "tam", "th": "tha", "tr": "tur", "vi": "vie",
    "zh": "cmn",
}  # fmt: skip
LANGUAGES = {"en", *TATOEBA}
COLLECTIONS = ("ntrex-doc", "tldr", "iot-lessons")
SENTENCES = 250
CUTS = (128, 64, 32)


@dataclass(frozen=True)
class Variant:
    """A training. inventory: how many pieces, "cut" from those that ship or "learnt" from the same text. translated,
    switch: shares, as in the recipe. lexicons: weight of a dictionary's row. tatoeba: with everyday sentences.
    romanised: share of rows. cuts: the objective's. dims: also measured with so many numbers."""

    inventory: tuple[str, int] = ("cut", 120_000)
    translated: float = 0.3
    switch: float = 0.15
    lexicons: float = 0.15
    tatoeba: bool = True
    romanised: float = 0.0
    cuts: tuple[int, ...] = ()
    dims: tuple[int, ...] = ()


VARIANTS = {
    "120,000 pieces": Variant(dims=CUTS),
    "no translated pairs": Variant(translated=0.0),
    "no code switching": Variant(switch=0.0),
    "more code switching": Variant(switch=0.5),
    "dictionaries left out": Variant(lexicons=0.0),
    "dictionaries four times": Variant(lexicons=0.6),
    "Matryoshka": Variant(cuts=CUTS, dims=CUTS),
    "no Tatoeba": Variant(tatoeba=False),
    "romanised copies": Variant(romanised=0.5),
    "255,000 pieces": Variant(("cut", 255_000)),
    "60,000 pieces": Variant(("cut", 60_000)),
    "30,000 pieces": Variant(("cut", 30_000)),
    "60,000 pieces learnt": Variant(("learnt", 60_000)),
}
"""The first is the base: every other differs from it in one thing."""


def chosen_languages(parallel: ParallelText) -> ParallelText:
    """The same rows in `LANGUAGES` alone."""
    kept = ParallelText(files=parallel.files, excluded=parallel.excluded)
    names = list(parallel.languages)

    def filtered(texts: Texts, least: int) -> tuple[Texts, list[int]]:
        found, numbers = Texts(), []
        for number, source in enumerate(texts.sources):
            part = slice(texts.starts[number], texts.starts[number + 1])
            row = [
                (kept.languages.setdefault(names[lang], len(kept.languages)), text)
                for lang, text in zip(texts.langs[part], texts.texts[part], strict=True)
                if names[lang] in LANGUAGES
            ]
            if len(row) >= least:
                found.append(row, source)
                numbers.append(number)
        return found, numbers

    kept.rows, _ = filtered(parallel.rows, 2)
    titles, with_title = filtered(parallel.titles, 1)
    bodies, with_body = filtered(parallel.bodies, 1)
    both = set(with_title) & set(with_body)
    for table, target, numbers in ((titles, kept.titles, with_title), (bodies, kept.bodies, with_body)):
        for place, number in enumerate(numbers):
            if number in both:
                part = slice(table.starts[place], table.starts[place + 1])
                target.append(list(zip(table.langs[part], table.texts[part], strict=True)), table.sources[place])
    return kept


def cut_inventory(pieces: list[tuple[str, float]], counts: Any, size: int) -> list[tuple[str, float]]:
    """The `size` most frequent pieces, every single character that occurs among them."""
    single = np.array([len(piece.removeprefix(START)) <= 1 for piece, _ in pieces]) & (counts > 0)
    single[0] = True
    order = np.lexsort((-counts, ~single))
    return [pieces[number] for number in np.sort(order[:size]).tolist() if single[number] or counts[number] > 0]


class Material:
    """Text read once, tokenised once for each inventory."""

    def __init__(self, recipe: StaticRecipe, data: Path, lines: int) -> None:
        excluded = read_excluded(excluded_files(recipe.exclude, data))
        self.plain = chosen_languages(read_parallel(data, recipe.sources, excluded, lines))
        self._recipe = recipe
        self._shipped: Prepared | None = None
        self._kept: dict[tuple[tuple[str, int], float], Prepared] = {}

    def prepared(self, inventory: tuple[str, int], romanised: float) -> Prepared:
        """The text in pieces of an inventory, with romanised copies or without."""
        key = inventory, romanised
        if key not in self._kept:
            # One at a time: each takes gigabytes of pieces.
            pieces = self._pieces(inventory)
            self._kept = {key: tokenise(self._text(romanised), pieces, lambda _: None)}
        return self._kept[key]

    def _text(self, romanised: float) -> ParallelText:
        if not romanised:
            return self.plain
        copy = ParallelText(
            dict(self.plain.languages), self.plain.rows, self.plain.titles, self.plain.bodies, self.plain.files
        )
        add_romanised(copy, romanised, np.random.default_rng(1))
        return copy

    def _pieces(self, inventory: tuple[str, int]) -> list[tuple[str, float]]:
        kind, size = inventory
        if kind == "learnt":
            settings = Vocabulary(size=size, texts=150_000)
            return learn_pieces(sample_texts(self.plain, settings, np.random.default_rng(1)), size)
        encoder = load_encoder()
        assert isinstance(encoder, StaticEncoder)
        shipped = list(encoder.inventory)
        if self._shipped is None:
            self._shipped = tokenise(self.plain, shipped, lambda _: None)
        return cut_inventory(shipped, self._shipped.counts, size)


class Trained:
    """Trainings on one text; rough tables and the start they give are shared by variants of one inventory and data."""

    def __init__(self, texts: Material, recipe: StaticRecipe, steps: int, batch: int) -> None:
        self._texts, self._recipe = texts, recipe
        self._objective = msgspec.structs.replace(
            recipe.objective, batch=batch, cycles=(Cycle(steps=steps, learning_rate=0.03, last=0.1),)
        )
        self._tables: tuple[Any, Any] = (None, None)

    def train(self, variant: Variant) -> tuple[StaticModel, Prepared]:
        """A model after all steps."""
        recipe = self._recipe
        prepared = self._texts.prepared(variant.inventory, variant.romanised)
        rng = np.random.default_rng(1)
        held = hold_out(prepared.rows, rng)
        everyday = next(n for n, source in enumerate(recipe.sources) if "tatoeba" in source.files)
        if not variant.tatoeba:
            held = held | (prepared.rows.sources == everyday)
        sources = tuple(
            msgspec.structs.replace(source, weight=variant.lexicons) if "lexicons" in source.files else source
            for source in recipe.sources
        )
        pairs = PairSampler(
            prepared.rows, prepared.titles, prepared.bodies, sources, recipe.sampling, prepared.language_counts, held
        )
        assert recipe.translated is not None
        settings = msgspec.structs.replace(recipe.translated, share=variant.translated, switch=variant.switch)
        english = prepared.languages.index("en")
        key = variant.inventory, variant.romanised, variant.tatoeba
        if self._tables[0] != key:
            self._tables = key, piece_tables(prepared.rows, held, english, settings, recipe.seed)
        tables = self._tables[1]
        sampler: Sampler = pairs
        if variant.translated:
            sampler = TranslatingSampler(pairs, Translator(tables, len(prepared.pieces)), english, settings)
        start = aligned_start(prepared.counts, self._objective.dim, tables.values(), np.random.default_rng(1))
        objective = msgspec.structs.replace(self._objective, cuts=variant.cuts)
        return fit(start, sampler, objective, recipe.seed, lambda _: None), prepared


class Measures:
    """Collections read once."""

    def __init__(self, data: Path) -> None:
        pairs = defaultdict(list)
        named = {code: lang for lang, code in TATOEBA.items()}
        for _, record in read_records(next(iter(sorted((data / "eval/tatoeba").glob("pairs.jsonl*"))))):
            if record["lang"] in named and len(pairs[record["lang"]]) < SENTENCES:
                pairs[record["lang"]].append(record)
        self._pairs = [record for records in pairs.values() for record in records]
        self._collections = {name: self._half(read_collection(data / "eval" / name)) for name in COLLECTIONS}
        self._names = ROOT / "eval/collections/names"

    def _half(self, collection: Collection) -> Collection:
        ids = sorted({topic["id"] for topic in collection.topics})[::2]
        chosen = set(ids)
        return Collection(
            [d for d in collection.documents if d["lang"] in LANGUAGES and d["id"].rsplit(".", 1)[0] in chosen],
            [t for t in collection.topics if t["lang"] in LANGUAGES and t["id"] in chosen],
        )

    def measure(self, encoder: StaticEncoder, brief: bool = False) -> dict[str, float]:
        """All figures, by name; `brief` leaves out the costly ones."""
        found = {"tatoeba": float(np.mean(list(tatoeba_accuracy(encoder, self._pairs).values())))}
        for name, collection in self._collections.items():
            if brief and name != "ntrex-doc":
                continue
            scores = retrieval_scores(encoder, collection)
            found |= {f"{name} cross": scores.cross, f"{name} same": scores.same}
        found["romanised"] = self._romanised(encoder)
        return {name: round(value, 4) for name, value in found.items()}

    def _romanised(self, encoder: StaticEncoder) -> float:
        documents = [record for _, record in read_records(self._names / "docs.jsonl.zst")]
        topics = [record for _, record in read_records(self._names / "romanised-dev.topics.jsonl")]
        lines = (self._names / "romanised-dev.qrels.txt").read_text(encoding="utf-8").splitlines()
        judged = {tuple(line.split()[:3:2]) for line in lines}
        relevant = np.array([[(t["id"], d["id"]) in judged for d in documents] for t in topics])
        vectors = encoder.encode_queries([d["text"] for d in documents])
        scores = encoder.encode_queries([t["text"] for t in topics]) @ vectors.T
        return float(ndcg(scores, relevant).mean())


def shipped_with(size: int) -> tuple[StaticEncoder, float]:
    """The encoder that ships with its `size` likeliest pieces and all single characters, and its size in MB."""
    whole = load_encoder()
    assert isinstance(whole, StaticEncoder)
    single = np.array([len(piece.removeprefix(START)) <= 1 for piece, _ in whole.inventory])
    order = np.lexsort(([-score for _, score in whole.inventory], ~single))
    kept = np.sort(order[:size])
    table = whole.table
    cut = CodedRows(np.asarray(table.codes)[kept], table.scales[kept], table.codebook, table.dim)
    pieces = [whole.inventory[number] for number in kept.tolist()]
    card = msgspec.structs.replace(whole.card, vocabulary=len(pieces))
    return StaticEncoder(card, pieces, cut), (cut.codes.nbytes + cut.scales.nbytes) / 1e6


def as_encoder(model: StaticModel, prepared: Prepared, recipe: StaticRecipe, dim: int) -> tuple[StaticEncoder, float]:
    """The model's first `dim` numbers in codes, and its size in MB."""
    cut = StaticModel(np.ascontiguousarray(model.vectors[:, :dim]), model.raw)
    table: CodedRows = code_vectors(cut, recipe.group, recipe.seed)
    card = EncoderCard("ablation", "static", dim, vocabulary=len(prepared.pieces), window=recipe.window)
    return StaticEncoder(card, prepared.pieces, table), (table.codes.nbytes + table.scales.nbytes) / 1e6


def trained_rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for every variant."""
    recipe = load_recipe(ROOT / "encoders/recipes/static-v2.toml")
    names = arguments.only.split(";") if arguments.only else list(VARIANTS)
    texts = Material(recipe, arguments.data, arguments.lines)
    trained, measures = Trained(texts, recipe, arguments.steps, arguments.batch), Measures(arguments.data)
    for name in names:
        variant = VARIANTS[name]
        began, cpu = time.perf_counter(), time.process_time()
        model, prepared = trained.train(variant)
        encoder, size = as_encoder(model, prepared, recipe, recipe.objective.dim)
        row: dict[str, Any] = {
            "variant": name,
            "steps": arguments.steps,
            "batch": arguments.batch,
            "languages": len(LANGUAGES),
            "rows": len(texts.plain.rows),
            "figures": measures.measure(encoder),
            "pieces": len(prepared.pieces),
            "megabytes": round(size, 2),
        }
        for dim in variant.dims:
            shorter, size = as_encoder(model, prepared, recipe, dim)
            row[f"{dim} numbers"] = {**measures.measure(shorter, brief=True), "megabytes": round(size, 2)}
        yield {**row, "cpu_seconds": _since(cpu, time.process_time()), "seconds": _since(began, time.perf_counter())}


def shipped_rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for every size of the shipped vocabulary."""
    measures = Measures(arguments.data)
    for size in map(int, arguments.shipped.split(",")):
        encoder, megabytes = shipped_with(size)
        row = {"variant": f"shipped vectors, {size:,} pieces kept", "steps": 0, "figures": measures.measure(encoder)}
        yield {**row, "pieces": encoder.card.vocabulary, "megabytes": round(megabytes, 2)}


def _since(began: float, now: float) -> float:
    return round(now - began, 1)


def main() -> None:
    """Measure, append the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--lines", type=int, default=12_000, help="read of every file")
    parser.add_argument("--only", default="", help="variants: '60,000 pieces;no Tatoeba'")
    parser.add_argument("--shipped", default="", help="sizes to cut the shipped vocabulary to, instead of trainings")
    parser.add_argument("--output", type=Path, default=ROOT / "eval/results/ablations.jsonl")
    arguments = parser.parse_args()
    for row in shipped_rows(arguments) if arguments.shipped else trained_rows(arguments):
        sys.stderr.write(json.dumps(row) + "\n")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        told = {"bench": "ablations", **row, "peak_rss_mb": memory, **provenance(utc_now(), threads=1)}
        with arguments.output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
