"""What people type → clauses and plain text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xsearch.core import Clause
from xsearch.engine.parse import MAX_CHARACTERS, MAX_WORDS, parse_query


def words(text):
    return Clause(text)


def phrase(text, occur="should", field="body"):
    return Clause(text, occur, field, phrase=True)


@pytest.mark.parametrize(
    ("typed", "clauses"),
    [
        ("presidential elections in Iran", [words("presidential elections in Iran")]),
        ("  solar \t\n power ", [words("solar power")]),
        ("+wind power -coal", [Clause("wind", "must"), words("power"), Clause("coal", "must_not")]),
        ('"solar power" cost', [phrase("solar power"), words("cost")]),
        ('+"wind farm" -"coal mine"', [phrase("wind farm", "must"), phrase("coal mine", "must_not")]),
        ("title:energy prices", [Clause("energy", "should", "title"), words("prices")]),
        ("TITLE:2024", [Clause("2024", "should", "title")]),
        ('+title:"daily news" x', [phrase("daily news", "must", "title"), words("x")]),
        ("-title:draft x", [Clause("draft", "must_not", "title"), words("x")]),
        ("„ein Satz“ “two words” «trois mots»", [phrase("ein Satz"), phrase("two words"), phrase("trois mots")]),
        ("”på svenska” »auf Deutsch« ＂全角＂", [phrase("på svenska"), phrase("auf Deutsch"), phrase("全角")]),
        ("日本「東京都」観光 『本』", [words("日本"), phrase("東京都"), words("観光"), phrase("本")]),
        ('中国"人民 日报"社', [words("中国"), phrase("人民 日报"), words("社")]),
        ("« espaces insécables »", [phrase("espaces insécables")]),
        (
            "－石炭 ＋風力 title：風",
            [Clause("石炭", "must_not"), Clause("風力", "must"), Clause("風", "should", "title")],
        ),
        ('("wind farm")', [words("("), phrase("wind farm"), words(")")]),
        ('"" wind', [words("wind")]),
    ],
)
def test_operators(typed, clauses):
    parsed = parse_query(typed)
    assert list(parsed.clauses) == clauses
    assert parsed.notes == ()
    assert parsed.text == " ".join(clause.text for clause in clauses if clause.occur != "must_not")


@pytest.mark.parametrize(
    "typed",
    [
        "C++ g++ A+ Notepad++",
        "-5 +49 -3.5°C",
        "--option --no-color",
        "e-mail well-known a-b",
        "someone@example.org",
        "http://example.org/a?b=c https://x.y:80",
        "subtitle:word time:12:30 std::vector",
        "title: word",
        '12" vinyl and 5" floppy',
        'צה"ל',
        "don't l'été rock'n'roll",
        "a - b + c",
        "می‌خواهم",
        "?! … ...",
        "-",
        "+ -",
        "title:",
        '""',
    ],
)
def test_plain_words_stay_as_they_are(typed):
    parsed = parse_query(typed)
    assert parsed.clauses == (Clause(typed),)
    assert parsed.text == typed
    assert parsed.notes == ()


@pytest.mark.parametrize("typed", ['wind "solar power', "a „b c", "「東京", '+"x', "x »y"])
def test_an_open_quotation_is_searched_as_plain_words(typed):
    parsed = parse_query(typed)
    assert parsed.clauses == (Clause(typed),)
    assert parsed.text == typed
    assert "not closed" in parsed.notes[0]


def test_a_query_that_excludes_everything_is_searched_as_plain_words():
    parsed = parse_query('-coal -"gas power" -title:oil')
    assert parsed.clauses == (Clause('-coal -"gas power" -title:oil'),)
    assert "excluded" in parsed.notes[0]


def test_a_hebrew_abbreviation_within_a_phrase():
    assert parse_query('"דובר צה"ל אמר"').clauses == (phrase('דובר צה"ל אמר'),)


def test_controls_and_marks_of_direction_are_dropped_and_joiners_kept():
    typed = '\u202b\u200f"می\u200cخواهم"\u202c \x00wi\x07nd\ud800\ufeff'
    assert parse_query(typed).clauses == (phrase("می\u200cخواهم"), words("wind"))


def test_nothing_was_typed():
    for typed in ("", " \n\t ", "\x00", "\u200e"):
        parsed = parse_query(typed)
        assert (parsed.clauses, parsed.text, parsed.notes) == ((), "", ())


def test_long_queries_are_cut_and_say_so():
    parsed = parse_query("wind " * 200_000)
    assert parsed.text.split() == ["wind"] * MAX_WORDS
    assert "too long" in parsed.notes[0]
    parsed = parse_query("風" * 1_000_000)
    assert parsed.text == "風" * MAX_CHARACTERS
    assert "too long" in parsed.notes[0]
    assert parse_query(" ".join(["wind"] * MAX_WORDS)).notes == ()


def test_megabytes_of_operators_are_no_burden():
    for piece in ('"', '" ', '"a" ', "「", "「」", "+", "-a ", "title:", 'a"', "\u200c", "\u200e"):
        parse_query(piece * (1_000_000 // len(piece)))


PIECES = [*"ab1é風א -+:\"“”„«»「」'.\u200c\u200e\x00\n", "title:", ' "', " -", " +", '"a b"']


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_understood_and_no_word_is_lost(typed):
    parsed = parse_query(typed)

    def letters(text):
        # Those of `title` may be an operator's.
        kept = (c for c in text if c.isalnum() and unicodedata.category(c) not in ("Cc", "Cs", "Cf"))
        return [c for c in kept if c not in "titleTITLE"]

    assert [c for clause in parsed.clauses for c in letters(clause.text)] == letters(typed)
    wanted = " ".join(clause.text for clause in parsed.clauses if clause.occur != "must_not")
    assert parsed.text == wanted
    assert parsed.text or not letters(typed)
    assert parsed.text == " ".join(parsed.text.split())
    assert all(clause.text == clause.text.strip() and clause.text for clause in parsed.clauses)


@given(st.lists(st.text(alphabet="abcdéß風", min_size=1), min_size=1))
def test_plain_words_are_one_clause(typed):
    parsed = parse_query(" ".join(typed))
    assert parsed.clauses == (Clause(" ".join(typed)),)
    assert parsed.text == " ".join(typed)
