"""Questions by translation tables: the words that a passage turns on, in another language."""

import pytest

from xsearch.encode import load_encoder
from xsearch.engine.tables import find_tables
from xsearch.generate import LexicalGenerator, SourcePassage

ELECTION = SourcePassage(
    7,
    "The presidential election in Iran was won by a reformist candidate, Masoud Pezeshkian, who promised talks about "
    "the nuclear programme.",
    "Iran votes",
    "en",
)
BEES = SourcePassage(8, "Bienen bestäuben im Frühling die Obstbäume am Bodensee.", "", "de")


@pytest.fixture(scope="module")
def generator():
    encoder = load_encoder()
    return LexicalGenerator(encoder, find_tables(None, encoder))


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("de", {"wahl", "kandidat"}),
        ("fa", {"انتخابات", "ایران", "نامزد"}),
        ("ru", {"выбор", "кандидат"}),
        ("fi", {"ehdokas", "iran"}),
    ],
)
def test_a_passage_is_asked_about_in_the_words_of_the_language(generator, lang, words):
    (questions,) = generator.generate([ELECTION], lang, 5, 0)
    assert words <= set(" ".join(question.text for question in questions).split())


def test_function_words_are_left_out_and_names_stay_where_the_script_is_the_same(generator):
    german, persian = (
        {w for q in generator.generate([ELECTION], lang, 9, 0)[0] for w in q.text.split()} for lang in ("de", "fa")
    )
    assert not {"der", "die", "von", "in", "ein"} & german
    assert {"Masoud", "Pezeshkian"} <= german
    assert not any(word.isascii() for word in persian)


def test_in_its_own_language_a_passage_is_asked_about_in_its_own_words(generator):
    (questions,) = generator.generate([BEES], "de", 1, 0)
    assert {"Bienen", "Frühling"} <= set(questions[0].text.split())


def test_what_comes_out_depends_on_the_passage_alone(generator):
    both = generator.generate([ELECTION, BEES], "fr", 3, 0)
    fresh = LexicalGenerator(generator._encoder, generator._tables)
    assert [fresh.generate([BEES], "fr", 3, 0)[0], fresh.generate([ELECTION], "fr", 3, 0)[0]] == both[::-1]
    assert all(len(questions) <= 3 for questions in both)


def test_an_empty_passage_and_one_of_an_unknown_language_give_nothing(generator):
    empty, unknown = SourcePassage(0, "", "", "en"), SourcePassage(1, "blah blah", "", "und")
    assert generator.generate([empty, unknown], "de", 5, 0) == [[], []]
    assert [generator.speaks(lang) for lang in ("fa", "zh-Hant", "tlh")] == [True, True, False]
