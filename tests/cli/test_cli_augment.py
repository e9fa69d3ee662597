"""`xsearch augment` as people use it: by the tables that ship, in real processes."""

import json

import pytest
from doubles.command_line import xsearch

TEXTS = {
    "iran": ("fa", "انتخابات ریاست جمهوری در ایران با مشارکت پایین برگزار شد."),
    "wahl": ("de", "Die Wahl des Präsidenten war knapp; der Kandidat der Opposition verlor."),
    "brot": ("de", "Das Brot und der Käse kosten mehr als im letzten Winter."),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    lines = [json.dumps({"id": id, "lang": lang, "text": text}) for id, (lang, text) in TEXTS.items()]
    (folder / "docs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert xsearch("index", "docs.jsonl", "--recipe", "bm25", cwd=folder).code == 0
    return folder


def test_an_index_of_words_answers_in_other_languages_once_it_is_augmented(home):
    asked = ("query", "presidential election", "--lang", "en")
    assert xsearch(*asked, cwd=home).code == 1
    made = xsearch("augment", "--langs", "en", "-n", "3", cwd=home)
    assert made.code == 0, made.err
    assert "questions of 3 passages" in made.err
    shown = xsearch(*asked, cwd=home)
    assert shown.code == 0, shown.err
    assert "found by a question generated in en (lexical)" in shown.out
    record = json.loads(xsearch(*asked, "--format", "json", "-k", "1", cwd=home).out)["hits"][0]
    assert record["id"] in {"iran", "wahl"}
    assert "election" in record["questions"][0]["text"].split()
    assert record["questions"][0] | {"text": ""} == {"text": "", "lang": "en", "generator": "lexical", "decisive": True}
    info = json.loads(xsearch("info", "--format", "json", cwd=home).out)["questions"]["en"]
    assert (info["passages"], info["generators"]) == (3, ["lexical"])
    assert "generated in" in xsearch("info", cwd=home).out
    assert xsearch("check", cwd=home).code == 0
    again = xsearch("augment", ".xsearch", cwd=home)
    assert "nothing to generate, 3 done before, nothing new" in again.err
    more = xsearch("augment", "--langs", "fr,es", "-n", "1", cwd=home)
    assert all(f"of 3 passages in {lang}" in more.err for lang in ("en", "fr", "es")), more.err
    gone = xsearch("augment", "--remove", cwd=home)
    assert "generated questions removed" in gone.err
    assert "0 generated questions removed" in xsearch("augment", "--remove", cwd=home).err
    assert xsearch(*asked, cwd=home).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--langs", "klingon"), 2, "makes no questions in 'tlh'"),
        (("--langs", "en", "--generator", "gpt"), 2, "unknown generator 'gpt'"),
        ((), 2, "in which languages? Name them with --langs"),
        (("--langs", "en", "--use", "magic"), 2, "--use magic is not known: it is words, windows, vectors"),
        (("--langs", "en", "--qrels", "docs.jsonl"), 2, "--held-out TOPICS and --qrels FILE belong together"),
        (("--langs", "en", "-i", "elsewhere"), 3, "no index at elsewhere"),
        (("elsewhere", "--langs", "en"), 3, "no index at elsewhere"),
        (("here", "-i", "elsewhere"), 2, "two indexes are named, here and elsewhere"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(home, arguments, code, message):
    done = xsearch("augment", *arguments, cwd=home)
    assert message in done.err
    assert done.code == code, done.err
    assert "Traceback" not in done.err
