"""What trainings brought, as a page: `eval/results/training.md` from the last rows of the benchmarks of training.

python eval/bench/training_table.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).resolve().parents[2] / "eval" / "results"
HEAD = """# What trainings bring

Made by `python eval/bench/training_table.py` from the JSON lines in this folder; do not edit. All of it is at toy size:
networks of two thin layers, some minutes of a CPU. It shows which way something pulls, not how far it goes; the papers'
own figures, of large networks on other collections, stand beside it and in [published.md](published.md). Differences
are tested text by text or topic by topic (paired randomisation, Holm's correction over the tests of a run): **bold**
where p < .05 in every seed that was run. The reranker that ships and augmentation have rows of their own
(`rerank-small.jsonl`, `augmentation.jsonl`), static vectors a page ([static.md](static.md)).
"""
LEGEND = """
## Every objective and recipe

*With / without*: mean reciprocal ranks (`objectives.py`; seven languages, 75 steps of an objective and as many of
retrieval training, or 150 of the one way to train, means over seeds) beside those of the same training without it: of
held-out translations, of sections asked for by titles in another language, of Tatoeba, of translations asked for in
Latin letters (*romanised*), and of translations by a quarter of the vectors' numbers (*cut*). *Demo*: nDCG@10 of the
collection that ships, all languages in one list, by an index made with what the recipe's command trained in 25 steps a
stage of a smaller network still, beside that of the plain recipe of its kind: `contrastive` of one vector a text,
`colbert-x` of one a token, `splade` of words. Of `qgen-mt5` it is BM25 with its questions and without them, of
`adapters` and `cross-encoder` the recipe `hybrid` with its first ten reordered and as they were (`second_stages.py`).
That shows that results are used; it tells recipes apart no more than {steps} do, because such a network learns what it
is shown, manuals of programs, and the collection is about anything else. A dash: not compared, or no figure could be
read. *half the layers* and *hidden-states* go on from the network of
*retrieval alone*, the one with 75 steps of retrieval, the other with 75 of its objective before them.

"""
PLAIN = {"dense": "contrastive", "multivector": "colbert-x", "sparse": "splade"}
"""The recipe that others of a kind are compared with."""
ALONE = "retrieval alone"
POOLS = ("translations", "sections", "tatoeba", "romanised", "cut")


class Idea(NamedTuple):
    """Something that is trained: the variant of `objectives.py`, the recipe that ships ("" for none of the two), and
    what its paper reports, as far as it could be read ("" for nothing)."""

    variant: str
    recipe: str
    paper: str = ""


IDEAS = (
    Idea(ALONE, "contrastive"),
    Idea("mined negatives", "hard-negatives"),
    Idea(
        "fused scores",
        "translate-distill",
        "NeuCLIR 2022 zh/fa/ru, nDCG@20: .441/.438/.470 by translate-train, .492/.484/.522 by Translate-Distill "
        "(arXiv 2401.04810, as quoted by a survey)",
    ),
    Idea(
        "dual-alignment",
        "dap",
        "accuracy on Tatoeba, 36 languages to English, mBERT: .901 by translation ranking alone, .909 with both "
        "(Li et al. 2023, table 1)",
    ),
    Idea(
        "translation-ranking",
        "",
        "the same: .369 without, .901 with it",
    ),
    Idea("one-to-k", "one-to-k"),
    Idea("continuous", "cwcl"),
    Idea("comparable", "c3"),
    Idea(
        "infoxlm",
        "infoxlm",
        "accuracy on Tatoeba, 14 languages, to English and from it: XLM-R .594, .575, InfoXLM .778, .806 "
        "(as Li et al. 2023 have them, table 1)",
    ),
    Idea("xlm-align", "xlm-align"),
    Idea("masked-words", ""),
    Idea("code switching", "entitycs", "fact retrieval +10 % (abstract)"),
    Idea("transliteration", "translico"),
    Idea("new words by neighbours", "wechsel", "a 64th of the training effort (WECHSEL, abstract)"),
    Idea("new words at random", ""),
    Idea("random token vectors", ""),
    Idea("hidden-states", "bistil"),
    Idea("half the layers", ""),
    Idea("matryoshka", "matryoshka"),
    Idea("low-rank", "lora"),
    Idea("prompt", "prompt", "0.1 to 0.3 % of the parameters, above full fine-tuning (abstract)"),
    Idea("averaged checkpoints", ""),
    Idea("", "large-batches"),
    Idea("", "lexical"),
    Idea(
        "",
        "translate-train",
        "ColBERT-X, AP: HC4 zh .450 zero-shot, .408 translate-train; fa .297, .310; CLEF de .328, .397 "
        "(arXiv 2201.08471, as quoted by a survey)",
    ),
    Idea("", "colbert-x"),
    Idea(
        "",
        "blade",
        "CLEF 2003 de/fr/it/es, AP: .300/.383/.318/.310 by translate-train, .317/.393/.314/.331 bilingual "
        "(SPLADE-X, CEUR Vol-3480, as quoted by a survey)",
    ),
    Idea("", "splade"),
    Idea("", "xsearch-mini-v1"),
    Idea(
        "",
        "qgen-mt5",
        "XOR-Retrieve dev, R@2kt, R@5kt: mBERT .442, .518, with questions .462, .533 (README of ielab/xQG4xDR)",
    ),
    Idea("", "adapters"),
    Idea("", "cross-encoder"),
)


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a benchmark, oldest first; [] where it has none."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def marked(test: dict[str, Any]) -> str:
    """A difference, in bold where it is one."""
    text = f"{test['difference']:+.3f}"
    return f"**{text}**" if test["p_holm"] < 0.05 else text


def compared() -> dict[str, dict[int, dict[str, Any]]]:
    """Of every variant of `objectives.py` by seed: its figures, its absence's, what it is and the tests by pool. Rows
    of before there were several absences compared all with retrieval training alone."""
    made: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows("objectives"):
        tests = row.get("tests") or {
            name: {"absence": ALONE, **pools} for name, pools in row.get("against retrieval alone", {}).items()
        }
        for name, test in tests.items():
            # Retrieval training alone is what the start lacks.
            one, other = (ALONE, name) if name == "start" else (name, test["absence"])
            pools = {
                pool: _turned(found) if name == "start" else found for pool, found in test.items() if pool in POOLS
            }
            made.setdefault(one, {})[row.get("seed", 1)] = {
                "absence": other,
                "with": row["found"][one],
                "without": row["found"][other],
                "tests": {pool: _turned(found) for pool, found in pools.items()} if name == "start" else pools,
            }
    return made


def _turned(test: dict[str, Any]) -> dict[str, Any]:
    return {**test, "difference": -test["difference"]}


def everything() -> Iterator[str]:
    """One table of all objectives and recipes."""
    found, ran = compared(), {row["recipe"]: row for row in rows("recipes")}
    yield LEGEND.format(steps=_longer(ran["contrastive"]))
    yield f"| objective | absence | {' | '.join(POOLS)} | seeds | recipe | demo | in its paper |\n"
    yield f"| --- | --- |{' ---: |' * (len(POOLS) + 1)} --- | ---: | --- |\n"
    for idea in IDEAS:
        asked = _asked(ran.get(idea.recipe), ran)
        cells = [idea.variant or "–", *_against(found.get(idea.variant, {})), idea.recipe or "–", asked]
        yield f"| {' | '.join([*cells, idea.paper or '–'])} |\n"
    yield from _apart(found.get(ALONE, {}))


def _against(seeds: dict[int, dict[str, Any]]) -> list[str]:
    """The cells from the absence to the seeds."""
    if not seeds:
        return ["–"] * (len(POOLS) + 2)
    cells = []
    for pool in POOLS:
        tested = [seed for seed in seeds.values() if pool in seed["tests"]]
        if not tested:
            cells.append("–")
            continue
        sides = (sum(seed[side][pool] for seed in tested) / len(tested) for side in ("with", "without"))
        text = " / ".join(f"{mean:.3f}" for mean in sides)
        signs = {seed["tests"][pool]["difference"] > 0 for seed in tested}
        is_one = len(signs) == 1 and all(seed["tests"][pool]["p_holm"] < 0.05 for seed in tested)
        cells.append(f"**{text}**" if is_one else text)
    absences = dict.fromkeys(seed["absence"] for seed in seeds.values())
    return [", ".join(absences), *cells, str(len(seeds))]


def _asked(row: dict[str, Any] | None, ran: dict[str, dict[str, Any]]) -> str:
    """What an index made with a recipe's result is worth, beside that of its kind's plain recipe."""
    if row is None:
        return "–"
    if "demo" not in row:
        return "failed" if "failed" in row else "runs" if "found" in row else "trained"
    figures = [row["demo"]["nDCG@10"]]
    if "without" in row:
        figures.append(row["without"]["nDCG@10"])
    elif row is not (plain := ran[PLAIN[row["kind"]]]):
        figures.append(plain["demo"]["nDCG@10"])
    return " / ".join(f"{figure:.3f}" for figure in figures)


def _longer(plain: dict[str, Any]) -> str:
    """What more steps of the plain recipe bring, of the held-out sections' and of the demo's figure."""
    others = {
        row["steps_a_stage"]: row
        for row in rows("recipes")
        if row["recipe"] == plain["recipe"] and "demo" in row and row["files"] == plain["files"]
    }
    told = [
        f"{steps} ({row['after']['passages']:.2f} of held-out sections, {row['demo']['nDCG@10']:.3f} of the demo)"
        for steps, row in sorted(others.items())
        if row is not plain and steps > plain["steps_a_stage"]
    ]
    return " or ".join(told)


def _apart(seeds: dict[int, dict[str, Any]]) -> Iterator[str]:
    """How far the seeds lie apart."""
    if len(seeds) < 2:
        return
    ranges = []
    for pool in POOLS:
        values = [seed["with"][pool] for seed in seeds.values() if pool in seed["with"]]
        ranges.append(f"{pool} {max(values) - min(values):.3f}")
    yield f"\nRetrieval training alone, seed against seed: {', '.join(ranges)} apart. A difference as small is noise.\n"


def modules() -> Iterator[str]:
    """Language modules against the base alone; rerankers against the ranking module alone."""
    found = {row["kind"]: row for row in rows("modules") if "words tests" in row}
    if not found:
        return
    langs = list(next(iter(found.values()))["words tests"])
    yield "\n## Language modules\n\nThe loss of masked words of texts kept from training: the base, which was taught "
    yield "with English text alone, and with the language's module on it (lower is better; a base of its own for each "
    yield f"kind).\n\n| module | {' | '.join(langs)} |\n| --- |{' ---: |' * len(langs)}\n"
    for kind, row in found.items():
        alone, with_module = row["words"].values()
        cells = [f"{alone[c]:.3f} → {with_module[c]:.3f} ({marked(row['words tests'][c])})" for c in langs]
        yield f"| {kind} | {' | '.join(cells)} |\n"
    for kind, row in found.items():
        if "ndcg" not in row:
            continue
        yield f"\n## Rerankers composed of modules: {kind}\n\n{row['measure']} of {row['collection']}, all pairs of "
        yield "languages; the difference is that from the ranking module alone.\n\n| | mean | difference |\n"
        yield "| --- | ---: | ---: |\n"
        for name, means in row["ndcg"].items():
            test = row["ndcg tests"].get(name)
            yield f"| {name} | {means['mean']:.3f} | {marked(test) if test else ''} |\n"


def recipes() -> Iterator[str]:
    """What the commands of recipes took."""
    found = {row["recipe"]: row for row in rows("recipes")}
    if not found:
        return
    yield "\n## Recipes run by their commands\n\nOn a slice of the shared data with `--toy`: that they run, not how "
    yield "good they are. `tests/neural/test_neural_recipes.py` trains and loads all of them at the size of seconds."
    yield '\n\n| recipe | kind | steps a stage | CPU s | first documents for "presidential elections in Iran" |\n'
    yield "| --- | --- | ---: | ---: | --- |\n"
    for name, row in sorted(found.items()):
        asked = "failed" if "failed" in row else ", ".join(row.get("found", ["not asked"]))
        yield f"| {name} | {row['kind']} | {row['steps_a_stage']} | {row['train_cpu_seconds']:.0f} | {asked} |\n"


def main() -> None:
    text = "".join([HEAD, *everything(), *modules(), *recipes()])
    (RESULTS / "training.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
