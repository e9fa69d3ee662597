"""What is known of each language, as a page: `encoders/by-language.md`, from the cards that ship, the header of the
tables, and the last rows of the suite `parallel`.

python eval/bench/language_page.py
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.lang import language_name
from xsearch.lang.codes import macrolanguage
from xsearch.lang.translation_file import read_header

ROOT = Path(__file__).resolve().parents[2]
PIVOT = "en"
SYSTEMS = ("bm25", "psq", "names", "dense", "default")
COLLECTIONS = ("ntrex-doc", "iot-lessons", "tldr")
HEAD = """# What is known of each language

Made by `python eval/bench/language_page.py`; do not edit. The single pairs of languages are in
[eval/results](../eval/results/README.md), Tatoeba by language is [here](xsearch-static-v2.md).

- *Vectors*: the share of sentences kept from training whose translation is found first among up to 300, by the static
  encoder (its card: `xsearch encoders show xsearch-static-v2`). *Tables*: the same by translation tables, from
  English and into it; two other languages meet through English. Fusion listens to a retriever in a language by these
  figures. In italics what is assumed (what three in four of the languages with as much text reach), because too few
  rows were kept from training to measure it. A dash: the language is not supported by that retriever, which has no
  vote there but where it finds something all the same.
- The others: nDCG@10, questions in all other languages to documents in this one (each pair of languages in its own
  pool, means over pairs), from the last rows of
  `xsearch evaluate --suite parallel --data ../shared/data/eval --out eval/results`. *Default* is what `xsearch query`
  does.

"""


def main() -> None:
    card = tomllib.loads((ROOT / "encoders" / "xsearch-static-v2.toml").read_text(encoding="utf-8"))
    tables = tomllib.loads((ROOT / "encoders" / "xsearch-tables-v1.toml").read_text(encoding="utf-8"))
    path = ROOT / "encoders" / "by-language.md"
    path.write_text(HEAD + "".join(table(card, tables)), encoding="utf-8")


def table(card: dict[str, Any], tables: dict[str, Any]) -> Iterator[str]:
    """The lines of the page's table."""
    found = {collection: by_document_language(collection) for collection in COLLECTIONS}
    shown = {name: [s for s in SYSTEMS if name == COLLECTIONS[0] or s in ("psq", "dense", "default")] for name in found}
    columns = [f"{name} {system}" for name, systems in shown.items() for system in systems]
    used = used_scores()
    yield f"| language | | vectors | from English | into English | {' | '.join(columns)} |\n"
    yield f"| --- | --- |{' ---: |' * (3 + len(columns))}\n"
    codes = {*card["languages"], *used, *(code for each in found.values() for code in each["default"])}
    for code in sorted(codes, key=lambda code: (language_name(code).casefold(), code)):
        base = code.partition("-")[0]
        known = next((each for each in (code, base, macrolanguage(base)) if each in used), code)
        vectors = code if code in card["languages"] else base
        there, back = used.get(known, (0.0, 0.0))
        name = f"{PIVOT}-{known}"
        cells = [
            score(card["languages"].get(vectors), vectors not in card.get("unmeasured", ())),
            score(there, name in tables["there"]),
            score(back, name in tables["back"]),
            *(figure(found[name][system].get(code)) for name, systems in shown.items() for system in systems),
        ]
        yield f"| {language_name(code)} | `{code}` | {' | '.join(cells)} |\n"


def used_scores() -> dict[str, tuple[float, float]]:
    """By language, what the tables' header says of translations from English and into it."""
    pairs = read_header(ROOT / "encoders" / "xsearch-tables-v1.tables").pairs
    return {pair.columns: (pair.there, pair.back) for pair in pairs if pair.rows == PIVOT}


def by_document_language(collection: str) -> dict[str, dict[str, float]]:
    """By system and language, the mean over questions in other languages, of the system's last row."""
    last: dict[str, dict[str, Any]] = {}
    for line in (ROOT / "eval" / "results" / "parallel.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["collection"] == collection:
            last[row["system"]] = row["by"]
    found: dict[str, dict[str, float]] = {}
    for system in SYSTEMS:
        values: dict[str, list[float]] = {}
        asked = sorted(last[system]["query_lang"], key=len, reverse=True)
        for pair, measures in last[system]["pair"].items():
            # Codes have hyphens of their own: of those that fit, the longest is the question's.
            source = next(code for code in asked if pair.startswith(f"{code}-"))
            target = pair[len(source) + 1 :]
            if source != target:
                values.setdefault(target, []).append(measures["nDCG@10"])
        found[system] = {code: float(np.mean(each)) for code, each in values.items()}
    return found


def score(value: float | None, is_measured: bool) -> str:
    """A cell of a score; in italics where it is assumed."""
    if not value:
        return "–"
    return f"{value:.2f}" if is_measured else f"*{value:.2f}*"


def figure(value: float | None) -> str:
    """A cell of a measure."""
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
