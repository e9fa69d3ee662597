"""Translations of pieces: p(target piece | source piece) for every pair of languages that the tables reach.

With joint weights w(e, f) of English pieces and those of another language (expected counts of word alignment),
p(f | e) = w(e, f) / Σ_f' w(e, f') and p(e | f) = w(e, f) / Σ_e' w(e', f). Two other languages meet through English,
p(g | f) = Σ_e p(e | f) p(g | e), and where they have a table of their own, in the mean of both: what is counted
directly is sharper, and what is not counted English may know. What no table knows is its own translation: names and
numbers mostly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsearch.core import FloatArray, IndexDamaged, IntArray, Translations
from xsearch.core.order import best_of_each, distinct
from xsearch.lang.codes import base_language, macrolanguage
from xsearch.lang.translation_file import MOST_COLUMNS, TableFile, read_tables

PIVOT = "en"
SCORE_FLOOR = 0.1
"""A table whose score lies below it is not used: it would mostly mislead."""

REMEMBERED = 1024
"""Sets of languages asked for whose paths are kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept of a piece's translations (Darwish and Oard 2003, section 4): the likeliest until `cumulative`
    probability is covered, at most `alternatives`, none less likely than `min_probability`."""

    min_probability: float = 0.01
    cumulative: float = 0.95
    alternatives: int = 12


DEFAULT_LIMITS = Limits()
Matched = tuple[IntArray, IntArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Sparse rows: entry j says that row `owners[j]` has `places[j]` with probability `values[j]`."""

    owners: IntArray
    places: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """How a language is translated into some. number: of those that are reached, but for itself. alone, both, composed:
    those of them that have a table with it and no way through the pivot, both, such a way. answered: of each language
    asked for, scripts and dialects too, the number whose translations are its; the source's own comes last."""

    number: Mapping[str, int]
    alone: Mapping[str, int]
    both: Mapping[str, int]
    composed: Mapping[str, int]
    answered: Mapping[str, int]


class TranslationTables:
    """The tables of one file. Safe to share between threads.

    Languages are those of `base_language`: scripts of one language share a table. One without a table of its own has
    that of its `macrolanguage`.
    """

    def __init__(self, file: TableFile, path: Path) -> None:
        self._file = file
        self._path = path
        header = file.header
        self._number = {language.code: number for number, language in enumerate(header.languages)}
        self._pair = {(pair.rows, pair.columns): k for k, pair in enumerate(header.pairs)}
        self._values = np.exp2(-np.arange(256) / header.levels).astype(np.float32)
        self._held: dict[str, IntArray] = {}
        self._paths: dict[tuple[str, ...], _Paths] = {}
        self._row_starts: dict[int, IntArray] = {}

    @staticmethod
    def open(path: Path) -> TranslationTables:
        """The tables in a file, mapped. Raises `IndexDamaged` where it is missing or cannot be read."""
        return TranslationTables(read_tables(path), path)

    @property
    def fingerprint(self) -> str:
        """Of all weights: tables of equal fingerprints translate alike."""
        return self._file.header.body

    @property
    def vocabulary(self) -> str:
        """Fingerprint of the encoder's pieces that the tables are made of."""
        return self._file.header.pieces

    def languages(self) -> tuple[str, ...]:
        """Codes of the languages, the pivot among them."""
        return tuple(self._number)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs that have a table of their own."""
        return tuple(self._pair)

    def pieces(self, lang: str) -> IntArray:
        """Piece numbers of a language's vocabulary, ascending. Raises `IndexDamaged` where they cannot be unpacked."""
        if lang not in self._held:
            self._held[lang] = self._file.pieces(self._number[lang])
        return self._held[lang]

    def supports(self, source: str, target: str) -> float:
        """How far translations from one language to another can be trusted, 0..1: 1 within a language, 0 where no
        path leads; the score of the table, or the product of two through English, whichever is higher."""
        source, target = self._listed(source), self._listed(target)
        if source == target:
            return 1.0
        return max(self._score(source, target), self._composed_score(source, target))

    def _listed(self, code: str) -> str:
        base = base_language(code)
        return base if base in self._number else macrolanguage(base)

    def _composed_score(self, source: str, target: str) -> float:
        return self._score(source, PIVOT) * self._score(PIVOT, target)

    def _score(self, source: str, target: str) -> float:
        pairs = self._file.header.pairs
        if (source, target) in self._pair:
            score = pairs[self._pair[source, target]].there
        elif (target, source) in self._pair:
            score = pairs[self._pair[target, source]].back
        else:
            return 0.0
        return score if score >= SCORE_FLOOR else 0.0

    def translate(
        self, tokens: NDArray[np.integer], source: str, targets: Sequence[str], limits: Limits = DEFAULT_LIMITS
    ) -> dict[str, Translations]:
        """Translations of `tokens` (q,) of a language into each of `targets` that can be reached, the source's own
        language among them (there, and where a piece has no translation, it is its own, with probability 1).

        Probabilities of one piece sum to 1 or less: what `limits` cut off is lost, not spread over the rest. Raises
        `IndexDamaged` where the file points outside itself.
        """
        source = self._listed(source)
        paths = self._paths_to(source, targets)
        if not paths.number:
            own = np.asarray(tokens, dtype=np.int32)
            only = Translations(np.arange(len(own) + 1), own, np.ones(len(own), np.float32))
            return dict.fromkeys(paths.answered, only)
        unique, places = np.unique(np.asarray(tokens, dtype=np.int64), return_inverse=True)
        # All languages at once: row i of language l is row l · len(unique) + i.
        found = [self._direct(unique, source, paths.alone)] if paths.alone else []
        if paths.composed:
            english = _pruned(self._direct(unique, source, {PIVOT: 0}), limits)
            through = self._through(english, paths.composed, len(unique))
            found.append(_mean(self._direct(unique, source, paths.both), through) if paths.both else through)
        last = len(paths.number)
        itself = _Entries(last * len(unique) + np.arange(len(unique)), unique, np.ones(len(unique), np.float32))
        kept = [_pruned(entries, limits) for entries in found]
        rows = _rows(_joined([*kept, itself]), np.tile(unique, last + 1))
        return _taken(rows, paths.answered, len(unique), places)

    def _paths_to(self, source: str, targets: Sequence[str]) -> _Paths:
        asked = (source, *targets)
        found = self._paths.get(asked)
        if found is None:
            if len(self._paths) >= REMEMBERED:
                self._paths.clear()
            found = self._paths[asked] = self._found_paths(source, targets)
        return found

    def _found_paths(self, source: str, targets: Sequence[str]) -> _Paths:
        wanted = {target: self._listed(target) for target in targets}
        reached = dict.fromkeys(base for base in wanted.values() if self.supports(source, base) > 0)
        number = {base: place for place, base in enumerate(base for base in reached if base != source)}
        direct = {base: place for base, place in number.items() if self._score(source, base) > 0}
        composed = {base: place for base, place in number.items() if self._composed_score(source, base) > 0}
        alone, both = ({base: direct[base] for base in direct if (base in composed) is met} for met in (False, True))
        rows = number | {source: len(number)}
        answered = {target: rows[base] for target, base in wanted.items() if base in rows}
        return _Paths(number, alone, both, composed, answered)

    def _direct(self, tokens: IntArray, source: str, targets: Mapping[str, int]) -> _Entries:
        """p(target piece | token) from the tables of the pairs, as piece numbers; rows are numbered by the target's
        number times the tokens, plus the token's place."""
        pieces = self.pieces(source)
        places = np.searchsorted(pieces, tokens)
        known = np.flatnonzero(places < len(pieces))
        known = known[pieces[places[known]] == tokens[known]]
        entries = self._translated(source, places[known], targets)
        numbers, rows = np.divmod(entries.owners, max(1, len(known)))
        return _Entries(numbers * len(tokens) + known[rows], entries.places, entries.values)

    def _through(self, english: _Entries, targets: Mapping[str, int], count: int) -> _Entries:
        """Σ_e p(e | token) p(g | e) for several languages; `english` the pivot's pieces of `count` tokens."""
        rows = np.searchsorted(self.pieces(PIVOT), english.places)
        entries = self._translated(PIVOT, rows, targets)
        numbers, which = np.divmod(entries.owners, max(1, len(rows)))
        owners = numbers * count + english.owners[which]
        return _summed(owners, entries.places, entries.values * english.values[which])

    def _translated(self, source: str, rows: IntArray, targets: Mapping[str, int]) -> _Entries:
        """p(target piece | source piece) for rows of the source's vocabulary, as piece numbers. Row i in a target is
        numbered by the target's number times the rows, plus i."""
        straight = [target for target in targets if (source, target) in self._pair]
        parts = [self._of_rows([self._pair[source, target] for target in straight], rows)]
        owners, _, _ = parts[0]
        ends = np.searchsorted(owners, np.arange(1, len(straight) + 1) * len(rows))
        blocks = list(zip(straight, np.split(parts[0][1], ends[:-1]) if straight else [], strict=True))
        shift = np.array([targets[target] - place for place, target in enumerate(straight)], dtype=np.int64) * len(rows)
        parts[0] = (owners + np.repeat(shift, np.diff(ends, prepend=0)), *parts[0][1:])
        for target in targets:
            if (source, target) not in self._pair:
                unique, which = np.unique(rows, return_inverse=True)
                again, columns, weights = _repeated(self._of_columns(self._pair[target, source], unique), which)
                parts.append((again + targets[target] * len(rows), columns, weights))
                blocks.append((target, columns))
        owners, weights = (np.concatenate([part[i] for part in parts]) for i in (0, 2))
        places = [self.pieces_at(target, columns) for target, columns in blocks]
        sums = np.bincount(owners, weights=weights)
        values = (weights / sums[owners]).astype(np.float32)
        return _Entries(owners, np.concatenate([np.zeros(0, np.int64), *places]), values)

    def _starts(self, pair: int) -> IntArray:
        """Where the rows of a table begin, made when it is first used."""
        if pair not in self._row_starts:
            self._row_starts[pair] = self._file.starts(pair)
        return self._row_starts[pair]

    def _of_rows(self, pairs: Sequence[int], rows: IntArray) -> Matched:
        """(table times the rows, plus place in `rows`; column; joint weight) of all entries of rows of some tables, one
        table after the other, row after row."""
        starts = [self._starts(pair) for pair in pairs]
        begins = np.concatenate([np.zeros(0, np.int64), *(start[rows] for start in starts)])
        sizes = np.concatenate([np.zeros(0, np.int64), *(start[rows + 1] for start in starts)]) - begins
        owners = np.repeat(np.arange(len(sizes)), sizes)
        at = np.arange(len(owners)) + np.repeat(begins - (np.cumsum(sizes) - sizes), sizes)
        return owners, self._file.places[at].astype(np.int64), self._values[self._file.codes[at]]

    def _of_columns(self, pair: int, columns: IntArray) -> Matched:
        """(place in `columns`, row, joint weight) of all entries of columns of a table, in order of `columns`. Every
        entry of the table is looked at: it is small."""
        starts = self._starts(pair)
        begin, end = starts[0], starts[-1]
        wanted = np.full(MOST_COLUMNS, -1, dtype=np.int32)
        wanted[columns] = np.arange(len(columns))
        owners = wanted.take(self._file.places[begin:end])
        at = np.flatnonzero(owners >= 0)
        at = at[np.argsort(owners[at], kind="stable")]
        rows = np.searchsorted(starts, begin + at, side="right") - 1
        return owners[at].astype(np.int64), rows, self._values[self._file.codes[begin + at]]

    def pieces_at(self, lang: str, places: IntArray) -> IntArray:
        """Piece numbers at places of a language's vocabulary. Raises `IndexDamaged` for places it does not have."""
        pieces = self.pieces(lang)
        if len(places) and places.max() >= len(pieces):
            raise IndexDamaged(f"{self._path}: a translation points outside its language: install or train it again")
        return pieces[places]


def _repeated(matched: Matched, which: IntArray) -> Matched:
    """Entries grouped by owner (ascending) for every element of `which`, a list of owners, repetitions included."""
    owners, places, values = matched
    starts = np.searchsorted(owners, np.arange(which.max(initial=-1) + 2))
    sizes = np.diff(starts)[which]
    again = np.repeat(np.arange(len(which)), sizes)
    at = np.arange(len(again)) + np.repeat(starts[which] - (np.cumsum(sizes) - sizes), sizes)
    return again, places[at], values[at]


def _summed(owners: IntArray, places: IntArray, values: FloatArray) -> _Entries:
    """Entries of the same owner and place added up, by owner, then place."""
    # One sort of one number.
    bits = int(places.max(initial=0)).bit_length()
    keys, _, where = distinct((owners << bits) | places)
    sums = np.bincount(where, weights=values, minlength=len(keys)).astype(np.float32)
    return _Entries(keys >> bits, keys & ((1 << bits) - 1), sums)


def _mean(some: _Entries, others: _Entries) -> _Entries:
    """Both, half each; of an owner that only one of them has, that one."""
    owners = np.concatenate((some.owners, others.owners))
    shared = np.logical_and(
        *(np.bincount(part.owners, minlength=owners.max(initial=-1) + 1) > 0 for part in (some, others))
    )
    values = np.concatenate((some.values, others.values)) * np.where(shared[owners], np.float32(0.5), np.float32(1))
    return _summed(owners, np.concatenate((some.places, others.places)), values)


def likeliest(owners: IntArray, values: FloatArray, limits: Limits) -> IntArray:
    """The places of the entries that `limits` leave, by owner, the likeliest first; equal ones in the order given.

    owners: int64 (m,). values: float32 (m,), probabilities given the owner.
    """
    # What is too unlikely comes last in its row, so that leaving it out first changes nothing and spares the sort.
    order = np.flatnonzero(values >= limits.min_probability)
    order = order[best_of_each(owners[order], values[order])]
    owners, values = owners[order], values[order]
    first = np.searchsorted(owners, owners)
    before = np.cumsum(values, dtype=np.float64) - values
    kept = (np.arange(len(owners)) - first < limits.alternatives) & (before - before[first] < limits.cumulative)
    return order[kept]


def _pruned(entries: _Entries, limits: Limits) -> _Entries:
    kept = likeliest(entries.owners, entries.values, limits)
    return _Entries(entries.owners[kept], entries.places[kept], entries.values[kept])


def _rows(entries: _Entries, tokens: IntArray) -> _Entries:
    """The entries, and a token without any as its own."""
    silent = np.flatnonzero(np.bincount(entries.owners, minlength=len(tokens)) == 0)
    owners = np.concatenate((entries.owners, silent))
    order = np.argsort(owners, kind="stable")
    return _Entries(
        owners[order],
        np.concatenate((entries.places, tokens[silent]))[order],
        np.concatenate((entries.values, np.ones(len(silent), dtype=np.float32)))[order],
    )


def _joined(parts: Sequence[_Entries]) -> _Entries:
    return _Entries(
        np.concatenate([part.owners for part in parts]),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def _taken(entries: _Entries, numbers: Mapping[str, int], count: int, which: IntArray) -> dict[str, Translations]:
    """The rows `which` of some languages, of `count` each, told by their numbers."""
    asked = (np.fromiter(numbers.values(), dtype=np.int64)[:, None] * count + which).ravel()
    owners, places, values = _repeated((entries.owners, entries.places, entries.values), asked)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(asked)))])
    tokens, found = places.astype(np.int32), {}
    for place, target in enumerate(numbers):
        own = starts[place * len(which) : (place + 1) * len(which) + 1]
        found[target] = Translations(own - own[0], tokens[own[0] : own[-1]], values[own[0] : own[-1]])
    return found
