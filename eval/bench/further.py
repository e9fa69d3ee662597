"""What training on top of the encoder that ships gives a language, and what it costs the others.

    python eval/bench/further.py --data ../shared/data --case letters [--steps 400] [--known-rate 0.1]

A language that the encoder does not know at all is made of one for which there are tests: Swahili with its letters
replaced by N'Ko's (`letters`: nothing can be spelled), or by each other, vowels by vowels (`words`: all is spelled, in
pieces that mean other things). `swahili` and `irish` are these languages as they are, of which the encoder has seen the
same text already, among that of all others. The text is that of the shared data in English and the language alone; the
tests, in no way trained on, are disguised alike.

Measured before and after: of the language, Tatoeba's accuracy, foreign to English, and nDCG@10 of news between it and
English; of the others, the mean accuracy over Tatoeba's first sentences in XTREME's languages, and nDCG@10 across ten
languages of `ntrex-doc` and all of `tldr`. Appends a row to `eval/results/further.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from xsearch.core.data import data_path
from xsearch.encode import Encoder, load_encoder
from xsearch.engine.clock import utc_now
from xsearch.evaluate.provenance import provenance
from xsearch.train.evaluate_static import XTREME, Collection, read_collection, retrieval_scores, tatoeba_accuracy
from xsearch.train.recipe import load_recipe, overridden
from xsearch.train.rows import excluded_files, normalised, read_excluded, read_records
from xsearch.train.static import train_static

ROOT = Path(__file__).resolve().parents[2]
VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnprstvwyz"
NKO = {letter: chr(0x7CA + number) for number, letter in enumerate(VOWELS + CONSONANTS)}
EXCHANGED = {
    letter: letters[(place + 2) % len(letters)]
    for letters in (VOWELS, CONSONANTS)
    for place, letter in enumerate(letters)
}
OTHERS = {"en", "de", "fr", "ru", "hi", "zh", "ja", "tr", "fi", "vi"}
SENTENCES = 100
SWAHILI = ("bible", "tico19", "storybooks", "opensource_guide", "un_sdg", "mgsm", "covid19_datashare", "omw_wordnet",
           "enwiktionary_words", "tico19_terms", "panlex_swadesh")  # fmt: skip
IRISH = ("mozilla-www", "wikipedia-app-ui", "common-voice-ui", "osm-id", "omw_wordnet", "enwiktionary_words",
         "wikidata_titles", "osm_presets", "tico19_terms", "cldr-names")  # fmt: skip


class Case(msgspec.Struct, frozen=True):
    """source: the language's code in the data; tatoeba: in Tatoeba; code: that it is trained under. disguise: what its
    letters become. files: read."""

    source: str
    tatoeba: str
    code: str
    files: tuple[str, ...]
    disguise: dict[str, str] = {}

    def disguised(self, text: str) -> str:
        """`text` as the case writes it."""
        return text.lower().translate(str.maketrans(self.disguise)) if self.disguise else text


CASES = {
    "letters": Case("sw", "swh", "nqo", SWAHILI, NKO),
    "words": Case("sw", "swh", "war", SWAHILI, EXCHANGED),
    "swahili": Case("sw", "swh", "sw", SWAHILI),
    "irish": Case("ga", "gle", "ga", IRISH),
}


def pairs(case: Case, data: Path) -> Iterator[dict[str, Any]]:
    """Rows of the language and English, without the texts of evaluation collections."""
    excluded = read_excluded(excluded_files(["eval/*/*.jsonl*"], data))
    for name in case.files:
        for path in sorted([*data.glob(f"parallel/{name}.jsonl*"), *data.glob(f"lexicons/{name}.jsonl*")]):
            for _, record in read_records(path):
                if record.get("en") and record.get(case.source):
                    row = {lang: _texts(record[lang], excluded) for lang in ("en", case.source)}
                    if all(row.values()):
                        yield {"en": row["en"], case.code: [case.disguised(text) for text in row[case.source]]}


def _texts(value: Any, excluded: frozenset[int]) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    return [text for text in texts if hash(normalised(text)) not in excluded]


class Tests:
    """What is measured before and after."""

    def __init__(self, case: Case, data: Path) -> None:
        self._case = case
        self._own: list[dict[str, Any]] = []
        others = defaultdict(list)
        for _, record in read_records(next(iter(sorted((data / "eval/tatoeba").glob("pairs.jsonl*"))))):
            if record["lang"] == case.tatoeba:
                self._own.append({**record, "text": case.disguised(record["text"])})
            elif record["lang"] in XTREME and len(others[record["lang"]]) < SENTENCES:
                others[record["lang"]].append(record)
        self._others = [record for records in others.values() for record in records]
        news, tldr = (read_collection(data / "eval" / name) for name in ("ntrex-doc", "tldr"))
        self._news, self._tldr = _part(news, OTHERS.__contains__), tldr
        between = _part(news, {"en", case.source}.__contains__)
        self._between = Collection(
            *([self._disguised(r) for r in each] for each in (between.documents, between.topics))
        )

    def _disguised(self, record: dict[str, Any]) -> dict[str, Any]:
        return record if record["lang"] == "en" else {**record, "text": self._case.disguised(record["text"])}

    def measure(self, encoder: Encoder) -> dict[str, float]:
        """All figures, by name."""
        found = {"tatoeba": next(iter(tatoeba_accuracy(encoder, self._own).values()))}
        by_pair = retrieval_scores(encoder, self._between).by_pair
        for one, two in (("en", self._case.source), (self._case.source, "en")):
            if (one, two) in by_pair:
                found[f"ntrex-doc {'from' if one == 'en' else 'to'} English"] = by_pair[one, two]
        found["others: tatoeba"] = float(np.mean(list(tatoeba_accuracy(encoder, self._others).values())))
        found["others: ntrex-doc cross"] = retrieval_scores(encoder, self._news).cross
        found["others: tldr cross"] = retrieval_scores(encoder, self._tldr).cross
        return {name: round(value, 4) for name, value in found.items()}


def _part(collection: Collection, wanted: Callable[[str], bool]) -> Collection:
    parts = ([r for r in each if wanted(r["lang"])] for each in (collection.documents, collection.topics))
    return Collection(*parts)


def main() -> None:
    """Train, measure, append the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--case", choices=CASES, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--known-rate", type=float)
    parser.add_argument("--spelling", type=float)
    parser.add_argument("--output", type=Path, default=ROOT / "eval/results/further.jsonl")
    arguments = parser.parse_args()
    case = CASES[arguments.case]
    extend = (case.code,) if not case.disguise else ()
    recipe = overridden(
        load_recipe(data_path("encoders/recipes/static-further.toml")), extend=extend, steps=arguments.steps
    )
    assert recipe.further is not None
    changed = {"known_rate": arguments.known_rate, "spelling": arguments.spelling}
    further = msgspec.structs.replace(recipe.further, **{k: v for k, v in changed.items() if v is not None})
    recipe = msgspec.structs.replace(recipe, further=further)
    tests = Tests(case, arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        text.mkdir()
        lines = [json.dumps(row, ensure_ascii=False) for row in pairs(case, arguments.data)]
        (text / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
        before = tests.measure(load_encoder())
        began, cpu = time.perf_counter(), time.process_time()
        card = train_static(recipe, text, Path(folder))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        after = tests.measure(load_encoder(Path(folder) / f"{recipe.name}.toml"))
    base = load_encoder().card
    row = {
        "bench": "further",
        "case": arguments.case,
        "rows": len(lines),
        "settings": msgspec.to_builtins(further),
        "steps": [cycle.steps for cycle in recipe.objective.cycles],
        "new_pieces": card.vocabulary - base.vocabulary,
        "before": before,
        "after": after,
        "cpu_seconds": round(cpu, 1),
        "seconds": round(seconds, 1),
        **provenance(utc_now(), threads=1),
    }
    sys.stderr.write(
        json.dumps({k: row[k] for k in ("case", "rows", "new_pieces", "before", "after", "cpu_seconds")}) + "\n"
    )
    with arguments.output.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
