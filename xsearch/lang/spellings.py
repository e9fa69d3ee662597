"""How likely two keys are one name: spellings compared letter by letter, by what writing systems do to sounds.

For each family of writing (`romanise.FAMILIES`) `data/spellings.tsv` holds the probabilities of a transducer without
memory (Ristad and Yianilos 1998) from Latin keys to keys of that family: p(a, b) that a is written b, p(a, -) that it
is not written, p(-, b) that b is put in; `train.spellings` learns them from names. Two families that are not Latin
meet through it: p(a, b) = Σ_c p_f(c, a) p_g(c, b) / p(c), c a letter of the Latin key that neither shows.

The evidence for one name is the log-odds of the best alignment against two keys that have nothing in common,

    odds(x, y) = max over alignments of Σ ln( p(a, b) / (p(a) p(b)) ) + Σ ln( p(a, -) / p(a) ) + Σ ln( p(-, b) / p(b) )

so a long key gives more of it than a short one, and a rare letter more than a frequent one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from xsearch.lang.romanise import ALPHABET, FAMILIES
from xsearch.lang.tables import rows

STEPS = len(ALPHABET) + 1
"""Letters of keys and the gap, which is 0."""
ENDING = 6
"""Letters that an ending or a particle may have: Korean writes two syllables behind a name, Russian -ого."""
ENDING_ODDS, ENDING_LETTER = 2.5, 0.3
"""What an ending costs, and each of its letters."""
_UNIT = 100.0
"""The table holds -100 ln p."""

Float64Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Codes = NDArray[np.uint8]


def joint_lines(tables: dict[str, Float64Array]) -> str:
    """The text of `data/spellings.tsv` for learnt tables, by family, float64 (STEPS, STEPS)."""
    lines = [
        "# -100 ln p of the steps of a spelling transducer: family, letter of a Latin key (- is the gap), a number for",
        f"# the gap and each of {ALPHABET} in a key of the family. Made by `xsearch train spellings`.",
    ]
    for family, table in tables.items():
        with np.errstate(divide="ignore"):
            shown = np.minimum(np.rint(-_UNIT * np.log(table)), 9999).astype(np.int64)
        for letter, row in zip("-" + ALPHABET, shown, strict=True):
            lines.append("\t".join([family, letter, " ".join(map(str, row))]))
    return "\n".join(lines) + "\n"


@cache
def _joint() -> dict[str, Float64Array]:
    """p(a, b) by family, each summing to 1."""
    cells: dict[str, list[list[float]]] = {}
    for family, _, numbers in rows("spellings.tsv"):
        cells.setdefault(family, []).append([float(number) for number in numbers.split(" ")])
    tables = {family: np.exp(-np.array(table) / _UNIT) for family, table in cells.items()}
    for table in tables.values():
        table[0, 0] = 0.0
        table /= table.sum()
    return tables


@cache
def odds_table(one: str, two: str) -> FloatArray:
    """Log-odds of every step between keys of two families, float32 (STEPS, STEPS), gaps first; 0 at (0, 0)."""
    joint = _joint()
    if one == two:
        table = joint["l"]
    elif one == "l":
        table = joint[two]
    elif two == "l":
        table = joint[one].T
    else:
        table = _through_latin(joint[one], joint[two])
    alone, other = table.sum(axis=1), table.sum(axis=0)
    odds = np.zeros((STEPS, STEPS))
    odds[1:, 1:] = np.log(table[1:, 1:] / np.outer(alone[1:], other[1:]))
    odds[0, 1:] = np.log(table[0, 1:] / other[1:])
    odds[1:, 0] = np.log(table[1:, 0] / alone[1:])
    return odds.astype(np.float32)


def _through_latin(one: Float64Array, two: Float64Array) -> Float64Array:
    latin = (one[1:].sum(axis=1) + two[1:].sum(axis=1)) / 2
    table: Float64Array = one[1:].T @ (two[1:] / latin[:, None])
    table[:, 0] += one[0]
    table[0] += two[0]
    table[0, 0] = 0.0
    table /= table.sum()
    return table


@cache
def stacked(family: str) -> FloatArray:
    """`odds_table` from a family to each of `FAMILIES`, float32 (STEPS, families × STEPS)."""
    return np.concatenate([odds_table(family, other) for other in FAMILIES], axis=1)


def most_odds(key: Codes, family: str, keys: Codes, families: NDArray[np.uint8]) -> FloatArray:
    """What `alignment_odds` of the same at most gives, float32 (n,), in a small part of the time: every letter of one
    of `keys` as the likeliest step to it from a letter of `key` or from none; to leave a letter out never adds."""
    found: FloatArray = most_steps(key, family)[keys + families.astype(np.intp)[:, None] * STEPS].sum(axis=1)
    return found


def most_steps(key: Codes, family: str) -> FloatArray:
    """What a letter in a key of each family can at most add to its odds with `key`, float32 (families × STEPS,)."""
    steps: FloatArray = np.maximum(stacked(family)[np.append(0, key)].max(axis=0), 0.0)
    steps[::STEPS] = 0.0
    return steps


def alignment_odds(key: Codes, family: str, keys: Codes, families: NDArray[np.uint8]) -> FloatArray:
    """The log-odds that `key` of `family` and each of `keys` are one name, float32 (n,).

    key: uint8 (m,) codes of letters; keys: uint8 (n, longest), codes and then zeros; families: uint8 (n,), places in
    `FAMILIES`. Up to `ENDING` letters at the end of either may be an ending or a particle, for a price.

    Dynamic programming, one letter of `key` against all letters of all `keys` at a time. D(i, j) is the best alignment
    of the first i letters with the first j, C(j) what it costs to write the first j in `keys` alone; steps that write
    there alone follow one another, so that D(i, j) - C(j) is a running maximum over j.
    """
    table = stacked(family)
    gaps = families.astype(np.intp)[:, None] * STEPS
    place = keys + gaps
    alone = table[0][place]
    written = np.zeros((len(keys), keys.shape[1] + 1), dtype=np.float32)
    np.cumsum(alone, axis=1, out=written[:, 1:])
    ends = np.count_nonzero(keys, axis=1)
    rows = np.arange(len(keys))
    best = np.zeros_like(written)
    found = np.full(len(keys), -np.inf, dtype=np.float32)
    for i, letter in enumerate(key, start=1):
        row = table[letter]
        match = np.take(row, place)
        match -= alone
        match += best[:, :-1]
        best += row[gaps]
        np.maximum(best[:, 1:], match, out=best[:, 1:])
        np.maximum.accumulate(best, axis=1, out=best)
        left = len(key) - i
        if left <= ENDING:
            np.maximum(found, best[rows, ends] + written[rows, ends] - prices()[left], out=found)
    for left in range(1, ENDING + 1):
        # A stem of two letters at least.
        at = np.maximum(ends - left, np.minimum(ends, 2))
        np.maximum(found, best[rows, at] + written[rows, at] - prices()[left], out=found)
    return found


@cache
def prices() -> FloatArray:
    """What it costs to take so many letters at the end for an ending, float32 (ENDING + 1,)."""
    prices = ENDING_ODDS + ENDING_LETTER * np.arange(ENDING + 1, dtype=np.float32)
    prices[0] = 0.0
    return prices
