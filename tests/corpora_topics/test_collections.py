"""Collections: descriptions, folders, parsers of their own, and what is said when something is missing."""

import contextlib
import json
import lzma
import os
from pathlib import Path

import pytest

from xsearch.core import BadInput, Judgment, Topic, UsageError
from xsearch.corpora.collections import collection, forms, known_collections
from xsearch.corpora.formats.answers import read_answers

SHARED = Path(os.environ.get("XSEARCH_SHARED", Path(__file__).parents[3] / "shared" / "data"))


def make_folder(folder, packed=False):
    files = {
        "docs.jsonl": '{"id":"1.de","lang":"de","text":"Wahl"}\n{"id":"1.fa","lang":"fa","text":"انتخابات"}\n',
        "topics.jsonl": '{"id":"t","lang":"de","text":"Wahlen"}\n{"id":"t","lang":"fa","text":"رأی"}\n',
        "qrels.txt": "t 0 1.de 1\nt 0 1.fa 2\n",
    }
    for name, text in files.items():
        if packed:
            (folder / f"{name}.xz").write_bytes(lzma.compress(text.encode()))
        else:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_is_a_collection(tmp_path, packed):
    found = collection(make_folder(tmp_path, packed))
    assert [(d.id, d.lang, d.text) for d in found.documents()] == [("1.de", "de", "Wahl"), ("1.fa", "fa", "انتخابات")]
    assert found.topics("fa") == [Topic("t", "رأی", "fa")]
    assert found.qrels().topics() == {"t": {"1.de": 1, "1.fa": 2}}
    assert found.check() == []
    with pytest.raises(BadInput, match="no topics in 'fr'; it has de, fa"):
        found.topics("fr")


@pytest.mark.parametrize("name", ["demo", "everyday"])
def test_what_ships_is_what_its_description_says(name, tmp_path):
    found = collection(name, root=tmp_path)  # a root says where other collections are
    assert found.check() == []
    assert len(found.topics()) >= 100
    assert {row.document for row in found.qrels()} <= {d.id for d in found.documents()}


def test_every_description_that_ships_is_complete():
    known = known_collections()
    wanted = {"demo", "hc4-fa", "hc4-ru", "hc4-zh", "neuclir-2022-fa", "clef-2003-de", "clef-2003-multi", "miracl-sw",
              "mr-tydi-te", "ciral-yo", "xor-retrieve", "mkqa", "xpqa", "xquad-r", "clirmatrix-ja", "xglue-wpr-de",
              "fire-2012-hi", "beir-scifact", "ntrex-doc", "clef-2000-multi", "clef-2002-sv"}  # fmt: skip
    assert wanted <= known.keys()
    for name, (about, _) in known.items():
        assert name == about.name
        assert about.title
        assert about.licence
        assert about.parts.docs
        assert about.parts.topics
        assert about.get or name in ("demo", "everyday")
        assert "{" not in repr(about.parts)


def test_a_missing_part_says_how_to_get_it(tmp_path):
    hc4 = collection("hc4-fa", tmp_path)
    with pytest.raises(BadInput, match=r"hc4-fa: the docs are not there .*hc4/fas/hc4_docs.jsonl.*download_documents"):
        list(hc4.documents())
    assert list(hc4.missing()) == ["docs", "topics", "qrels"]
    assert len(hc4.check()) == 3


def test_a_known_name_wins_over_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert len(list(collection("demo").documents())) == 221
    with pytest.raises(BadInput):
        list(collection("./demo").documents())


def test_an_unknown_name_is_met_with_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean .*miracl-sw"):
        collection("miracl-swa")


def describe(folder, text):
    path = folder / "mine.toml"
    path.write_text('name = "mine"\ntitle = "Mine"\n' + text, encoding="utf-8")
    return path


def test_a_description_of_ones_own(tmp_path):
    make_folder(tmp_path)
    (tmp_path / "more.txt").write_text("AR2\tnoch eine\n", encoding="utf-8")
    path = describe(tmp_path, """
get = "Ask the owner."
[parts]
docs = [{ path = "docs.*", lang = "en" }]
topics = ["topics.jsonl", { path = "more.txt", lang = "de", strip = "AR" }]
qrels = "qrels.txt"
[counts]
documents = 3
topics = 2
[checksums]
"qrels.txt" = "00"
""")  # fmt: skip
    mine = collection(path)
    assert [d.lang for d in mine.documents()] == ["de", "fa"]
    assert mine.topics("de") == [Topic("t", "Wahlen", "de"), Topic("2", "noch eine", "de")]
    problems = mine.check()
    assert len(problems) == 2
    assert "qrels.txt has changed" in problems[0]
    assert problems[1] == "mine: 2 documents, expected 3"


def test_variants_fill_their_placeholders(tmp_path):
    path = tmp_path / "v.toml"
    path.write_text("""
name = "v-{lang}"
title = "V {lang}"
languages = ["{lang}"]
[variants]
fa = "fas"
de = ""
[parts]
docs = { path = "{code}/docs.jsonl", lang = "{lang}" }
[counts_of]
fa = { documents = 7 }
""")
    from xsearch.corpora.collections.description import read_descriptions

    fa, de = read_descriptions(path)
    assert (fa.name, fa.parts.docs[0].path, fa.parts.docs[0].lang, fa.counts.documents) == (
        "v-fa", "fas/docs.jsonl", "fa", 7,
    )  # fmt: skip
    assert (de.title, de.languages, de.parts.docs[0].path, de.counts.documents) == ("V de", ("de",), "de/docs.jsonl", 0)
    with pytest.raises(UsageError, match="describes 2 collections"):
        collection(path)


@pytest.mark.parametrize(
    "text", ["name = 1", "nonsense", 'titel = "x"', "[parts]\ndocs = { pfad = 1 }", "[parts]\ndocs = 3", "parts = 3"]
)
def test_a_wrong_description_names_the_fault(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text if text == "name = 1" else f'name = "c"\ntitle = "C"\n{text}')
    with pytest.raises(BadInput, match=r"c\.toml: no description of a collection: "):
        collection(path)


def test_parts_that_contradict_each_other(tmp_path):
    make_folder(tmp_path)
    (tmp_path / "more.txt").write_text("t 0 1.de 0\n")
    path = describe(tmp_path, '[parts]\ndocs = "docs.jsonl"\nqrels = ["qrels.txt", "more.txt"]\n')
    with pytest.raises(BadInput, match=r"topic t, document 1\.de is judged twice"):
        collection(path).qrels()
    with pytest.raises(BadInput, match="mine has no topics"):
        collection(path).topics()


def write(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_beir_judgments(tmp_path):
    path = write(tmp_path, "test.tsv", "query-id\tcorpus-id\tscore\nq1\td 1\t2\nq1\td2\t0\n")
    assert forms.judgments("beir", path, None) == [Judgment("q1", "d 1", 2), Judgment("q1", "d2", 0)]


def test_clirmatrix(tmp_path):
    path = write(tmp_path, "q.jsonl", '{"src_id": "39", "src_query": "Sun ", "tgt_results": [["7", 6], ["8", 0]]}\n')
    assert forms.topics("clirmatrix", path, "en") == [Topic("39", "Sun", "en")]
    assert forms.judgments("clirmatrix", path, None) == [Judgment("39", "7", 6), Judgment("39", "8", 0)]
    docs = forms.documents("clirmatrix", write(tmp_path, "d.tsv", "7\tdie Sonne\n9\t \n"), "de")
    assert [(d.id, d.text, d.lang) for d in docs] == [("7", "die Sonne", "de")]


def test_mkqa(tmp_path):
    record = {
        "example_id": 5,
        "query": "who is it",
        "queries": {"de": "wer ist es", "zh_tw": "誰"},
        "answers": {
            "en": [
                {"type": "entity", "text": "Ada", "aliases": ["Ada L.", "Ada"]},
                {"type": "unanswerable", "text": None},
            ]
        },
    }
    path = write(tmp_path, "mkqa.jsonl", json.dumps(record))
    assert forms.topics("mkqa", path, None) == [
        Topic("5", "who is it", "en"), Topic("5", "wer ist es", "de"), Topic("5", "誰", "zh-Hant"),
    ]  # fmt: skip
    assert read_answers(path) == {"5": ("Ada", "Ada L.")}


def test_xpqa_pairs(tmp_path):
    path = write(tmp_path, "de.csv", "qid\tqa_pair_id\tquestion\tcandidate\tlabel\n"
                 "1\t10\tWie groß?\tIt is big\t1\n1\t11\tWie groß?\tIt is red\t0\n")  # fmt: skip
    assert forms.topics("pairs", path, "de") == [Topic("1", "Wie groß?", "de")]
    assert [(d.id, d.text, d.lang) for d in forms.documents("pairs", path, "en")] == [
        ("10.en", "It is big", "en"), ("11.en", "It is red", "en"),
    ]  # fmt: skip
    assert forms.judgments("pairs", path, "en") == [Judgment("1", "10.en", 1), Judgment("1", "11.en", 0)]


def test_xglue_web_pages(tmp_path):
    path = write(tmp_path, "de.dev", "Wahl\tSeite A\tText a\tBad\nWahl\tSeite B\tText b\tPerfect\nTor\tC\tc\t2\n")
    assert [topic.id for topic in forms.topics("pairs", path, "de")] == ["q1", "q2"]
    assert forms.judgments("pairs", path, "de") == [
        Judgment("q1", "1.de", 0), Judgment("q1", "2.de", 4), Judgment("q2", "3.de", 2),
    ]  # fmt: skip
    assert forms.documents("pairs", path, "de")[1].title == "Seite B"


def test_xquad_r(tmp_path):
    context = "Erster Satz. Zweiter Satz."
    question = {"id": "q", "question": "Welcher?", "answers": [{"answer_start": 13, "text": "Zweiter"}]}
    paragraph = {"context": context, "sentence_breaks": [[0, 12], [13, 26]], "qas": [question]}
    path = write(tmp_path, "de.json", json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    assert [(d.id, d.text) for d in forms.documents("xquad-r", path, "de")] == [
        ("0.0.de", "Erster Satz."), ("0.1.de", "Zweiter Satz."),
    ]  # fmt: skip
    assert forms.topics("xquad-r", path, "de") == [Topic("q", "Welcher?", "de")]
    assert forms.judgments("xquad-r", path, "de") == [Judgment("q", "0.1.de", 1)]


@pytest.mark.parametrize("form", sorted(forms.FORMS))
def test_a_file_in_another_form(tmp_path, form):
    path = write(tmp_path, "x", "{ not the\tform ]\n")
    for parse in (forms.documents, forms.topics, forms.judgments):
        with contextlib.suppress(BadInput, UsageError):
            assert isinstance(parse(form, path, "de"), list)
    with pytest.raises(UsageError, match="unknown form 'none'"):
        forms.documents("none", path, None)


@pytest.mark.skipif(not (SHARED / "eval").is_dir(), reason="the collections are not on this machine")
@pytest.mark.parametrize("name", ["ntrex-doc", "tldr", "iot-lessons"])
def test_parallel_collections_are_complete(name):
    assert collection(name, SHARED / "eval").check() == []


@pytest.mark.skipif(not (SHARED / "trec").is_dir(), reason="the collections are not on this machine")
@pytest.mark.parametrize(
    "name",
    [
        n
        for n in known_collections()
        if n.startswith(
            ("hc4", "neuclir-2022", "miracl", "mr-tydi", "ciral", "africlirmatrix", "fire", "trec-2002", "clef-2006")
        )
    ],
)
def test_topics_and_judgments_of_the_field_are_complete(name):
    notes = []
    found = collection(name, SHARED / "trec", notes.append)
    problems = found.check()
    assert problems
    assert all("the docs are not there" in problem for problem in problems)
    assert {row.topic for row in found.qrels()} & {topic.id for topic in found.topics()}
    assert len(notes) == (1 if name == "ciral-sw" else 0)
