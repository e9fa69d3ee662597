"""What trainings brought, as a page: `eval/results/training.md` from the last rows of the benchmarks of training.

python eval/bench/training_table.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "eval" / "results"
HEAD = """# What trainings bring

Made by `python eval/bench/training_table.py` from the JSON lines in this folder; do not edit. All of it is at toy size:
networks of two thin layers, some minutes of a CPU, one seed. It shows which way something pulls, not how far it goes;
the papers' own figures stand in [published.md](published.md). Differences are tested text by text or topic by topic
(paired randomisation, Holm's correction over the tests of a table): **bold** where p < .05.
"""


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a benchmark, oldest first; [] where it has none."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def marked(test: dict[str, Any]) -> str:
    """A difference, in bold where it is one."""
    text = f"{test['difference']:+.3f}"
    return f"**{text}**" if test["p_holm"] < 0.05 else text


def objectives() -> Iterator[str]:
    """Each objective against retrieval training alone, of the same run: a table for every row with an objective that
    later ones lack."""
    shown: set[str] = set()
    tables = []
    for row in reversed([row for row in rows("objectives") if "against retrieval alone" in row]):
        if row["against retrieval alone"].keys() - shown:
            tables.append(row)
        shown |= row["found"].keys()
    if not tables:
        return
    yield "\n## Objectives before retrieval training\n\nSteps of an objective, then as many of retrieval training, "
    yield "against retrieval training alone for as many in all. Mean reciprocal ranks, with the difference from "
    yield "retrieval alone of the same run.\n"
    for row in tables:
        yield from objective_table(row)
    if left := [name for name in tables[0]["not run"] if name not in shown]:
        yield f"\nNot run: {', '.join(left)}.\n"


def objective_table(row: dict[str, Any]) -> Iterator[str]:
    """The figures of one run."""
    pools, tests = list(row["texts"]), row["against retrieval alone"]
    sizes = ", ".join(f"{count} {name}" for name, count in row["texts"].items())
    yield f"\n{row['data']}; {row['steps']} and {row['steps']} steps; {sizes}.\n\n"
    yield f"| | {' | '.join(pools)} | CPU s |\n| --- |{' ---: |' * (len(pools) + 1)}\n"
    for name, means in row["found"].items():
        cells = [f"{means[pool]:.3f}" + (f" ({marked(tests[name][pool])})" if name in tests else "") for pool in pools]
        yield f"| {name} | {' | '.join(cells)} | {means['cpu_seconds']:.0f} |\n"


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
    """Recipes that ran from end to end."""
    found = {row["recipe"]: row for row in rows("recipes")}
    if not found:
        return
    yield "\n## Recipes run by their commands\n\nOn a slice of the shared data with `--toy`: that they run, not how "
    yield "good they are. `tests/neural/test_neural_recipes.py` trains and loads all of them at the size of seconds."
    yield "\n\n| recipe | kind | steps a stage | CPU s | indexed with and asked |\n| --- | --- | ---: | ---: | --- |\n"
    for name, row in sorted(found.items()):
        asked = "failed" if "failed" in row else "yes" if "found" in row else "not tried"
        yield f"| {name} | {row['kind']} | {row['steps_a_stage']} | {row['train_cpu_seconds']:.0f} | {asked} |\n"


def main() -> None:
    text = "".join([HEAD, *objectives(), *modules(), *recipes()])
    (RESULTS / "training.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
