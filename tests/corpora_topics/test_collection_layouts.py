"""Small files in the true layouts of collections that may not be passed on, read through their descriptions.

Layouts after: the ELRA release as github.com/rlitschk/clef-dataloaders reads it; NeuCLIR's documents as ir_datasets
does; FIRE's as its site and qrels have them; the READMEs of xPQA and XGLUE; CLIRMatrix as ir_datasets does.
"""

import gzip
import json

import pytest

from xsearch.core import BadInput, Judgment, Topic
from xsearch.corpora.collections import collection
from xsearch.corpora.formats.topics import read_topics


def put(root, name, text, encoding="utf-8"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


SPIEGEL = """<DOC>
<DOCNO>SPIEGEL-19940103-00001</DOCNO>
<DOCID>SPIEGEL-19940103-00001</DOCID>
<DATE>19940103</DATE>
<TITLE>Schöne neue Welt</TITLE>
<LEAD>Ein Vorspann.</LEAD>
<TEXT>Die Größe des Problems.</TEXT>
</DOC>
"""
SDA = """<DOC>
<DOCNO>SDA.940101.0001</DOCNO>
<DOCID>SDA.940101.0001</DOCID>
<KW>wetter</KW>
<TI>Schnee in Zürich</TI>
<LD>Zürich, 1. Jan. (sda)</LD>
<TX>Es schneit.</TX>
</DOC>
"""
LATIMES = """<DOC>
<DOCNO> LA010194-0001 </DOCNO>
<DOCID> 000001 </DOCID>
<HEADLINE><P>A FIRST DAY</P></HEADLINE>
<TEXT><P>It rained.</P></TEXT>
</DOC>
"""
TOP_DE = """<top>
<num> C141 </num>
<DE-title> Briefbombe für Kiesbauer </DE-title>
<DE-desc> Finde Informationen über die Explosion. </DE-desc>
<DE-narr> Relevant sind nur Berichte. </DE-narr>
</top>
<top>
<num> C201 </num>
<DE-title> Aus einem anderen Jahr </DE-title>
<DE-desc> Nichts. </DE-desc>
</top>
"""


@pytest.fixture
def clef(tmp_path):
    german = "clef/DocumentData/german"
    put(tmp_path, f"{german}/der_spiegel/sp1994.sgml", SPIEGEL, "iso-8859-1")
    put(tmp_path, f"{german}/der_spiegel/spiegel.dtd", "<!ELEMENT DOC (DOCNO)>")
    put(tmp_path, f"{german}/fr_rundschau/fr940101", SPIEGEL.replace("SPIEGEL-", "FR"), "iso-8859-1")
    put(tmp_path, f"{german}/sda94/sda940101.sgml", SDA, "iso-8859-1")
    put(tmp_path, f"{german}/sda95/sda950101.sgml", SDA.replace("SDA.94", "SDA.95"), "iso-8859-1")
    put(tmp_path, "clef/DocumentData/english/latimes/la010194", LATIMES)
    put(tmp_path, "clef/DocumentData/english/GH95/gh950102", LATIMES.replace("LA0101", "GH9501"))
    put(tmp_path, "clef/Topics/2003/Top-de03.txt", TOP_DE, "iso-8859-1")
    put(tmp_path, "clef/Topics/2003/Top-en03.txt", TOP_DE.replace("DE-", "EN-"), "iso-8859-1")
    put(tmp_path, "clef/RelAssess/2003/qrels_german", "141 0 SPIEGEL-19940103-00001 1\n141 0 SDA.940101.0001 0\n")
    return tmp_path


def test_clef_documents_of_all_sources_in_their_old_encoding(clef):
    found = {d.id: d for d in collection("clef-2003-de", clef).documents()}
    assert set(found) == {"FR19940103-00001", "SPIEGEL-19940103-00001", "SDA.940101.0001", "SDA.950101.0001"}
    assert found["SPIEGEL-19940103-00001"].title == "Schöne neue Welt"
    assert "Die Größe des Problems." in found["SPIEGEL-19940103-00001"].text
    assert "Zürich" in found["SDA.940101.0001"].title
    assert {d.lang for d in found.values()} == {"de"}
    assert [d.id for d in collection("clef-2003-en", clef).documents()] == ["LA010194-0001", "GH950194-0001"]


def test_clef_topics_meet_the_numbers_of_the_qrels(clef):
    german = collection("clef-2003-de", clef)
    assert german.topics("de") == [
        Topic("141", "Briefbombe für Kiesbauer Finde Informationen über die Explosion.", "de")
    ]
    assert {found.lang for found in german.topics()} == {"de", "en"}
    assert german.qrels().rows[0] == Judgment("141", "SPIEGEL-19940103-00001", 1)
    problems = german.check()
    assert any("1 documents in clef/DocumentData/german/sda95/**/*, expected 69438" in p for p in problems)
    assert any("4 documents, expected 294809" in p for p in problems)
    assert any("1 topics, expected 60" in p for p in problems)


@pytest.mark.parametrize("written", ["C041", "41", "041"])
def test_clef_ids_in_any_spelling(tmp_path, written):
    put(tmp_path, "clef/RelAssess/2001/qrels_french", f"{written} 0 ATS.940106.0082 1\n")
    assert collection("clef-2001-fr", tmp_path).qrels().rows[0].topic == "41"


def test_clef_of_the_year_2000_has_codes_of_its_own(tmp_path):
    for code in ("D", "E", "F", "FI", "I", "SP", "SW"):
        text = f"<top>\n\n<num> C001\n\n<{code}-title>\nArchitecture in Berlin\n\n<{code}-desc>\nFind\ndocuments\n\n"
        put(tmp_path, f"clef/Topics/topics2000/TOP-{code}.txt", f"{text}<{code}-narr>\nx\n</top>\n")
    found = collection("clef-2000-en", tmp_path).topics()
    assert {topic.lang for topic in found} == {"de", "en", "es", "fi", "fr", "it", "sv"}
    assert {(topic.id, topic.text) for topic in found} == {("1", "Architecture in Berlin Find documents")}


LOW_RESOURCE = """query_id: C141
title: Казак тилиндеги тема
description: Биринчи сап
экинчи сап

query_id: C090
title: Башка жыл
description: Сыпаттама

"""


def test_queries_in_kyrgyz(tmp_path, clef):
    path = put(tmp_path, "clef-en-2000-2003_KYRGYZ.txt", LOW_RESOURCE)
    both = read_topics(path, "ky", field="title+desc")
    assert both == [
        Topic("C141", "Казак тилиндеги тема Биринчи сап экинчи сап", "ky"),
        Topic("C090", "Башка жыл Сыпаттама", "ky"),
    ]
    assert read_topics(path, "ky")[1].text == "Башка жыл"
    put(clef, "clef/lowres/ky.tsv", "".join(f"{topic.id}\t{topic.text}\n" for topic in both))
    assert [topic.id for topic in collection("clef-2003-de", clef).topics("ky")] == ["141"]
    bad = put(tmp_path, "bad.txt", "query_id: C1\ntitle: a\nquery_id: \ntitle: b\nquery_id: C3\ndescription: only\n")
    with pytest.raises(BadInput, match=r"bad\.txt:3: a topic without an id \(2 bad lines") as error:
        read_topics(bad)
    assert "bad.txt:5: a topic without text" in str(error.value)


def test_neuclir_documents(tmp_path):
    record = {
        "id": "4a1c7a2f-7b0b-4b0e-9d3c-0f3f5a5d7c11", "cc_file": "crawl-data/CC-NEWS/2016/08/x.warc.gz",
        "time": "2016-08-26T00:00:00+04:30", "title": "عنوان خبر", "text": "متن خبر است.", "url": "https://example.org/1",
    }  # fmt: skip
    path = put(tmp_path, "neuclir22/x", "")
    path.with_name("neuclir1.fas.jsonl.gz").write_bytes(gzip.compress((json.dumps(record) + "\n").encode()))
    (found,) = collection("neuclir-2022-fa", tmp_path).documents()
    assert (found.id, found.title, found.text, found.lang) == (record["id"], "عنوان خبر", "متن خبر است.", "fa")
    assert found.metadata["time"] == record["time"]
    assert found.metadata["url"] == record["url"]


def test_fire_documents(tmp_path):
    text = "<DOC>\n<DOCNO>1050804_bengal_story_5072499.utf8</DOCNO>\n<TEXT>\nকলকাতা, ৩ অগস্ট: খবর।\n</TEXT>\n</DOC>\n"
    put(tmp_path, "fire12/docs/bn/ABP/2005/1050804_bengal_story_5072499.utf8", text)
    (found,) = collection("fire-2012-bn", tmp_path).documents()
    assert (found.id, found.text, found.lang) == ("1050804_bengal_story_5072499.utf8", "কলকাতা, ৩ অগস্ট: খবর।", "bn")


XPQA = """ASIN,question,question_en,qid,candidate,qa_id,source,context,label,answer,lang
B00,"Passt das ""L""-Teil, wirklich?",Does it fit?,7,"It fits, if you order ""L"".",70,cqa,"one
two",2,"Ja, es passt.",de
B00,"Passt das ""L""-Teil, wirklich?",Does it fit?,7,It is red.,71,review,,0,,de
B01,色は?,Colour?,8,It is red.,80,attribute,,1,,ja
"""


def test_xpqa(tmp_path):
    put(tmp_path, "xpqa/test_answerable_corrected.csv", XPQA)
    found = collection("xpqa", tmp_path)
    assert found.topics() == [Topic("7", 'Passt das "L"-Teil, wirklich?', "de"), Topic("8", "色は?", "ja")]
    first = next(iter(found.documents()))
    assert (first.id, first.text, first.lang) == ("70.en", 'It fits, if you order "L".', "en")
    assert [(row.topic, row.document, row.grade) for row in found.qrels()] == [
        ("7", "70.en", 2), ("7", "71.en", 0), ("8", "80.en", 1),
    ]  # fmt: skip
    assert found.about.candidates


def test_xglue_web_page_ranking(tmp_path):
    put(tmp_path, "xglue-wpr/de.dev", 'Wahl "24"\tSeite\tEin "Text\tPerfect\nWahl "24"\tAndere\tText b\tBad\n')
    found = collection("xglue-wpr-de", tmp_path)
    assert found.topics() == [Topic("q1", 'Wahl "24"', "de")]
    assert [(d.id, d.title, d.text) for d in found.documents()] == [
        ("1.de", "Seite", 'Ein "Text'), ("2.de", "Andere", "Text b"),
    ]  # fmt: skip
    assert [row.grade for row in found.qrels()] == [4, 0]


def test_clirmatrix_documents_and_queries(tmp_path):
    docs = tmp_path / "clirmatrix/docs/de.tsv.gz"
    docs.parent.mkdir(parents=True)
    docs.write_bytes(gzip.compress(b"7\tDie Sonne ist ein Stern\n9\t\n"))
    put(tmp_path, "clirmatrix/multi8/de.test1.jsonl",
        '{"src_id": "39", "src_query": "Sun", "tgt_results": [["7", 6], ["8", 0]]}\n\n')  # fmt: skip
    found = collection("clirmatrix-de", tmp_path)
    assert [(d.id, d.text, d.lang) for d in found.documents()] == [("7", "Die Sonne ist ein Stern", "de")]
    assert found.topics() == [Topic("39", "Sun", "en")]
    assert [(row.document, row.grade) for row in found.qrels()] == [("7", 6), ("8", 0)]


def test_xor_retrieve_and_mkqa_bring_their_answers(tmp_path):
    put(tmp_path, "xor/dev.jsonl", "".join(json.dumps(record) + "\n" for record in (
        {"id": "-1", "lang": "ja", "question": "首都は?", "answers": ["Tokyo"], "split": "dev"},
        {"id": "-2", "lang": "fi", "question": "Onko?", "answers": ["yes"], "split": "dev"},
    )))  # fmt: skip
    put(tmp_path, "xor/psgs_w100.tsv", "id\ttext\ttitle\n1\tTokyo is the capital.\tTokyo\n")
    xor = collection("xor-retrieve", tmp_path)
    assert not xor.has_qrels
    assert xor.topics()[0] == Topic("-1", "首都は?", "ja")
    assert xor.answers() == {"-1": ("Tokyo",)}
    assert [(d.id, d.title, d.text) for d in xor.documents()] == [("1", "Tokyo", "Tokyo is the capital.")]
    assert collection("hc4-fa", tmp_path).answers() is None


def test_a_range_of_topics_that_is_none(tmp_path):
    path = put(tmp_path, "c.toml", 'name = "c"\ntitle = "C"\n[parts]\ntopics = { path = "t.tsv", ids = "few" }\n')
    with pytest.raises(BadInput, match=r"c\.toml: no description of a collection: 'ids' is a range such as 41-90"):
        collection(path)
