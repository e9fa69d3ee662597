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
from dataclasses import dataclass, field

from xsearch.engine.filter_syntax import Syntax, read_syntax

MAX_CONDITIONS = 400
"""SQLite takes expressions up to 1,000 deep; a chain of `or` is as deep as it is long."""
MAX_VALUES = 5_000
MAX_PATH = 20

Value = str | int | float | bool | None
Parameter = str | int | float

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
