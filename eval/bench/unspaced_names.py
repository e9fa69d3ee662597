"""Names typed in Latin letters, looked for in text without spaces between words, by the retriever `names` alone.

    python eval/bench/unspaced_names.py --data ../shared/data/parallel

`unspaced_names.tsv` has 20 names each in Thai, Khmer, Burmese, Japanese and Chinese, every one in a sentence written
for it. A language's sentences stand among 1,500 others of parallel text. A row tells how many come first and among the
first five, and what the part takes a character of text; it goes to `eval/results/unspaced_names.jsonl`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

from xsearch.core import PassageBatch, Query
from xsearch.lang import query_spellings, word_forms
from xsearch.retrieve import Names, NamesWriter
from xsearch.storage import DiskFiles
from xsearch.train.rows import read_records

ROOT = Path(__file__).resolve().parents[2]
AMONG = 1500
ROWS_OF_A_FILE = 20_000


def others(data: Path, langs: list[str]) -> dict[str, list[str]]:
    """Distinct texts of 16 to 399 characters, `AMONG` of each language if there are so many."""
    found: dict[str, dict[str, None]] = {lang: {} for lang in langs}
    for path in sorted(data.glob("*.jsonl.xz")):
        if path.name.endswith(".sections.jsonl.xz") or all(len(texts) >= AMONG for texts in found.values()):
            continue
        for _, row in islice(read_records(path), ROWS_OF_A_FILE):
            for lang, texts in found.items():
                text = row.get(lang)
                if len(texts) < AMONG and isinstance(text, str) and 15 < len(text) < 400:
                    texts[text] = None
    return {lang: list(texts) for lang, texts in found.items()}


def asked(lang: str, own: list[dict[str, str]], among: list[str]) -> dict[str, object]:
    """What comes of one language's names."""
    texts = [row["sentence"] for row in own] + among
    forms = [" ".join(word_forms(text, lang)) for text in texts]
    empty = [""] * len(texts)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        writer = NamesWriter(folder, {}, high_water=0, files=DiskFiles())
        writer.add(PassageBatch(np.arange(len(texts)), [lang] * len(texts), empty, empty, forms=forms))
        names = Names(folder, writer.flush())
        size = sum(path.stat().st_size for path in folder.rglob("*.names"))
        first, fifth, missed = 0, 0, []
        for number, row in enumerate(own):
            spellings = query_spellings(row["query"], lambda words: [1.0] * len(words))
            found = names.search(Query(row["query"], (), spellings=spellings), 5).passages.tolist()
            first += found[:1] == [number]
            fifth += number in found
            missed += [] if number in found else [row["query"]]
        names.close()
    return {
        "names": len(own),
        "first": first,
        "among_five": fifth,
        "texts": len(texts),
        "bytes_per_character": round(size / sum(map(len, texts)), 1),
        "missed": missed,
    }


def append_row(results: Path, row: dict[str, object]) -> None:
    """Append a row to a file of results, with commit, machine and date, and print it."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    row |= {
        "commit": commit.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
    }
    with results.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(json.dumps(row, ensure_ascii=False, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "unspaced_names.jsonl")
    given = parser.parse_args()
    with Path(__file__).with_suffix(".tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    langs = list(dict.fromkeys(row["lang"] for row in rows))
    among = others(given.data, langs)
    row = {
        "bench": "unspaced names",
        "languages": {lang: asked(lang, [r for r in rows if r["lang"] == lang], among[lang]) for lang in langs},
        "command": "python eval/bench/unspaced_names.py",
    }
    append_row(given.results, row)


if __name__ == "__main__":
    main()
