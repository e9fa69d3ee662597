"""Topics in every form the field uses, small samples in the true forms."""

import gzip
import json
import lzma

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import BadInput, Topic
from xsearch.corpora.formats.topics import read_topics

HC4 = {
    "topic_id": "101",
    "languages_with_qrels": ["rus"],
    "topics": [
        {"lang": "eng", "source": "original", "topic_title": "Old ships", "topic_description": "What do wrecks tell?"},
        {"lang": "rus", "source": "human translation", "topic_title": "Старые корабли", "topic_description": "Что?"},
        {"lang": "rus", "source": "20220114-mt", "topic_title": "Машина новая", "topic_description": "б"},
        {"lang": "rus", "source": "20211005-mt", "topic_title": "Машина старая", "topic_description": "а"},
        {"lang": "zho", "source": "human translation", "topic_title": "", "topic_description": ""},
    ],
    "narratives": {},
}
CLEF_OPEN_TAGS = """<top>
<num> Number: C041
<title> Topic: Pesticides
 in baby food
<desc> Description:
Find reports on pesticides &amp; residues.
<narr> Narrative: Anything.
</top>
<top>
<num> C042
<title>UN invasion
<desc> Description: Of Haiti.
<narr> Narrative: Anything.
</top>
"""
CLEF_PREFIXED = """<?xml version="1.0" encoding="ISO-8859-1"?>
<top>
<num> C141 </num>
<DE-title> Bombe für Kilbane </DE-title>
<DE-desc> Suche Berichte. </DE-desc>
<FR-title> Une lettre piégée </FR-title>
<FR-desc> Trouver des articles. </FR-desc>
</top>
"""
CLEF_XML = """<?xml version="1.0" encoding="UTF-8"?>
<topics>
<topic lang="fa"><identifier>10.2452/551-AH</identifier>
<title>کتاب‌های فارسی</title><description>شرح</description><narrative>روایت</narrative></topic>
<topic lang="en"><identifier>10.2452/551-AH</identifier>
<title>Persian <b>books</b></title><description>About</description><narrative>n</narrative></topic>
</topics>
"""


def write(folder, text, name="topics", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_json_lines(tmp_path):
    path = write(tmp_path, '{"id":"d017","lang":"de","text":" Wahlen "}\n\n{"id":17,"lang":"fa","text":"انتخابات"}\r\n')
    assert read_topics(path) == [Topic("d017", "Wahlen", "de"), Topic("17", "انتخابات", "fa")]
    assert read_topics(path, "fa") == [Topic("17", "انتخابات", "fa")]


def test_beir_queries(tmp_path):
    path = write(tmp_path, '{"_id": "PLAIN-2", "text": "Do cholesterol drugs", "metadata": {}}\n')
    assert read_topics(path, "en") == [Topic("PLAIN-2", "Do cholesterol drugs", "en")]


def test_hc4_takes_human_wordings_unless_told(tmp_path):
    path = write(tmp_path, json.dumps(HC4))
    assert read_topics(path) == [Topic("101", "Old ships", "en"), Topic("101", "Старые корабли", "ru")]
    assert read_topics(path, "rus", field="title+desc") == [Topic("101", "Старые корабли Что?", "ru")]
    assert read_topics(path, "ru", source="machine", field="desc") == [Topic("101", "б", "ru")]


def test_tsv(tmp_path):
    path = write(tmp_path, "\ufeff301-AH\tNestlé Marken\n302-AH\tzwei\tSpalten \n")
    assert read_topics(path, "de") == [Topic("301-AH", "Nestlé Marken", "de"), Topic("302-AH", "zwei Spalten", "de")]
    assert read_topics(path)[0].lang is None


def test_a_line_separator_inside_a_topic_is_text(tmp_path):
    path = write(tmp_path, "1\tone\u2028two\x85three\n")
    assert read_topics(path) == [Topic("1", "one\u2028two\x85three", None)]


def test_markup_with_open_tags(tmp_path):
    path = write(tmp_path, CLEF_OPEN_TAGS)
    assert read_topics(path, "en") == [
        Topic("C041", "Pesticides in baby food", "en"),
        Topic("C042", "UN invasion", "en"),
    ]
    assert read_topics(path, field="desc")[0].text == "Find reports on pesticides & residues."
    assert read_topics(path, field="title+desc")[1].text == "UN invasion Of Haiti."


def test_markup_with_language_prefixes_in_latin_1(tmp_path):
    path = write(tmp_path, CLEF_PREFIXED, encoding="iso-8859-1")
    assert read_topics(path) == [Topic("C141", "Bombe für Kilbane", "de"), Topic("C141", "Une lettre piégée", "fr")]
    assert read_topics(path, "fr", field="desc") == [Topic("C141", "Trouver des articles.", "fr")]


def test_undeclared_latin_1(tmp_path):
    path = write(tmp_path, "<top><num>1</num><title>Käse</title></top>", encoding="iso-8859-1")
    assert read_topics(path)[0].text == "Käse"


def test_clef_xml_with_language_attributes(tmp_path):
    path = write(tmp_path, CLEF_XML)
    assert read_topics(path) == [
        Topic("10.2452/551-AH", "کتاب‌های فارسی", "fa"),
        Topic("10.2452/551-AH", "Persian books", "en"),
    ]


def test_trec_web_numbers_topics_in_an_attribute(tmp_path):
    path = write(tmp_path, '<webtrack2009><topic number="1" type="faceted"><query>obama family tree</query>'
                           "<description>Find it.</description></topic></webtrack2009>")  # fmt: skip
    assert read_topics(path) == [Topic("1", "obama family tree", None)]


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", zstandard.ZstdCompressor().compress)],
)
def test_compressed_and_cut_off(tmp_path, suffix, pack):
    text = "".join(f"{i}\tword {i * i}\n" for i in range(5000)).encode()
    whole = tmp_path / f"t.tsv{suffix}"
    whole.write_bytes(pack(text[:25000]) + pack(text[25000:]))
    assert [t.text for t in read_topics(whole)] == [f"word {i * i}" for i in range(5000)]
    cut = tmp_path / f"cut.tsv{suffix}"
    cut.write_bytes(pack(text)[:-7])
    with pytest.raises(BadInput, match=r"cut\.tsv.*: damaged"):
        read_topics(cut)


def test_every_bad_line_is_named_at_once(tmp_path):
    path = write(tmp_path, '{"id":"1","text":"a"}\n{"id":"2"}\n{broken\n{"id":"1","text":"b"}\n{"id":"","text":"c"}\n')
    with pytest.raises(BadInput) as caught:
        read_topics(path, "en")
    message = str(caught.value)
    assert message.startswith(f"{path}:2: no topic: no 'text' (4 bad lines in all)")
    assert f"{path}:3: " in message
    assert f"{path}:4: topic 1 occurs twice in 'en'" in message
    assert f"{path}:5: a topic without an id" in message
    assert caught.value.where == f"{path}:2"


def test_bad_lines_may_be_tolerated(tmp_path):
    path = write(tmp_path, "1\ta\nno tab\n1\tb\n2\t\n3\tc\n")
    reported = []
    assert read_topics(path, on_bad=reported.append) == [Topic("1", "a"), Topic("3", "c")]
    assert [message.split(": ", 1)[1] for message in reported] == [
        "no tab; expected 'id⇥text'", "topic 1 occurs twice", "a topic without text",
    ]  # fmt: skip


def test_the_same_id_in_two_languages_is_no_repetition(tmp_path):
    path = write(tmp_path, '{"id":"1","lang":"de","text":"a"}\n{"id":"1","lang":"fr","text":"a"}\n')
    assert len(read_topics(path)) == 2


def test_a_language_that_is_not_there_names_those_that_are(tmp_path):
    path = write(tmp_path, '{"id":"1","lang":"de","text":"a"}\n')
    with pytest.raises(BadInput, match="no topic in 'fr'; the file has de"):
        read_topics(path, "fr")


@pytest.mark.parametrize("text", ["", "\n \n", "<html>no topics</html>", "<top></top>", "just words"])
def test_files_without_topics(tmp_path, text):
    with pytest.raises(BadInput):
        read_topics(write(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        read_topics(tmp_path / "none.tsv")


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)


@given(
    st.lists(st.tuples(NAMES, st.sampled_from(["de", "fa", "zh-Hant"]), NAMES), min_size=1, unique_by=lambda t: t[:2])
)
def test_json_lines_come_back_as_they_were_written(tmp_path_factory, rows):
    topics = [Topic(name.strip(), text.strip(), lang) for name, lang, text in rows if name.strip() and text.strip()]
    path = tmp_path_factory.mktemp("topics") / "t.jsonl"
    lines = [json.dumps({"id": t.id, "lang": t.lang, "text": t.text}, ensure_ascii=False) for t in topics]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    if topics:
        assert read_topics(path) == topics


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda b: b"<top><num>1" + b),
                 st.binary(max_size=80).map(lambda b: b'{"id":"1","text":"' + b)))  # fmt: skip
def test_no_bytes_break_the_reader(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "t"
    path.write_bytes(data)
    try:
        topics = read_topics(path)
    except BadInput:
        return
    assert topics
    assert all(topic.id and topic.text for topic in topics)
