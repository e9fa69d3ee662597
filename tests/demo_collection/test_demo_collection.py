"""The demo collection: what it promises about itself, read with the standard library alone."""

import csv
import hashlib
import json
import re
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "eval" / "collections" / "demo"
UNSPACED = {"zh", "zh-Hant", "ja", "th"}

# The first word of the Unicode names of a script's letters, and the languages written with it.
SCRIPT_LANGUAGES = {
    "LATIN": "cs de en es fi fr hu id it nl pl pt ro sv sw tr vi",
    "CYRILLIC": "bg ru sr uk",
    "GREEK": "el",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "HEBREW": "he",
    "ARABIC": "ar fa ur",
    "ETHIOPIC": "am",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "HANGUL": "ko",
    "CJK": "ja zh zh-Hant",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
}

# Letters that only one of several languages in a script uses; every passage of these is long enough to hold one.
TELLTALE = {
    "fa": "پچژگی",
    "ur": "ٹڈڑںےہ",
    "ar": "ةيى",
    "uk": "іїєґ",
    "ru": "ыэ",
    "bg": "ъ",
    "sr": "јљњћђџ",
    "pl": "ąęłż",
    "cs": "ěřů",
    "tr": "ığş",
    "hu": "őűáé",
    "ro": "ăâșț",
    "vi": "ếệộướăđ",
    "zh": "这为们国发时东个车纸来",
    "zh-Hant": "這為們國發時東個車紙來",
}


def records(name):
    return [json.loads(line) for line in (DEMO / name).read_text("utf-8").splitlines()]


def judgments():
    return [line.split(" ") for line in (DEMO / "qrels.txt").read_text("utf-8").splitlines()]


def golden():
    with (DEMO / "golden.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


DOCS = records("docs.jsonl")
TOPICS = records("topics.jsonl")
CARD = tomllib.loads((DEMO / "demo.toml").read_text("utf-8"))


def scripts(text):
    names = (unicodedata.name(char).split()[0] for char in text if unicodedata.category(char) in ("Lu", "Ll", "Lo"))
    return Counter(names)


def prose(doc):
    return f"{doc['title']} {doc['text']}"


def test_the_card_counts_what_is_there():
    assert CARD["counts"] == {
        "documents": len(DOCS),
        "topics": len({topic["id"] for topic in TOPICS}),
        "topic_texts": len(TOPICS),
        "judgments": len(judgments()),
    }
    assert CARD["languages"] == sorted({doc["lang"] for doc in DOCS})
    assert CARD["licence"] == "CC0-1.0"


@pytest.mark.parametrize("name", sorted(CARD["checksums"]))
def test_checksums(name):
    assert hashlib.blake2b((DEMO / name).read_bytes()).hexdigest() == CARD["checksums"][name]


def test_every_part_has_a_checksum():
    assert set(CARD["checksums"]) == {*CARD["parts"].values(), "golden.tsv"}


def test_the_readme_counts_documents_by_language():
    table = re.findall(r"`([a-z]{2}(?:-Hant)?)` (\d+)", (DEMO / "README.md").read_text("utf-8"))
    assert {lang: int(count) for lang, count in table} == Counter(doc["lang"] for doc in DOCS)


def test_size_and_spread():
    languages = Counter(doc["lang"] for doc in DOCS)
    assert len(DOCS) >= 200
    assert len(languages) >= 20
    assert max(languages.values()) <= 14
    assert min(languages.values()) >= 3
    shared = [topic for topic, count in Counter(doc["topic"] for doc in DOCS).items() if count >= 3]
    assert len(shared) >= 40


def test_documents_have_the_stated_fields():
    for doc in DOCS:
        assert list(doc) in (
            ["id", "lang", "title", "text", "topic"],
            ["id", "lang", "title", "text", "topic", "year"],
        ), doc["id"]
        assert doc["id"] == f"{doc['topic']}.{doc['lang']}"
        assert isinstance(doc.get("year", 0), int)
        assert all(doc[field].strip() == doc[field] != "" for field in ("id", "title", "text"))


def test_ids_are_unique():
    assert len({doc["id"] for doc in DOCS}) == len(DOCS)
    assert len({(topic["id"], topic["lang"]) for topic in TOPICS}) == len(TOPICS)


def test_text_is_in_the_script_of_its_language():
    asked = [(lang, query) for query, lang, _, _, _ in golden()]
    for lang, text in [*((record["lang"], record["text"]) for record in [*DOCS, *TOPICS]), *asked]:
        found = scripts(text)
        own = [script for script, languages in SCRIPT_LANGUAGES.items() if lang in languages.split()]
        assert sum(found[script] for script in own) >= 0.75 * found.total() > 0, text


def test_sixteen_scripts():
    found = {"KANA" if doc["lang"] == "ja" else scripts(doc["text"]).most_common(1)[0][0] for doc in DOCS}
    assert len(found) == 16


def test_neighbouring_languages_are_not_confused():
    for doc in DOCS:
        assert doc["lang"] not in TELLTALE or set(TELLTALE[doc["lang"]]) & set(doc["text"].lower()), doc["id"]


def test_languages_of_one_script_keep_to_their_letters():
    foreign = {
        "ru": "іїєґјљњћђџ",
        "uk": "ыэёъјљњ",
        "bg": "ыэёіїєј",
        "sr": "йщъыьэюя",
        "ar": "پچژگکیٹڈڑں",
        "fa": "ٹڈڑںےيك",
        "ur": "يك",
        "zh": "這為們國發時東車紙來",
        "zh-Hant": "这为们国发时东车纸来",
    }
    for record in [*DOCS, *TOPICS]:
        assert not set(foreign.get(record["lang"], "")) & set(record["text"].lower()), record


def test_passages_are_short():
    for doc in DOCS:
        if doc["lang"] in UNSPACED:
            assert 100 <= len(doc["text"]) <= 420, doc["id"]
        else:
            assert 40 <= len(doc["text"].split()) <= 90, doc["id"]


@pytest.mark.parametrize("path", sorted(DEMO.iterdir()), ids=lambda path: path.name)
def test_files_are_normalised_utf8(path):
    text = path.read_bytes().decode("utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert text.endswith("\n")
    assert "\ufeff" not in text
    assert "\ufffd" not in text
    # U+200C is Persian and Telugu spelling; no other invisible character belongs here.
    odd = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn")}
    assert odd <= {"\n", "\t", "\u200c"}


def test_no_passage_repeats_another():
    seen = {}
    for doc in DOCS:
        units = list(doc["text"]) if doc["lang"] in UNSPACED else doc["text"].lower().split()
        width = 20 if doc["lang"] in UNSPACED else 8
        for start in range(len(units) - width + 1):
            run = tuple(units[start : start + width])
            assert seen.setdefault(run, doc["id"]) == doc["id"], (doc["id"], run)


def test_topics_come_in_several_languages():
    wordings = Counter(topic["id"] for topic in TOPICS)
    assert len(wordings) >= 40
    assert set(wordings.values()) <= {3, 4, 5, 6}
    assert len({topic["lang"] for topic in TOPICS}) >= 20
    assert len({topic["text"] for topic in TOPICS}) == len(TOPICS)


def test_queries_are_not_lifted_from_passages():
    passages = [prose(doc).lower() for doc in DOCS]
    for text in [*(topic["text"] for topic in TOPICS), *(row[0] for row in golden())]:
        assert not any(text.lower() in passage for passage in passages), text


def test_qrels_name_what_exists():
    docs = {doc["id"] for doc in DOCS}
    topics = {topic["id"] for topic in TOPICS}
    rows = judgments()
    assert {len(row) for row in rows} == {4}
    assert {row[1] for row in rows} == {"0"}
    assert {row[3] for row in rows} == {"0", "1", "2", "3"}
    assert {row[0] for row in rows} == topics
    assert {row[2] for row in rows} <= docs
    assert len({(row[0], row[2]) for row in rows}) == len(rows)


def test_every_wording_has_an_answer_in_another_language():
    langs = {doc["id"]: doc["lang"] for doc in DOCS}
    best = {}
    for topic, _, doc, grade in judgments():
        best.setdefault(topic, Counter())[langs[doc]] = int(grade)
    assert all(max(grades.values()) == 3 for grades in best.values())
    for topic in TOPICS:
        assert any(grade > 0 for lang, grade in best[topic["id"]].items() if lang != topic["lang"]), topic


def test_the_golden_table_crosses_languages_and_scripts():
    rows = golden()
    langs = {doc["id"]: doc["lang"] for doc in DOCS}
    assert len(rows) >= 24
    assert all(len(row) == 5 for row in rows)
    for query, query_lang, doc, doc_lang, pool in rows:
        assert langs[doc] == doc_lang != query_lang, query
        assert pool in ("all", doc_lang)
    assert len({(row[1], row[3]) for row in rows}) >= 14
    answered = {scripts(doc["text"]).most_common(1)[0][0] for doc in DOCS if doc["id"] in {row[2] for row in rows}}
    asked = {scripts(row[0]).most_common(1)[0][0] for row in rows}
    assert len(answered) >= 8
    assert len(asked) >= 8
