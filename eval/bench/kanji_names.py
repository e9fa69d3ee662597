"""Japanese names in kanji, looked for from other scripts and the other way round, by the retriever `names` alone.

    python eval/bench/kanji_names.py --data ../shared/data/parallel

`kanji_names.tsv` has 40 places and 35 persons of Japan, from none of which readings were learnt, as they are written in
kanji, in Latin letters without and with macrons, in kana and in Russian. Each stands in a sentence of its language,
among 1,500 other texts of parallel data. Asked are Japanese texts for a name in every other writing, and English,
Russian and kana texts for the kanji: with kanji read and without. A row tells how many come first and among the first
five, what the index takes a character, and the processor time of a query; it goes to `eval/results/kanji_names.jsonl`.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
from unspaced_names import ROOT, append_row, others

from xsearch.core import PassageBatch, Query
from xsearch.lang import query_spellings, word_forms
from xsearch.lang.codes import UNKNOWN
from xsearch.retrieve import Names, NamesWriter
from xsearch.storage import DiskFiles

SENTENCES = {
    "ja": {
        "place": ["先週は{}で友人に会いました。", "{}の駅前に新しい図書館ができた。", "冬の{}はとても静かだ。"],
        "person": ["{}の作品展が市役所で開かれる。", "祖父は{}についてよく話した。", "学校で{}の生涯を学んだ。"],
    },
    "en": {
        "place": ["We met friends in {} last week.", "A library opened near {} station.", "Winter in {} is quiet."],
        "person": ["The town hall shows works by {}.", "Grandfather often spoke of {}.", "We read about {} at school."],
    },
    "ru": {
        "place": ["Город {} зимой очень тихий.", "Поезд {} опоздал на час.", "Там, где {}, открыли библиотеку."],
        "person": ["Выставку посвятили мастеру {}.", "Дед часто вспоминал: {}.", "В школе рассказали, кто такой {}."],
    },
    "kana": {
        "place": ["ふゆの {} は とても しずかです。", "{} の えきで まちました。", "らいねん {} へ いきます。"],
        "person": ["きょうは {} の はなしを ききました。", "{} の えを みました。", "{} は ゆうめいな ひとです。"],
    },
}
"""Each language's sentences, which names stand in in turn."""
_KATAKANA = {code: code + 96 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def searched(lang: str, texts: list[str], queries: dict[str, list[str]], read: bool) -> dict[str, object]:
    """What comes of queries by kind, the first of which is to find the first text, and so on. read: kanji are."""
    forms = [" ".join(word_forms(text, lang if read else UNKNOWN)) for text in texts]
    empty = [""] * len(texts)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        writer = NamesWriter(folder, {}, high_water=0, files=DiskFiles())
        writer.add(PassageBatch(np.arange(len(texts)), [lang] * len(texts), empty, empty, forms=forms))
        names = Names(folder, writer.flush())
        size = sum(path.stat().st_size for path in folder.rglob("*.names"))
        found: dict[str, object] = {}
        begun, asked = time.process_time(), 0
        for kind, own in queries.items():
            first, fifth, missed = 0, 0, []
            for number, text in enumerate(own):
                spellings = query_spellings(text, lambda words: [1.0] * len(words), None if read else UNKNOWN)
                best = names.search(Query(text, (), spellings=spellings), 5).passages.tolist()
                first += best[:1] == [number]
                fifth += number in best
                missed += [] if number in best else [text]
            found[kind] = {"first": first, "among_five": fifth, "missed": missed}
            asked += len(own)
        names.close()
    return {
        **found,
        "query_cpu_ms": round(1000 * (time.process_time() - begun) / asked, 1),
        "bytes_per_character": round(size / sum(map(len, texts)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "parallel")
    parser.add_argument("--results", type=Path, default=ROOT / "eval" / "results" / "kanji_names.jsonl")
    given = parser.parse_args()
    with Path(__file__).with_suffix(".tsv").open(encoding="utf-8", newline="") as file:
        names = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    among = others(given.data, ["ja", "en", "ru"])
    written = {column: [row[column] for row in names] for column in ("en", "macrons", "kana", "ru")}
    written["katakana"] = [kana.translate(_KATAKANA) for kana in written["kana"]]
    kanji = [row["ja"].replace(" ", "") for row in names]

    def texts(lang: str, spelt: list[str]) -> list[str]:
        own = SENTENCES[lang]
        return [own[row["kind"]][i % 3].format(name) for i, (row, name) in enumerate(zip(names, spelt, strict=True))]

    def directions(read: bool) -> dict[str, object]:
        found = {"to kanji": searched("ja", texts("ja", kanji) + among["ja"], written, read)}
        for lang in ("en", "ru", "kana"):
            code = "ja" if lang == "kana" else lang
            own = texts(lang, written[lang]) + among[code]
            found[f"kanji to {lang}"] = searched(code, own, {"kanji": kanji}, read)
        return found

    row = {
        "bench": "kanji names",
        "names": len(names),
        "read": directions(True),
        "not_read": directions(False),
        "command": "python eval/bench/kanji_names.py",
    }
    append_row(given.results, row)


if __name__ == "__main__":
    main()
