"""The field's own files parse to the counts that stand beside them."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from xsearch.core import BadInput
from xsearch.corpora.formats.qrels import read_qrels
from xsearch.corpora.formats.topics import read_topics

SHARED = Path(os.environ.get("XSEARCH_SHARED", Path(__file__).parents[3] / "shared" / "data"))
TREC = SHARED / "trec"
REPEATED_ID = "topics.ciral-v1.0-sw-test-b-native.tsv"

pytestmark = pytest.mark.skipif(not (TREC / "README.md").is_file(), reason="the field's files are not on this machine")


def expected(kind: str) -> list[tuple[Path, str]]:
    """(file, counts in words) of every row of a kind in the README's tables."""
    if not (TREC / "README.md").is_file():
        return []
    rows, folder = [], TREC
    for line in (TREC / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            folder = TREC / line[3:].strip()
        row = re.fullmatch(r"\| `(.+?)` \| (.+?) \| (.+?) \|", line)
        if row and row[2].startswith(kind):
            rows.append((folder / row[1], row[3]))
    return rows


def name(value: object) -> str:
    return value.name if isinstance(value, Path) else ""


def test_the_tables_are_read():
    assert len(expected("qrels")) > 50
    assert len(expected("topics")) > 90


@pytest.mark.parametrize(("path", "counts"), expected("qrels"), ids=name)
def test_qrels(path, counts):
    qrels = read_qrels(path)
    grades = Counter(row.grade for row in qrels)
    words = " ".join(f"{grade}:{count}" for grade, count in sorted(grades.items()))
    documents = len({row.document for row in qrels})
    found = f"lines {len(qrels)}, topics in qrels {len(qrels.topics())}, docs {documents}, grades {words}"
    assert found == counts


@pytest.mark.parametrize(("path", "counts"), expected("topics"), ids=name)
def test_topics(path, counts):
    topics = read_topics(path, on_bad=None if path.name != REPEATED_ID else lambda message: None)
    wanted = re.match(r"topics (\d+)", counts)
    assert len({topic.id for topic in topics}) == int(wanted[1])


def test_the_repeated_id_of_ciral_is_an_error_unless_tolerated():
    path = TREC / "ciral" / REPEATED_ID
    with pytest.raises(BadInput, match=r"native\.tsv:\d+: topic 237 occurs twice"):
        read_topics(path)
    reported = []
    read_topics(path, on_bad=reported.append)
    assert len(reported) == 1


@pytest.mark.parametrize("lang", ["fa", "ru", "zh"])
def test_hc4_has_fifty_human_wordings_a_language(lang):
    path = TREC / "hc4" / "test.topics.v1-0.jsonl.xz"
    people = read_topics(path, lang)
    assert len(people) == 50
    assert {topic.lang for topic in people} == {lang}
    assert len(read_topics(path, lang, source="machine")) == 118
    assert len(read_topics(path, "en")) == 118


def test_hc4_training_topics_take_the_newest_machine_translation():
    topics = read_topics(TREC / "hc4" / "train.topics.v1-0.jsonl.xz", "fas", source="machine")
    assert len(topics) == 27
    assert all(topic.lang == "fa" for topic in topics)


def test_arabic_topics_with_open_tags():
    topics = read_topics(TREC / "trec02ar" / "topics.trec02ar-en.txt", "en", field="title+desc")
    assert topics[0].id == "AR26"
    assert topics[0].text == (
        "Kurdistan Independence How does the National Council of Resistance relate to the potential independence of "
        "Kurdistan?"
    )


def test_hindi_topics_carry_their_language():
    topics = read_topics(TREC / "fire12" / "topics.fire12hi.176-225.txt")
    assert (topics[0].id, topics[0].lang, topics[0].text) == ("176", "hi", "वाई एस आर रेड्डी की मौत")
