"""Did you mean: notes and suggestions for words that no document has."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import xsearch
from xsearch.cli.app import app
from xsearch.engine import SearchOptions
from xsearch.engine.suggestions import slips


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("suggestions") / "idx"
    with xsearch.create(path) as index, index.writer() as writer:
        writer.add(xsearch.Document("en", "The museum will receive letters of Dostoevsky in March.", lang="en"))
        writer.add(xsearch.Document("ru", "В библиотеке открылась выставка рисунков.", lang="ru"))
    return path


@pytest.mark.parametrize(
    ("text", "word", "nearest"),
    [
        ("recieve a parcel", "recieve", "receive"),
        ("библиатека", "библиатека", "библиотеке"),
    ],
)
def test_a_misspelt_word_is_suggested_and_found(folder, text, word, nearest):
    with xsearch.open(folder) as index:
        snapshot, found = index.find(text)
        assert {s.word: s.nearest[0] for s in found.suggestions} == {word: nearest}
        assert any(f"did you mean {nearest}" in note for note in found.notes)
        assert snapshot is index.snapshot
        assert nearest in index.search(word, k=1)[0].text


@pytest.mark.parametrize("text", ["museum letters", "Dostoevsky", "Достоевский", "xyzzy quux", ""])
def test_words_that_are_there_or_like_none_get_no_suggestion(folder, text):
    with xsearch.open(folder) as index:
        assert index.find(text)[1].suggestions == ()


def test_a_word_of_another_language_is_not_taken_for_a_slip(tmp_path):
    with xsearch.create(tmp_path / "idx") as index:
        with index.writer() as writer:
            writer.add(xsearch.Document("tl", "Handa na ang pagkain sa mesa.", lang="tl"))
            writer.add(xsearch.Document("de", "Der Hund sitzt auf der Wiese.", lang="de"))
        text = "pagkann of the man"
        assert index.find(text, SearchOptions(lang="en"))[1].suggestions == ()
        assert [s.nearest for s in index.find(text, SearchOptions(lang="tl"))[1].suggestions] == [("pagkain",)]
        # A word of the vocabulary is none either, whatever language the question is in.
        assert index.find("hand of the man", SearchOptions(lang="tl"))[1].suggestions == ()


def test_another_form_of_a_word_that_is_there_is_no_slip(tmp_path):
    with xsearch.create(tmp_path / "idx") as index:
        with index.writer() as writer:
            writer.add(xsearch.Document("en", "They were photographing the earthworm.", lang="en"))
        assert index.find("earthworms", SearchOptions(lang="en"))[1].suggestions == ()
        assert [s.nearest for s in index.find("erthworm", SearchOptions(lang="en"))[1].suggestions] == [("earthworm",)]


def test_words_that_only_sound_alike_are_not_suggested(tmp_path):
    with xsearch.create(tmp_path / "idx") as index:
        with index.writer() as writer:
            writer.add(xsearch.Document("cs", "Byla to velka voda a reka tekla pres mesto.", lang="cs"))
            writer.add(xsearch.Document("en", "The price of the museum was fair.", lang="en"))
        for text in ("volcano", "freezeing", "volcanoe"):
            for lang in ("cs", "en", None):
                assert index.find(text, SearchOptions(lang=lang))[1].suggestions == ()
        assert index.find("musuem", SearchOptions(lang="en"))[1].suggestions[0].nearest == ("museum",)


@pytest.mark.parametrize(
    ("typed", "meant", "number"),
    [
        ("", "", 0),
        ("recieve", "receive", 1),
        ("библиатека", "библиотеке", 2),
        ("volcano", "velka", 4),
        ("ca", "abc", 3),  # 2 if what was swapped could be changed again
        ("kitten", "sitting", 3),
    ],
)
def test_slips_by_hand(typed, meant, number):
    assert slips(typed, meant) == slips(meant, typed) == number


@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.integers(0, 8), st.sampled_from("abc"))
def test_slips_are_bounded_and_one_change_is_one(word, other, at, letter):
    assert abs(len(word) - len(other)) <= slips(word, other) <= max(len(word), len(other))
    assert (slips(word, other) == 0) == (word == other)
    for changed in (
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
    ):
        assert slips(word, changed) == (word != changed)


def test_an_index_without_names_suggests_nothing(tmp_path):
    with xsearch.create(tmp_path / "idx", recipe="bm25") as index:
        with index.writer() as writer:
            writer.add(xsearch.Document("en", "they receive letters", lang="en"))
        assert index.find("recieve")[1].suggestions == ()


def test_json_output_has_the_suggestions(folder):
    done = CliRunner().invoke(app, ["query", "recieve", "-i", str(folder), "--format", "json"])
    assert json.loads(done.stdout)["suggestions"] == {"recieve": ["receive"]}
    assert "did you mean receive" in done.stderr


def test_the_reading_of_kanji_is_found_and_not_suggested(tmp_path):
    with xsearch.create(tmp_path / "idx") as index:
        with index.writer() as writer:
            writer.add(xsearch.Document("ja", "昨日は東京で友人に会いました。", lang="ja"))
            writer.add(xsearch.Document("other", "窓を開けて静かに寝た。", lang="ja"))
        for text in ("とうきょう", "トウキョウ", "Токио", "Tōkyō"):
            _, found = index.find(text)
            assert found.suggestions == ()
            assert index.search(text, k=1)[0].id == "ja"
