"""Filters of any shape: compiled conditions in a real SQLite against a plain Python evaluator."""

from engine_parse.filtered_store import select, store
from hypothesis import given, settings
from hypothesis import strategies as st

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
