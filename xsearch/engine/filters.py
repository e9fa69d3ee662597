"""A filter over documents → a SQL condition with parameters.

    year >= 2020 and lang in ["de", "fa"]
    "energy" in tags and not archived
    1990 <= metadata["pub. year"] < 2000 or author.name == 'Noor'

Names are metadata fields; `a.b`, `a["b"]` and `a[0]` reach into them. `id`, `title`, `source` (a path) and `lang` are
the document's own; a field of such a name is written ``metadata["title"]``. Comparisons may be chained, `in` takes a
list of values on its right, or a field: a list that has the value as a member, a string that has it as a part.

Types never mix: a number is compared with numbers, a string with strings by code point (ISO dates compare as such),
true, false and null with themselves; any comparison with a missing field or a value of another type is false, also
`!=` and `not in`. `field != null` says that a field is there, a field alone that it is true. `not` is plain negation.

`lang` holds the languages of a document's passages: ``lang == "de"`` if one of them is German, in any script,
``lang != "de"`` if none is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xsearch.core import FilterError
from xsearch.engine.filter_sql import Filter, Value, all_but, among, exists, has_type, joined, marks
from xsearch.engine.filter_syntax import Syntax, read_syntax

MAX_CONDITIONS = 400
"""SQLite takes expressions up to 1,000 deep; a chain of `or` is as deep as it is long."""
MAX_DEPTH = 20
"""The stack of SQLite's parser holds 100 symbols; a level takes three."""
MAX_VALUES = 5_000
MAX_PATH = 20

_COLUMNS = {
    "id": "documents.id",
    "title": "documents.title",
    "source": "(SELECT CAST(paths.path AS TEXT) FROM paths WHERE paths.number = documents.source)",
}
_SQL = {ast.Eq: "=", ast.NotEq: "<>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
_SAME: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}


def compile_filter(expression: str, language: Callable[[str], str] = str) -> Filter:
    """The condition that a filter stands for. `language` turns a language's code or name into the code that passages
    carry. Raises `FilterError`, pointing at the place, for anything but a filter."""
    if not isinstance(expression, str):
        raise FilterError(f"a filter is a string, such as 'year >= 2020', not {type(expression).__name__}")
    compiler = _Compiler(read_syntax(expression), language)
    return compiler.condition(compiler.syntax.tree, 0)


@dataclass(frozen=True, slots=True)
class _Field:
    """What a name stands for: a field of the metadata by its path of keys, or, with no path, a column."""

    name: str
    path: tuple[str | int, ...] = ()


@dataclass(slots=True)
class _Compiler:
    syntax: Syntax
    language: Callable[[str], str]
    conditions: int = 0
    values: int = 0

    def condition(self, node: ast.expr, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise self.syntax.error(node, f"conditions within conditions, more than {MAX_DEPTH} deep")
        if isinstance(node, ast.BoolOp):
            word = " AND " if isinstance(node.op, ast.And) else " OR "
            return joined(word, [self.condition(value, depth + 1) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inside = self.condition(node.operand, depth + 1)
            return Filter(f"(NOT {inside.sql})", inside.parameters)
        if isinstance(node, ast.Compare):
            return self._comparisons(node)
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            name = self._field(node)
            if not name.path:
                raise self.syntax.error(node, f"{name.name} alone is no condition: write {name.name} != None")
            self._count(node)
            return exists(name.path, among("field", [True]))
        raise self.syntax.error(node, _refusal(node))

    def _comparisons(self, node: ast.Compare) -> Filter:
        """A chain a < b < c is a < b and b < c."""
        operands = [node.left, *node.comparators]
        return joined(
            " AND ",
            [self._comparison(operands[i], operator, operands[i + 1]) for i, operator in enumerate(node.ops)],
        )

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Filter:
        self._count(left)
        kind = _SAME.get(type(operator), type(operator))
        if kind in (ast.In, ast.NotIn):
            if isinstance(right, (ast.List, ast.Tuple, ast.Set)):
                values = [self._value(element) for element in right.elts]
                if not values:
                    raise self.syntax.error(right, "the list is empty")
                return self._membership(left, self._field(left), values, negated=kind is ast.NotIn)
            return self._containment(right, self._field(right), self._value(left), negated=kind is ast.NotIn)
        if _is_field(left):
            name, value = self._field(left), self._value(right)
        elif _is_field(right):
            name, value, kind = self._field(right), self._value(left), _FLIPPED[kind]
        else:
            wrong = left if not isinstance(left, ast.Constant) else right
            raise self.syntax.error(wrong, f"a comparison is between a field and a value; {_refusal(wrong)}")
        if kind in (ast.Eq, ast.NotEq):
            return self._membership(left, name, [value], negated=kind is ast.NotEq)
        return self._order(left, name, _SQL[kind], value)

    def _membership(self, node: ast.expr, name: _Field, values: Sequence[Value], *, negated: bool) -> Filter:
        """`field in values`, or its negation for a field that is there and comparable."""
        if name.path:
            return exists(name.path, all_but("field", values) if negated else among("field", values))
        if name.name == "lang":
            return self._language(node, values, negated=negated)
        strings = [value for value in values if isinstance(value, str)]
        if len(strings) + values.count(None) < len(values):
            raise self.syntax.error(node, f'{name.name} is text: compare it with a string, e.g. {name.name} == "x"')
        column = _COLUMNS[name.name]
        if negated:
            return Filter(f"({column} IS NOT NULL AND {column} NOT IN ({marks(strings)}))", tuple(strings))
        nothing = f" OR {column} IS NULL" if None in values else ""
        return Filter(f"(ifnull({column} IN ({marks(strings)}), 0){nothing})", tuple(strings))

    def _language(self, node: ast.expr, values: Sequence[Value], *, negated: bool) -> Filter:
        """A passage in one of the languages, or in a script of it: `zh` is also `zh-Hant`."""
        codes: list[str] = []
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.syntax.error(node, 'lang is a language code: write lang == "de"')
            codes.append(self.language(value))
        dash = "instr(passages.lang, '-')"
        inside = (
            f"passages.lang IN ({marks(codes)}) OR "
            f"({dash} > 0 AND substr(passages.lang, 1, {dash} - 1) IN ({marks(codes)}))"
        )
        word = "NOT IN" if negated else "IN"
        passages = f"SELECT passages.document FROM passages WHERE {inside}"
        return Filter(f"(documents.number {word} ({passages}))", (*codes, *codes))

    def _containment(self, node: ast.expr, name: _Field, value: Value, *, negated: bool) -> Filter:
        """`value in field`: a member of a list or a part of a string; its negation where the field is one of these."""
        if name.path:
            member = among("item", [value])
            items = "json_each(CASE field.type WHEN 'array' THEN field.value END)"
            test = Filter(f"EXISTS (SELECT 1 FROM {items} AS item WHERE {member.sql})", member.parameters)
            types = "'array'"
            if isinstance(value, str):
                part = Filter("(field.type = 'text' AND instr(field.atom, ?) > 0)", (value,))
                test = joined(" OR ", [part, test])
                types = "'array', 'text'"
            if negated:
                test = Filter(f"(field.type IN ({types}) AND NOT {test.sql})", test.parameters)
            return exists(name.path, test)
        if name.name == "lang":
            return self._language(node, [value], negated=negated)
        if not isinstance(value, str):
            raise self.syntax.error(node, f'{name.name} is text: write "part" in {name.name}')
        return Filter(f"ifnull(instr({_COLUMNS[name.name]}, ?) {'=' if negated else '>'} 0, 0)", (value,))

    def _order(self, node: ast.expr, name: _Field, operator: str, value: Value) -> Filter:
        if isinstance(value, bool) or value is None or name.name == "lang":
            raise self.syntax.error(node, "languages, true, false and null have no order: use == or !=")
        if name.path:
            return exists(name.path, Filter(f"{has_type('field', value)} AND field.atom {operator} ?", (value,)))
        if not isinstance(value, str):
            raise self.syntax.error(node, f'{name.name} is text: compare it with a string, e.g. {name.name} >= "m"')
        return Filter(f"ifnull({_COLUMNS[name.name]} {operator} ?, 0)", (value,))

    def _field(self, node: ast.expr) -> _Field:
        keys: list[str | int] = []
        at = node
        while not isinstance(at, ast.Name):
            if isinstance(at, ast.Attribute):
                keys.append(self._plain(at, self.syntax.attribute(at)))
                at = at.value
            elif isinstance(at, ast.Subscript):
                keys.append(self._key(at.slice))
                at = at.value
            else:
                raise self.syntax.error(node, f"a comparison is between a field and a value; {_refusal(at)}")
            if len(keys) > MAX_PATH:
                raise self.syntax.error(node, f"more than {MAX_PATH} fields within fields")
        name = self._plain(at, self.syntax.name(at))
        if name in _COLUMNS or name == "lang":
            if keys:
                raise self.syntax.error(node, f'{name} has no fields: metadata["{name}"] is the metadata of that name')
            return _Field(name)
        if name == "metadata":
            if not keys:
                raise self.syntax.error(node, 'metadata is all fields: name one, e.g. metadata["year"]')
            return _Field("", tuple(reversed(keys)))
        return _Field("", (name, *reversed(keys)))

    def _plain(self, node: ast.expr, name: str) -> str:
        if name.startswith("__"):
            raise self.syntax.error(node, 'names with two underscores in front are written metadata["__x"]')
        return name

    def _key(self, node: ast.expr) -> str | int:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return self.syntax.string(node)
            if type(node.value) is int and node.value < 2**31:
                return node.value
        raise self.syntax.error(node, 'in brackets stands a field\'s name, a["b"], or a place counted from 0, a[0]')

    def _value(self, node: ast.expr) -> Value:
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.syntax.error(node, f"more than {MAX_VALUES:,} values")
        sign = 1
        at = node
        while isinstance(at, ast.UnaryOp) and isinstance(at.op, (ast.USub, ast.UAdd)):
            sign = -sign if isinstance(at.op, ast.USub) else sign
            at = at.operand
        if isinstance(at, ast.Constant):
            if isinstance(at.value, (int, float)) and not isinstance(at.value, bool):
                return self._number(at, sign * at.value)
            if at is node and isinstance(at.value, str):
                return self.syntax.string(at)
            if at is node and (at.value is None or isinstance(at.value, bool)):
                return at.value
        if _is_field(at):
            raise self.syntax.error(at, "a field is compared with a value, not with another field")
        raise self.syntax.error(node, f"here stands a string, a number, true, false or null; {_refusal(at)}")

    def _number(self, node: ast.expr, number: int | float) -> int | float:
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            try:
                return float(number)  # as SQLite reads such a number in the metadata
            except OverflowError:
                raise self.syntax.error(node, "the number is too large") from None
        return number

    def _count(self, node: ast.expr) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise self.syntax.error(node, f"more than {MAX_CONDITIONS} conditions; many values go into one list")


def _is_field(node: ast.expr) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))


def _refusal(node: ast.expr) -> str:
    """What to say of a node that is not of the filter language."""
    if isinstance(node, ast.Call):
        return "functions cannot be called"
    if isinstance(node, ast.BinOp):
        return 'there is no arithmetic, and a field with a hyphen is written metadata["a-b"]'
    if isinstance(node, ast.Constant) or _is_field(node) or isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return "a value alone is no condition"
    return "this is not part of the filter language"
