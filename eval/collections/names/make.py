"""Documents, topics and judgments of this collection, made from its tables: `python eval/collections/names/make.py`."""

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import zstandard

HERE = Path(__file__).parent
SPELT_ONLY = ("de", "fr")
"""Columns of persons.tsv that give further spellings of the question, not documents."""


def table(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def half(key: str) -> str:
    """The half of a name or a sentence: that for development or that for reporting."""
    return "dev" if hashlib.blake2b(key.encode()).digest()[0] % 2 else "test"


def names() -> Iterator[tuple[str, str, dict[str, str]]]:
    """(name, kind, spelling by language) of persons and places."""
    for kind, name in (("person", "persons.tsv"), ("place", "places.tsv")):
        for row in table(name):
            yield row["en"], kind, {lang: text for lang, text in row.items() if text and lang != "source"}


def slug(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in name.lower())


def main() -> None:
    """Write docs.jsonl.zst, and topics and judgments of each kind and half."""
    documents: list[dict[str, str]] = []
    topics: dict[str, list[dict[str, str]]] = defaultdict(list)
    judgments: dict[str, list[str]] = defaultdict(list)
    sentences = defaultdict(list)
    for row in table("sentences.tsv"):
        sentences[row["lang"], row["kind"]].append(row["sentence"])
    for count, (name, kind, spellings) in enumerate(names()):
        number, collection = slug(name), f"spellings-{half(name)}"
        for lang, text in spellings.items():
            topics[collection].append({"id": number, "text": text, "lang": lang})
            if lang not in SPELT_ONLY:
                sentence = sentences[lang, kind][count % 3].replace("{}", text)
                documents.append({"id": f"{number}.{lang}", "lang": lang, "text": sentence})
                judgments[collection].append(f"{number} 0 {number}.{lang} 1\n")
    for kind, column in (("romanised", "query"), ("misspelt", "queries"), ("compounds", "queries")):
        counts: dict[str, int] = defaultdict(int)
        for row in table(f"{kind}.tsv"):
            lang, collection = row["lang"], f"{kind}-{half(row['document'])}"
            counts[lang] += 1
            number = f"{kind}-{lang}-{counts[lang]:02d}"
            documents.append({"id": f"{number}.{lang}", "lang": lang, "text": row["document"]})
            for i, text in enumerate(row[column].split("|"), start=1):
                # Without a language: whoever types like this has not said which it is.
                topics[collection].append({"id": f"{number}-{i}", "text": text})
                judgments[collection].append(f"{number}-{i} 0 {number}.{lang} 1\n")
    packed = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode()
    (HERE / "docs.jsonl.zst").write_bytes(zstandard.ZstdCompressor(19, write_checksum=True).compress(packed))
    for name, asked in topics.items():
        lines = (json.dumps(topic, ensure_ascii=False) + "\n" for topic in asked)
        (HERE / f"{name}.topics.jsonl").write_text("".join(lines), encoding="utf-8")
        (HERE / f"{name}.qrels.txt").write_text("".join(judgments[name]), encoding="utf-8")


if __name__ == "__main__":
    main()
