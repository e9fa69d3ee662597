"""Modules against their absence, at toy size: a language's module by the words it predicts, the ways of composing a
reranker by what they put first.

    python eval/bench/modules.py --data ../shared/data/parallel --collection ../shared/data/eval/iot-lessons

Everything is made here: a base of a few thin layers (token vectors begun from the encoder that ships, then masked words
of English text), language modules, a ranking module and a whole cross-encoder from English titles and their sections.
Language modules are measured by the loss of masked words of texts kept from training, beside the base alone, text by
text. Rerankers reorder the same first stage, for every pair of languages in the documents of one language, and are
compared with the ranking module alone, topic by topic. All tests are paired randomisation, with Holm's correction over
the languages and over the rerankers. The figures say how the ways of composing compare with each other, not how good a
real base is: published ones of CLEF stand in `eval/results/published.md`. After some dozens of steps on a CPU no ranker
here has learnt to rank as well as the first stage does, the whole cross-encoder no more than the modules. Appends a row
to `eval/results/modules.jsonl`; `training_table.py` makes the table.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np

import xsearch
from xsearch.corpora import read_path
from xsearch.corpora.formats.qrels import read_qrels
from xsearch.corpora.formats.topics import read_topics
from xsearch.encode import Runtime
from xsearch.evaluate.compare import compare_values, holm
from xsearch.train.neural.pairs import shipped_evaluation
from xsearch.train.rows import normalised, read_excluded

ROOT = Path(__file__).parents[2]
SEED = 7
CPU = Runtime("cpu", "fp32")
LANGS = ("en", "sw", "fa")
HELD = 60
"""Texts of each language, kept from training."""
PAIRS = ("en-sw", "sw-en", "en-fa", "fa-sw")


def sections(data: Path, excluded: frozenset[int]) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """(titles by language, texts by language) of the sections of the training data, none of the collection's own."""
    for path in sorted(data.glob("*.sections.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for record in map(json.loads, file):
                titles, texts = record["title"], record["text"]
                if not excluded & {hash(normalised(text)) for text in [*titles.values(), *texts.values()]}:
                    yield titles, texts


def make_base(out: Path, texts: dict[str, list[str]], steps: int, layers: int, hidden: int) -> float:
    """Write the base: pieces of all languages, masked words of English; returns their loss in the end."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    from xsearch.train.neural.fresh import started_vectors
    from xsearch.train.neural.loop import fit
    from xsearch.train.neural.modules.language import words_loss
    from xsearch.train.neural.modules.texts import LanguageText
    from xsearch.train.neural.recipe import Schedule

    every = [text for own in texts.values() for text in own]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.UnigramTrainer(vocab_size=6_000, show_progress=False, special_tokens=special, unk_token="[UNK]")
    tokenizer.train_from_iterator(random.Random(SEED).sample(every, min(6_000, len(every))), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=256, **names)
    torch.manual_seed(SEED)
    sizes = {"num_hidden_layers": layers, "num_attention_heads": 4, "intermediate_size": 4 * hidden}
    model = BertForMaskedLM(
        BertConfig(vocab_size=len(fast), hidden_size=hidden, max_position_embeddings=256, pad_token_id=0, **sizes)
    )
    vectors = started_vectors("xsearch-static-v2", fast, hidden, SEED)
    known = torch.from_numpy(np.flatnonzero(np.abs(vectors).sum(axis=1)))
    with torch.no_grad():
        model.get_input_embeddings().weight[known] = torch.from_numpy(vectors)[known] * 0.02 * hidden**0.5
    model.save_pretrained(out)
    fast.save_pretrained(out)
    from xsearch.encode.neural.modules.base import load_base

    base = load_base(out, CPU, predicts=True)
    data = LanguageText(texts["en"], [], 0)
    last = [0.0]

    def losses(batch: Any) -> dict[str, Any]:
        loss = words_loss(base, batch.texts, 64, (SEED, batch.number))
        last.append(float(loss.detach()))
        return {"words": loss}

    with tempfile.TemporaryDirectory() as work:
        fit(base.model, lambda n: data.batch(n, 24, SEED), losses, Schedule(steps, 3e-3), SEED, Path(work))
    base.model.save_pretrained(out)
    return round(float(np.mean(last[-20:])), 3)


def first_stage(collection: Path, depth: int, queries: int) -> dict[str, list[tuple[str, str, list[Any]]]]:
    """Pair → (topic, its text, the best passages in the documents' language) of some topics."""
    with tempfile.TemporaryDirectory() as scratch:
        index = xsearch.create(Path(scratch) / "index")
        with index.writer() as writer:
            for document in read_path(next(collection.glob("docs.jsonl*"))):
                if document.lang in LANGS:
                    writer.add(document)
        return _asked(index, read_topics(next(collection.glob("topics.jsonl*"))), depth, queries)


def _asked(index: Any, topics: list[Any], depth: int, queries: int) -> dict[str, list[tuple[str, str, list[Any]]]]:
    found: dict[str, list[tuple[str, str, list[Any]]]] = {}
    for pair in PAIRS:
        asked, wanted = pair.split("-")
        own = [topic for topic in topics if topic.lang == asked]
        chosen = random.Random(SEED).sample(own, min(queries, len(own)))
        found[pair] = [
            (t.id, t.text, index.search(t.text, k=depth, lang=asked, to=[wanted], rerank="none", snippets=False))
            for t in chosen
        ]
    return found


def ndcg(relevant: set[str], ranked: list[str]) -> float:
    """nDCG@10 of grades 0 and 1."""
    gains = [1 / np.log2(place + 2) for place, document in enumerate(ranked[:10]) if document in relevant]
    ideal = sum(1 / np.log2(place + 2) for place in range(min(10, len(relevant))))
    return float(sum(gains) / ideal)


def predicted(folder: Path, module: Path | None, texts: list[str]) -> list[float]:
    """The loss of masked words of each text, by the base or with a module on it."""
    import torch

    from xsearch.encode.neural.modules import Composition, read_module
    from xsearch.encode.neural.modules.base import load_base
    from xsearch.encode.neural.modules.ranker import on_device
    from xsearch.train.neural.modules.language import words_loss
    from xsearch.train.neural.modules.ticket import untie

    base = load_base(folder, CPU, predicts=True)
    untie(base)
    if module is not None:
        composition = Composition(base.body, base.torch)
        composition.compose([[on_device(read_module(module), base)]], True)
        composition.invert_before(base.model.get_output_embeddings())
    base.model.eval()
    with torch.no_grad():
        return [float(words_loss(base, [text], 64, (SEED, n))) for n, text in enumerate(texts)]


def against(baseline: str, systems: dict[str, dict[str, float]], of: list[str]) -> dict[str, dict[str, Any]]:
    """The values by text or topic of some systems against a baseline's."""
    rows = {name: compare_values("", (baseline, name), systems[baseline], systems[name]) for name in of}
    corrected = holm([row.randomisation for row in rows.values()])
    return {
        name: {
            "against": baseline,
            "difference": round(row.difference, 4),
            "wins": row.wins,
            "losses": row.losses,
            "p": round(row.randomisation, 4),
            "p_holm": round(p, 4),
        }
        for (name, row), p in zip(rows.items(), corrected, strict=True)
    }


def means(values: dict[str, float]) -> dict[str, float]:
    """By the part of a key before its first space, and over all."""
    groups: dict[str, list[float]] = {}
    for key, value in values.items():
        groups.setdefault(key.partition(" ")[0], []).append(value)
    found = {name: round(float(np.mean(own)), 4) for name, own in groups.items()}
    return found | {"mean": round(float(np.mean(list(values.values()))), 4)}


def measured(stage: dict[str, Any], judged: dict[str, dict[str, int]], reranker: Any = None) -> dict[str, float]:
    """nDCG@10 by "pair topic", of the first stage or of what a reranker makes of it."""
    from xsearch.core import Query
    from xsearch.rank.rerank import RerankCandidate

    found = {}
    for pair, topics in stage.items():
        asked, wanted = pair.split("-")
        for topic, text, hits in topics:
            relevant = {d for d, grade in judged.get(topic, {}).items() if grade > 0 and d.endswith(f".{wanted}")}
            if not relevant or not hits:
                continue
            order = list(range(len(hits)))
            if reranker is not None:
                given = [RerankCandidate(n, h.id, h.lang, h.title, h.text, h.score) for n, h in enumerate(hits)]
                scores = reranker.score(Query(text, ((asked, 1.0),)), given)
                order = np.argsort(-scores, kind="stable").tolist()
            found[f"{pair} {topic}"] = ndcg(relevant, [hits[n].id for n in order])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--collection", type=Path, default=ROOT.parent / "shared" / "data" / "eval" / "iot-lessons")
    parser.add_argument("--kind", default="adapter")
    parser.add_argument("--steps", type=int, default=60, help="of each module")
    parser.add_argument("--base-steps", type=int, default=80)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--queries", type=int, default=24)
    parser.add_argument("--words-only", action="store_true", help="language modules alone")
    parser.add_argument("--keep", type=Path, help="where what is trained stays; a second run goes on with it")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "modules.jsonl")
    given = parser.parse_args()
    if not given.data.is_dir() or not given.collection.is_dir():
        sys.exit(f"no data at {given.data} or {given.collection}: point at them with --data and --collection")
    started = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        row = run(given, folder)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row |= {
        "cpu_seconds": round(time.process_time() - started),
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 1),
        "command": f"python eval/bench/modules.py --kind {given.kind} --steps {given.steps} --queries {given.queries}"
        + (" --words-only" if given.words_only else ""),
    }
    with given.results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(row, indent=1, ensure_ascii=False))


def gathered(data: Path, collection: Path, pairs: Path) -> dict[str, list[str]]:
    """The texts of each language, in random order; English titles with their sections are written to `pairs`."""
    own = [next(collection.glob(name)) for name in ("docs.jsonl*", "topics.jsonl*")]
    excluded = read_excluded([*own, *shipped_evaluation()])
    texts: dict[str, list[str]] = {lang: [] for lang in LANGS}
    with pairs.open("w", encoding="utf-8") as out:
        for titles, bodies in sections(data, excluded):
            for lang in LANGS:
                texts[lang] += [bodies[lang]] if len(bodies.get(lang, "")) > 40 else []
            if "en" in titles and len(bodies.get("en", "")) > 80:
                out.write(json.dumps({"query": titles["en"], "positive": bodies["en"]}) + "\n")
    for found in texts.values():
        random.Random(SEED).shuffle(found)
    return texts


def words_of(folder: Path, held: dict[str, list[str]]) -> dict[str, Any]:
    """Language modules against the base alone, by the masked words of texts kept from training."""
    alone, with_module = "base alone", "with the language's module"
    values: dict[str, dict[str, float]] = {alone: {}, with_module: {}}
    tests = {}
    for lang, own in held.items():
        found = {
            name: {f"{lang} {n}": loss for n, loss in enumerate(predicted(folder / "base", module, own))}
            for name, module in ((alone, None), (with_module, folder / "ours" / "languages" / f"{lang}.toml"))
        }
        tests[lang] = against(alone, found, [with_module])[with_module]
        for name, losses in found.items():
            values[name] |= losses
    for test, p in zip(tests.values(), holm([test["p"] for test in tests.values()]), strict=True):
        test["p_holm"] = round(p, 4)
    return {"words": {name: means(own) for name, own in values.items()}, "words tests": tests}


def run(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Make everything, rerank, measure."""
    from xsearch.rank.rerank import load_reranker, read_reranker_card
    from xsearch.rank.rerank.modular import modular_reranker
    from xsearch.train.neural.modules.compose import train_reranker
    from xsearch.train.neural.modules.plan import Plan

    pairs = folder / "pairs.jsonl"
    texts = gathered(given.data, given.collection, pairs)
    row: dict[str, Any] = {
        "bench": "modules",
        "size": f"toy: {given.layers} layers of {given.hidden}, {given.base_steps} steps, {given.steps} a module",
        "kind": given.kind,
        "collection": given.collection.name,
        "measure": f"nDCG@10 of the first {given.depth}",
    }
    held = {lang: own[-HELD:] for lang, own in texts.items()}
    texts = {lang: own[:-HELD] for lang, own in texts.items()}
    if not (folder / "base").is_dir():
        loss = make_base(folder / "base.part", texts, given.base_steps, given.layers, given.hidden)
        (folder / "base.part").rename(folder / "base")
        note(f"base, loss {loss}")
    quick = {"steps": given.steps, "full_steps": given.steps, "batch": 16, "length": 96, "entries": 40_000}
    plan = Plan(kind=given.kind, learning_rate=2e-3, **quick)
    ours = folder / "ours"

    def train(out: Path, plan: Plan, made: str, **files: Any) -> None:
        if not (out / made).exists():
            train_reranker(str(folder / "base"), out, plan, runtime=CPU, exclude=[], **files)

    ranking = msgspec.structs.replace(plan, lang="en", batch=8, negatives=3)
    for lang, own in texts.items():
        (folder / f"{lang}.txt").write_text("\n".join(text.replace("\n", " ") for text in own), encoding="utf-8")
        train(
            ours,
            msgspec.structs.replace(plan, lang=lang, length=64),
            f"languages/{lang}.toml",
            texts=[folder / f"{lang}.txt"],
        )
        note(f"module of {lang}")
    row |= words_of(folder, held)
    note(f"masked words: {row['words']}")
    if given.words_only:
        return row
    train(folder / "alone", ranking, "ranking/ranking.toml", pairs=[pairs])
    train(ours, ranking, "ranking/ranking.toml", pairs=[pairs])
    train(folder / "whole", msgspec.structs.replace(ranking, kind="", learning_rate=3e-4), "model", pairs=[pairs])
    note("trained; reranking")
    judged = read_qrels(given.collection / "qrels.txt").topics()
    stage = first_stage(given.collection, given.depth, given.queries)
    systems: dict[str, Any] = {"first stage": measured(stage, judged)}
    systems["whole cross-encoder"] = measured(stage, judged, load_reranker(folder / "whole", CPU))
    systems["ranking module alone"] = measured(stage, judged, load_reranker(folder / "alone", CPU))
    card = read_reranker_card(ours / "ours.toml")
    for setting in ("query", "document", "split", *(("both",) if given.kind != "adapter" else ())):
        changed = msgspec.structs.replace(card, settings=card.settings | {"setting": setting})
        systems[f"with the modules of: {setting}"] = measured(stage, judged, modular_reranker(changed, ours, CPU))
        note(setting)
    alone = "ranking module alone"
    return row | {
        "ndcg": {name: means(values) for name, values in systems.items()},
        "ndcg tests": against(alone, systems, [name for name in systems if name != alone]),
    }


def note(message: str) -> None:
    """Say how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {message}\n")


if __name__ == "__main__":
    main()
