"""The everyday collection: what it promises about itself, read with the standard library alone."""

import hashlib
import json
import re
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

EVERYDAY = Path(__file__).parents[2] / "eval" / "collections" / "everyday"
UNSPACED = {"zh", "ja", "th", "my", "km"}
ONE_SCRIPT = {
    "ru": "CYRILLIC", "uk": "CYRILLIC", "el": "GREEK", "hy": "ARMENIAN", "ka": "GEORGIAN", "he": "HEBREW",
    "ar": "ARABIC", "fa": "ARABIC", "ur": "ARABIC", "am": "ETHIOPIC", "hi": "DEVANAGARI", "ne": "DEVANAGARI",
    "bn": "BENGALI", "ta": "TAMIL", "te": "TELUGU", "ml": "MALAYALAM", "si": "SINHALA", "th": "THAI",
    "my": "MYANMAR", "km": "KHMER", "ko": "HANGUL", "zh": "CJK",
}  # fmt: skip


def records(name):
    return [json.loads(line) for line in (EVERYDAY / name).read_text("utf-8").splitlines()]


DOCS = records("docs.jsonl")
TOPICS = records("topics.jsonl")
QRELS = [line.split(" ") for line in (EVERYDAY / "qrels.txt").read_text("utf-8").splitlines()]
CARD = tomllib.loads((EVERYDAY / "everyday.toml").read_text("utf-8"))
README = (EVERYDAY / "README.md").read_text("utf-8")


def scripts(text):
    return Counter(unicodedata.name(char).split()[0] for char in text if char.isalpha())


def test_the_card_counts_what_is_there():
    assert CARD["counts"] == {
        "documents": len(DOCS),
        "topics": len({topic["id"] for topic in TOPICS}),
        "topic_texts": len(TOPICS),
        "judgments": len(QRELS),
    }
    assert CARD["languages"] == sorted({doc["lang"] for doc in DOCS})
    assert CARD["licence"] == "CC0-1.0"


def test_every_part_has_its_checksum():
    assert CARD["checksums"] == {
        name: hashlib.blake2b((EVERYDAY / name).read_bytes()).hexdigest() for name in CARD["parts"].values()
    }


def test_the_readme_counts_documents_by_language_and_domain():
    languages = re.findall(r" `([a-z]{2})` (\d+)", README)
    assert {lang: int(count) for lang, count in languages} == Counter(doc["lang"] for doc in DOCS)
    domains = re.findall(r"^\| `([a-z-]+)` \| [^|]* \| (\d+) \|$", README, re.MULTILINE)
    assert {domain: int(count) for domain, count in domains} == Counter(doc["domain"] for doc in DOCS)


def test_size_and_spread():
    assert len(DOCS) >= 200
    assert len({doc["lang"] for doc in DOCS}) >= 28
    assert len({scripts(doc["text"]).most_common(1)[0][0] for doc in DOCS}) >= 14
    assert Counter(doc["lang"] for doc in DOCS).most_common(1)[0][1] <= 10


def test_documents_have_the_stated_fields():
    for doc in DOCS:
        assert list(doc) == ["id", "lang", "title", "text", "topic", "domain"]
        assert doc["id"] == f"{doc['topic']}.{doc['lang']}"
        assert all(value.strip() == value != "" for value in doc.values())
    assert len({doc["id"] for doc in DOCS}) == len(DOCS)


def test_text_is_in_the_script_of_its_language():
    for doc in DOCS:
        found = scripts(doc["text"])
        own = found[ONE_SCRIPT.get(doc["lang"], "LATIN")]
        if doc["lang"] == "ja":
            own = found["CJK"] + found["HIRAGANA"] + found["KATAKANA"] + found["KATAKANA-HIRAGANA"]
        # Manuals and error messages quote Latin words.
        assert own >= 0.4 * found.total(), doc["id"]


def test_most_passages_are_short_and_some_long():
    sizes = [len(doc["text"]) / 4 if doc["lang"] in UNSPACED else len(doc["text"].split()) for doc in DOCS]
    assert sum(size <= 120 for size in sizes) >= 200
    assert sum(size >= 200 for size in sizes) >= 5


@pytest.mark.parametrize("path", sorted(EVERYDAY.iterdir()), ids=lambda path: path.name)
def test_files_are_normalised_utf8(path):
    text = path.read_bytes().decode("utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert text.endswith("\n")
    assert not set(text) & {"\ufeff", "\ufffd"}


def test_topics_come_in_several_languages():
    wordings = Counter(topic["id"] for topic in TOPICS)
    assert len(wordings) >= 45
    assert set(wordings.values()) <= {3, 4, 5, 6}
    assert len({(topic["id"], topic["lang"]) for topic in TOPICS}) == len(TOPICS)


def test_qrels_name_what_exists():
    assert {(len(row), row[1]) for row in QRELS} == {(4, "0")}
    assert {row[3] for row in QRELS} == {"0", "1", "2"}
    assert {row[0] for row in QRELS} == {topic["id"] for topic in TOPICS}
    assert {row[2] for row in QRELS} <= {doc["id"] for doc in DOCS}
    assert len({(row[0], row[2]) for row in QRELS}) == len(QRELS)


def test_answers_are_mostly_in_another_language():
    langs = {doc["id"]: doc["lang"] for doc in DOCS}
    answers = {}
    for topic, _, doc, grade in QRELS:
        if grade == "2":
            answers.setdefault(topic, set()).add(langs[doc])
    assert answers.keys() == {topic["id"] for topic in TOPICS}
    foreign = [topic for topic in TOPICS if answers[topic["id"]] - {topic["lang"].split("-")[0]}]
    assert len(foreign) >= 0.95 * len(TOPICS)
    assert sum(len(found) >= 2 for found in answers.values()) >= 0.8 * len(answers)
