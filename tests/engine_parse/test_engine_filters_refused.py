"""Filters that are refused, with the place and the way to write them; hostile and very large ones."""

import contextlib

import pytest
from engine_parse.filtered_store import select, store
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import FilterError
from xsearch.engine.filters import compile_filter


@pytest.mark.parametrize(
    ("expression", "column", "words"),
    [
        ("", None, "empty"),
        (" \n", None, "empty"),
        ("year >>= 3", 6, "does not parse"),
        ("year == 2020-01-01", 14, 'a date is a string: date >= "2020-01-31"'),
        ("title like '%x%'", 7, '"part" in title'),
        ("year between 1 and 2", 6, "1990 <= year <= 1999"),
        ("x == “abc”", 6, "straight quotation marks"),
        ("x == 'abc", 6, "not closed"),
        ("f(x)", 1, "functions cannot be called"),
        ('__import__("os").system("x") == 1', 1, "functions cannot be called"),
        ("a.__class__ == 1", 1, "two underscores"),
        ("__builtins__ == 1", 1, "two underscores"),
        ("(lambda: 1)()", 8, "':' has no meaning"),
        ("(y := 1) == 1", 4, "':' has no meaning"),
        ('f"{x}" == 1', 2, "does not parse"),
        ("x == 1 # all", 8, "'#' has no meaning"),
        ("x == 1; y", 7, "';' has no meaning"),
        ("x\x00 == 1", 2, "U+0000"),
        ('x == "\ud800"', 6, "surrogate"),
        ("pub-date == 3", 1, 'metadata["a-b"]'),
        ("x == y", 6, "not with another field"),
        ("1 == 1", 6, "a field and a value"),
        ("title", 1, "title != None"),
        ("title.x == 1", 1, 'metadata["title"]'),
        ("id == 5", 1, "id is text"),
        ("5 in title", 6, "title is text"),
        ("lang == 5", 1, "language code"),
        ("lang > 'd'", 1, "no order"),
        ("x < null", 1, "no order"),
        ("x in []", 6, "empty"),
        ("x == ...", 6, "here stands"),
        ("x == b'a'", 7, "does not parse"),
        ("x == 1j", 6, "has no meaning"),
        ("a[-1] == 1", 3, "counted from 0"),
        ("a[b] == 1", 3, "counted from 0"),
        ("metadata == 1", 1, "name one"),
        ("5", 1, "no condition"),
        ("[a for a in b]", None, "does not parse"),
        ("a if b else c", None, "does not parse"),
        ("x == 'a' 'b'", 10, "two strings in a row"),
        ("not " * 21 + "a", None, "more than 20 deep"),
        ("(a or " * 30 + "a" + ")" * 30, None, "more than 20 deep"),
    ],
)
def test_refusals_point_at_the_place_and_show_how_to_write(expression, column, words):
    with pytest.raises(FilterError) as caught:
        compile_filter(expression)
    message = str(caught.value)
    assert words in message
    assert 'year >= 2020 and lang in ["de", "fa"]' in message
    if column is not None:
        caret = message.splitlines()[2]
        assert f"at character {column}:" in message
        assert caret.index("^") == column + 1


@pytest.mark.parametrize(
    "expression",
    [
        "a" * 1_000_000,
        "(" * 9_000 + "a" + ")" * 9_000,
        "not " * 4_900 + "a",
        "a == " + "-" * 19_000 + "1",
        "a" + ".b" * 9_900 + " == 1",
        "a" + "[0]" * 6_600 + " == 1",
        "a" + "()" * 9_000,
        "a == " + "1+" * 9_900 + "1",
        "1<a<" * 3_000 + "1",
        " or ".join(["a==1"] * 2_400),
        "a in [" + ",".join(["1"] * 9_000) + "]",
        "a == " + "9" * 19_000,
        "a if b else " * 1_500 + "c",
        '"' * 19_999,
        '"' + "\\" * 19_998,
    ],
    ids=lambda expression: expression[:12],
)
def test_hostile_expressions_are_refused(expression):
    with pytest.raises(FilterError):
        compile_filter(expression)


def test_the_largest_filters_run():
    connection = store([{"metadata": {"a": 5}, "langs": ["de"]}])
    assert select(connection, " or ".join(f"a == {i}" for i in range(400))) == [0]
    assert select(connection, " and ".join(["a != 1"] * 400)) == [0]
    assert select(connection, f"a in [{','.join(str(i) for i in range(3_000))}]") == [0]
    assert select(connection, f"lang in [{','.join(repr(str(i)) for i in range(2_000))}, 'de']") == [0]
    assert select(connection, "(" * 50 + "a == 5" + ")" * 50) == [0]
    assert select(connection, "not " * 20 + "a == 5") == [0]
    for innermost in (
        "'x' not in a.b.c.d.e.f.g.h",
        "'x' in a or 1 in a",
        "a not in [1, 'x', null, true]",
        "lang != 'fa'",
    ):
        nested = innermost
        for level in range(19):
            nested = f"not ({nested})" if level % 3 == 2 else f"(a != 1 {'and' if level % 2 else 'or'} ({nested}))"
        assert select(connection, nested) in ([], [0])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="ab.[]()'\"=<>!&|,-+0123 \\\n andortinNOT", max_size=60))
def test_any_text_compiles_to_runnable_sql_or_is_refused(expression):
    with contextlib.suppress(FilterError):
        select(store([{"metadata": {"a": 1}}]), expression)


@pytest.mark.parametrize("given_", [3, None, {"year": 2020}, ["year > 1"]])
def test_what_is_no_string_is_refused(given_):
    with pytest.raises(FilterError, match="a filter is a string"):
        compile_filter(given_)
