"""Filters by hand: what they choose of documents, and what may stand in them."""

import itertools

import pytest
from engine_parse.filtered_store import chosen, select, store

from xsearch.engine.filters import compile_filter


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("year >= 2020", [0]),
        ("year = 1999 OR year<>1999 And year <= 2020", [0, 1]),
        ("2000 < year <= 2020", [0]),
        ("2000>year", [1]),
        ("year in [1999, 5, 'x']", [1]),
        ("year not in (1999, 'x')", [0]),
        ("year == -3 or year == +1999.0", [1]),
        ('"news" in tags', [0]),
        ('"news" not in tags', [1]),
        ("2 in tags", [1]),
        ("'ew' in author.name", [0]),
        ("archived", [1]),
        ("not archived", [0, 2]),
        ("archived == FALSE", [0]),
        ("archived is not null", [0, 1]),
        ("NOT (archived is not None)", [2]),
        ('author["name"] == "Drew"', [0]),
        ('author["last name"] == "O\'Hara"', [0]),
        ("tags[0] == 'news' || tags[1] == 2 && year < 2000", [0, 1]),
        ("title == 'A title'", [0]),
        ("title == null", [2]),
        ("title != null", [0, 1]),
        ("'title' in title", [0, 1]),
        ("'A' not in title", [1]),
        ("title < 'B'", [0]),
        ("id in ['0', '2']", [0, 2]),
        ("source == '/data/a.txt'", [0]),
        ("'/data' in source", [0, 1]),
        ("source in [null, '/data/b é.txt']", [1, 2]),
        ('metadata["title"] == "inner"', [2]),
        ("metadata.year == 2020", [0]),
        ("lang == 'de'", [0]),
        ("lang != 'de'", [1, 2]),
        ("lang in ['de', 'zh']", [0, 1]),
        ("lang == 'zh-Hant'", [1]),
        ("'fa' in lang", [0]),
        ("lang not in ['fa', 'zh']", [2]),
        ("class == 3", [2]),
        ("वर्ष == '२'", [2]),
        ("date >= '2020-01-31' and date < '2021'", [1]),
    ],
)
def test_worked_examples(expression, expected):
    rows = [
        {
            "title": "A title",
            "source": "/data/a.txt",
            "langs": ["de", "fa"],
            "metadata": {
                "year": 2020,
                "tags": ["news", "energy"],
                "author": {"name": "Drew", "last name": "O'Hara"},
                "archived": False,
                "date": "2020-01-30",
            },
        },
        {
            "title": "title",
            "source": "/data/b é.txt",
            "langs": ["zh-Hant"],
            "metadata": {"year": 1999, "tags": [1, 2], "archived": True, "date": "2020-12-24"},
        },
        {"langs": ["en"], "metadata": {"title": "inner", "class": 3, "वर्ष": "२"}},
    ]
    assert select(store(rows), expression) == expected


def test_types_never_mix():
    values = {"number": 1, "text": "1", "true": True, "false": False, "null": None, "list": [1], "object": {"a": 1}}
    rows = [{"metadata": {"v": value}} for value in values.values()] + [{"metadata": {}}]

    def names(expression):
        return {
            list(values)[number] if number < len(values) else "missing" for number in select(store(rows), expression)
        }

    assert names("v == 1") == {"number"}
    assert names("v == '1'") == {"text"}
    assert names("v == true") == {"true"}
    assert names("v == null") == {"null"}
    assert names("v != 2") == {"number"}
    assert names("v != '2'") == {"text"}
    assert names("v != true") == {"false"}
    assert names("v != null") == set(values) - {"null"}
    assert names("v >= 0") == {"number"}
    assert names("v > ''") == {"text"}
    assert names("v") == {"true"}
    assert names("not v == 1") == {*values, "missing"} - {"number"}
    assert names("1 in v") == {"list"}
    assert names("v.a == 1") == {"object"}
    assert names("v[0] == 1") == {"list"}


def test_a_field_name_is_data_whatever_it_holds():
    names = [
        'a"b',
        "a\\b",
        "$",
        "",
        "a.b",
        "a[0]",
        "'; DROP TABLE documents; --",
        "é",
        "é",
        "\n",
        "😀",
        "a\\",
        '"',
        "؟",
    ]
    for name, stored_as_ascii in itertools.product(names, (False, True)):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        found = select(
            store([{"metadata": {name: 1, "x": {name: 2}}, "ascii": stored_as_ascii}, {"metadata": {"other": 1}}]),
            f'metadata["{quoted}"] == 1 and x["{quoted}"] == 2',
        )
        assert found == [0], name


def test_integers_beyond_64_bits_compare_as_the_numbers_they_are_stored_as():
    assert chosen({"n": 10**30}, f"n == {10**30}")
    assert chosen({"n": 2**63}, f"n >= {2**63}")
    assert chosen({"n": 2**63 - 1}, f"n == {2**63 - 1}")
    assert not chosen({"n": 2**63 - 1}, f"n == {2**63 - 2}")


def test_language_names_are_turned_into_codes():
    connection = store([{"langs": ["fa"]}, {"langs": ["de"]}])
    assert select(connection, "lang in ['Persian', 'de']", language={"Persian": "fa", "de": "de"}.__getitem__) == [0, 1]


def test_nothing_of_the_expression_enters_sql():
    condition = compile_filter("secret_name.inner == 'secret text' and lang == 'secret' and 'secret' in title")
    assert "secret" not in condition.sql
    assert condition.sql.count("?") == len(condition.parameters)
