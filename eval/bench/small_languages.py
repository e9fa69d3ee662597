"""Languages with little parallel text, by news that nothing was learnt from: MAFAND's test sets (Adelani et al. 2022).

    python eval/bench/small_languages.py --data lafand-mt/data/json_files [--questions 60]

`--data` holds a folder for each pair (`en-lug/test.json`, lines `{"translation": {"en": …, "lug": …}}`), as
github.com/masakhane-io/lafand-mt has them (CC BY-NC 4.0: to measure with, not to learn from). Up to 500 sentences of
each language are indexed, those of six words or more; some are asked for by their English or French original, in their
own language's pool and in one of all of them, and find their original among those of their language. Appends a row to
`eval/results/small_languages.jsonl`: nDCG@10 (one sentence is relevant) by language, of the tables and of the default.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xsearch.core import Document
from xsearch.engine import Index, create_index
from xsearch.engine.clock import utc_now
from xsearch.evaluate.provenance import provenance
from xsearch.lang import normalize_code

ROOT = Path(__file__).resolve().parents[2]
SENTENCES, LEAST_WORDS = 500, 6
SYSTEMS: dict[str, dict[str, Any]] = {
    "psq": {"retrievers": ["psq"], "rerank": "none"},
    "default": {},
}


class Sentence(NamedTuple):
    """A sentence, its original and their languages."""

    id: str
    lang: str
    text: str
    original: str
    original_lang: str


def sentences(data: Path) -> Iterator[Sentence]:
    """Up to 500 of every pair, drawn at random."""
    for path in sorted(data.glob("*/test.json")):
        source, target = path.parent.name.split("-")
        rows = [json.loads(line)["translation"] for line in path.read_text(encoding="utf-8").splitlines()]
        long = [row for row in rows if len(row[source].split()) >= LEAST_WORDS]
        chosen = np.random.default_rng(0).permutation(len(long))[:SENTENCES]
        for number, row in enumerate(long[i] for i in chosen):
            yield Sentence(f"{target}{number}", normalize_code(target), row[target], row[source], source)


def gain(index: Index, question: str, lang: str, to: Sequence[str], wanted: str, settings: dict[str, Any]) -> float:
    """nDCG@10 where one document is relevant: 1 / log2(its rank + 1)."""
    hits = index.search(question, k=10, lang=lang, to=list(to), snippets=False, **settings)
    ranks = [hit.rank for hit in hits if hit.id == wanted]
    return float(1 / np.log2(ranks[0] + 1)) if ranks else 0.0


def measured(index: Index, asked: Sequence[Sentence], languages: Sequence[str]) -> dict[str, Any]:
    """By system and pool, the mean of each language."""
    found: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for system, settings in SYSTEMS.items():
        for one in asked:
            pools = {
                "to it": (one.original, one.original_lang, [one.lang], one.id),
                "to all": (one.original, one.original_lang, languages, one.id),
                "from it": (one.text, one.lang, [one.original_lang], f"{one.id}.original"),
            }
            for pool, question in pools.items():
                found[system][pool][one.lang].append(gain(index, *question, settings))
    return {
        system: {
            pool: {lang: round(float(np.mean(values)), 3) for lang, values in by_lang.items()}
            for pool, by_lang in pools.items()
        }
        for system, pools in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=60, help="Of each language.")
    parser.add_argument("--out", type=Path, default=ROOT / "eval/results/small_languages.jsonl")
    options = parser.parse_args()
    everything = list(sentences(options.data))
    languages = sorted({one.lang for one in everything})
    asked = [one for one in everything if int(one.id.lstrip("abcdefghijklmnopqrstuvwxyz")) < options.questions]
    with tempfile.TemporaryDirectory() as folder, create_index(Path(folder) / "idx", "hybrid") as index:
        with index.writer() as writer:
            for one in everything:
                writer.add(Document(id=one.id, text=one.text, lang=one.lang))
                writer.add(Document(id=f"{one.id}.original", text=one.original, lang=one.original_lang))
        index.refresh()
        found = measured(index, asked, languages)
    row = {
        "bench": "small_languages",
        "documents": 2 * len(everything),
        "questions": len(asked),
        "nDCG@10": {
            system: {pool: round(float(np.mean([*by_lang.values()])), 3) for pool, by_lang in pools.items()}
            for system, pools in found.items()
        },
        "by": found,
    } | provenance(utc_now())
    # A folder of somebody's own says nothing to others.
    row["command"] = f"python eval/bench/small_languages.py --data json_files --questions {options.questions}"
    with options.out.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    print(json.dumps(row["nDCG@10"], indent=1))


if __name__ == "__main__":
    main()
