"""Filters: compiled conditions in a real SQLite against a plain Python evaluator."""

import contextlib
import itertools
import json
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xsearch.core import FilterError
from xsearch.engine.filters import compile_filter

SCHEMA = """
CREATE TABLE documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, title TEXT, metadata TEXT NOT NULL, source INTEGER
);
CREATE TABLE passages (number INTEGER PRIMARY KEY, document INTEGER NOT NULL, lang TEXT NOT NULL);
CREATE TABLE paths (number INTEGER PRIMARY KEY, path BLOB NOT NULL);
"""


def store(rows):
    """A store of rows {id, title, metadata, source, langs}, in the columns that filters read."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    passage = itertools.count()
    for number, row in enumerate(rows):
        metadata = json.dumps(row.get("metadata", {}), ensure_ascii=row.get("ascii", False))
        source = None
        if row.get("source") is not None:
            source = number
            connection.execute("INSERT INTO paths VALUES (?, ?)", (number, row["source"].encode()))
        values = (number, row.get("id", str(number)), row.get("title"), metadata, source)
        connection.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", values)
        for lang in row.get("langs", ()):
            connection.execute("INSERT INTO passages VALUES (?, ?, ?)", (next(passage), number, lang))
    return connection


def select(connection, expression, **options):
    condition = compile_filter(expression, **options)
    # A NULL would be dropped by WHERE and by WHERE NOT alike.
    values = connection.execute(f"SELECT number, {condition.sql} FROM documents ORDER BY number", condition.parameters)
    found = list(values)
    assert {value for _, value in found} <= {0, 1}
    return [number for number, value in found if value]


def chosen(metadata, expression):
    """Whether one document's metadata satisfies the filter."""
    return bool(select(store([{"metadata": metadata}]), expression))


# --- by hand ---


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


# --- against an evaluator of its own ---

NAMES = ["a", "b", "year", "tags"]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0]),
    st.sampled_from(["", "a", "B", "ab", "é", "日", "2020-01-01", "1", "it's", 'say "x"', "back\\slash"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=5,
)
metadatas = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
paths = st.lists(st.sampled_from(NAMES) | st.integers(0, 2), max_size=1).flatmap(
    lambda rest: st.sampled_from(NAMES).map(lambda first: [first, *rest])
)
MISSING = object()


def fetch(metadata, path):
    value = metadata
    for key in path:
        named = isinstance(value, dict) and isinstance(key, str) and key in value
        placed = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if not (named or placed):
            return MISSING
        value = value[key]
    return value


def kind(value):
    if isinstance(value, bool) or value is None:
        return type(value)
    return "number" if isinstance(value, (int, float)) else type(value)


def equal(value, constant):
    return kind(value) == kind(constant) and value == constant


def comparable(value, constant):
    return value is not MISSING and (constant is None or kind(value) == kind(constant))


def evaluate(node, metadata):
    match node:
        case ("and", parts):
            return all(evaluate(part, metadata) for part in parts)
        case ("or", parts):
            return any(evaluate(part, metadata) for part in parts)
        case ("not", part):
            return not evaluate(part, metadata)
        case ("in", path, constants):
            return any(equal(fetch(metadata, path), constant) for constant in constants)
        case ("not in", path, constants):
            value = fetch(metadata, path)
            fits = any(comparable(value, constant) for constant in constants)
            return fits and not any(equal(value, constant) for constant in constants)
        case ("contains", path, constant):
            value = fetch(metadata, path)
            if isinstance(value, list):
                return any(equal(item, constant) for item in value)
            return isinstance(value, str) and isinstance(constant, str) and constant in value
        case ("lacks", path, constant):
            value = fetch(metadata, path)
            fits = isinstance(value, list) or (isinstance(value, str) and isinstance(constant, str))
            return fits and not evaluate(("contains", path, constant), metadata)
        case ("order", path, operator, constant):
            value = fetch(metadata, path)
            if kind(value) != kind(constant):
                return False
            compare = {"<": value < constant, "<=": value <= constant, ">": value > constant, ">=": value >= constant}
            return compare[operator]
        case ("is", path):
            return fetch(metadata, path) is True
    raise AssertionError(node)


def literal(constant):
    if isinstance(constant, str):
        return "'" + constant.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(constant)


def spell(path):
    first, *rest = path
    return first + "".join(f"[{key}]" if isinstance(key, int) else f'["{key}"]' for key in rest)


FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def text(node, draw):
    match node:
        case ("and" | "or" as word, parts):
            return "(" + f" {draw(st.sampled_from([word, word.upper()]))} ".join(text(p, draw) for p in parts) + ")"
        case ("not", part):
            return f"(not {text(part, draw)})"
        case ("in", path, [constant]) if draw(st.booleans()):
            return f"{spell(path)} {draw(st.sampled_from(['==', '=']))} {literal(constant)}"
        case ("not in", path, [constant]) if draw(st.booleans()):
            return f"{spell(path)} {draw(st.sampled_from(['!=', '<>']))} {literal(constant)}"
        case ("in" | "not in" as word, path, constants):
            return f"{spell(path)} {word} [{', '.join(map(literal, constants))}]"
        case ("contains", path, constant):
            return f"{literal(constant)} in {spell(path)}"
        case ("lacks", path, constant):
            return f"{literal(constant)} not in {spell(path)}"
        case ("order", path, operator, constant):
            if draw(st.booleans()):
                return f"{literal(constant)} {FLIPPED[operator]} {spell(path)}"
            return f"{spell(path)} {operator} {literal(constant)}"
        case ("is", path):
            return spell(path)
    raise AssertionError(node)


ordered = scalars.filter(lambda value: value is not None and not isinstance(value, bool))
atoms = st.one_of(
    st.tuples(st.sampled_from(["in", "not in"]), paths, st.lists(scalars, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(["contains", "lacks"]), paths, scalars),
    st.tuples(st.just("order"), paths, st.sampled_from(list(FLIPPED)), ordered),
    st.tuples(st.just("is"), paths),
)
filters = st.recursive(
    atoms,
    lambda inner: (
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))
        | st.tuples(st.just("not"), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(rows=st.lists(metadatas, min_size=1, max_size=6), node=filters, data=st.data())
def test_agrees_with_a_plain_evaluator(rows, node, data):
    expression = text(node, data.draw)
    found = select(store([{"metadata": row} for row in rows]), expression)
    assert found == [number for number, row in enumerate(rows) if evaluate(node, row)], expression


# --- what is refused ---


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
