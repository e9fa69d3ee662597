"""What choices and further training bring the static vectors, as a page: `eval/results/static.md` from the rows of
`ablations.py` and `further.py`.

python eval/bench/static_table.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[2] / "eval" / "results"
HEAD = """# Static vectors: choices, and training further

Made by `python eval/bench/static_table.py` from `ablations.jsonl` and `further.jsonl`; do not edit.
"""
TRAININGS = """
## Short trainings that differ in one thing

Twenty languages, 500 steps of 1,024 pairs from the same start (rough translation tables); the first is the base, every
other differs from it in what its name says. One seed: small differences may be chance, and what pays late looks small.
What ships took 8,500 steps of 2,048 with all languages. Tatoeba: accuracy, 250 sentences a language; the others nDCG@10
by windows alone, on half of the topics; romanised: 57 questions typed in Latin letters. Pieces are the most frequent of
those that ship, of which 128,289 occur in this text, or learnt from it.

"""
SHIPPED = """
## The vectors that ship, with fewer pieces

Nothing is trained: the likeliest pieces are kept, what was cut is spelled in them.

"""
SHORTER = """
## Fewer numbers

The first numbers of a vector, coded alike. *Matryoshka* has the loss at 128, 64 and 32 numbers too.

"""
FURTHER = """
## Training on top of what ships

Swahili in N'Ko's letters (nothing can be spelled) and in its own exchanged (all is spelled, by pieces that mean other
things), and Swahili and Irish as they are, which the encoder has seen among all else. Before → after. The others are
Tatoeba's first hundred sentences in XTREME's languages, ten languages of ntrex-doc, and tldr.

"""
NAMES = ("tatoeba", "ntrex-doc cross", "tldr cross", "iot-lessons cross", "ntrex-doc same", "tldr same",
         "iot-lessons same", "romanised")  # fmt: skip
OWN = ("tatoeba", "ntrex-doc from English", "ntrex-doc to English")
OTHERS = ("others: tatoeba", "others: ntrex-doc cross", "others: tldr cross")


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a benchmark, oldest first; [] where it has none."""
    path = RESULTS / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def table(columns: tuple[str, ...], lines: list[list[str]]) -> Iterator[str]:
    """A table whose first column is text."""
    yield f"| {' | '.join(columns)} |\n|{' --- |'}{' ---: |' * (len(columns) - 1)}\n"
    yield from (f"| {' | '.join(line)} |\n" for line in lines)


def choices(found: list[dict[str, Any]]) -> Iterator[str]:
    """Variants, one a line."""
    lines = [
        [row["variant"], f"{row['megabytes']:.1f}", *(f"{row['figures'][name]:.3f}" for name in NAMES)] for row in found
    ]
    yield from table(("", "MB", *NAMES), lines)


def shorter(found: list[dict[str, Any]]) -> Iterator[str]:
    """Variants measured with fewer numbers."""
    names = ("tatoeba", "ntrex-doc cross", "ntrex-doc same")
    lines = []
    for row in found:
        cuts = [key for key in row if key.endswith(" numbers")]
        for key in cuts and ["256 numbers", *cuts]:
            figures = row.get(key, row["figures"])
            megabytes = figures.get("megabytes", row["megabytes"])
            told = "Matryoshka" if row["variant"] == "Matryoshka" else "plain"
            lines.append([f"{told}, {key}", f"{megabytes:.1f}", *(f"{figures[name]:.3f}" for name in names)])
    yield from table(("", "MB", *names), lines)


def further(found: list[dict[str, Any]]) -> Iterator[str]:
    """Languages, one a line."""
    lines = []
    for row in found:
        before, after = row["before"], row["after"]
        changes = [f"{before[n]:.3f} → {after[n]:.3f}" if n in before else "" for n in (*OWN, *OTHERS)]
        rate = f"{row['settings']['known_rate']:g}"
        lines.append([row["case"], f"{row['rows']:,}", rate, *changes, f"{row['cpu_seconds']:.0f}"])
    yield from table(("", "rows", "rate of known pieces", *OWN, *OTHERS, "CPU s"), lines)


def main() -> None:
    """Write the page."""
    ablations = rows("ablations")
    trained = [row for row in ablations if row["steps"]]
    shipped = [row for row in ablations if not row["steps"]]
    parts = [HEAD, TRAININGS, *choices(trained), SHIPPED, *choices(shipped), SHORTER, *shorter(trained), FURTHER]
    page = "".join([*parts, *further(rows("further"))])
    (RESULTS / "static.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
