"""`alike.likely` as loops compiled by numba: the sums of `spellings.alignment_odds` in the same order, so the same
numbers.

The same word stands in many languages and segments, so a key is compared once: `told_apart` numbers the distinct ones.
Those that a bound does not rule out are aligned many at a time, as `spellings.alignment_odds` does: within one key each
step would wait for the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.lang.romanise import FAMILIES, MAX_KEY
from xsearch.lang.spellings import STEPS

Array = np.ndarray[Any, Any]
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_LANES = 128
"""Keys aligned together: what is computed of them stays in a core's nearest cache."""
_SHAPES = len(FAMILIES) * (MAX_KEY + 1)
"""Families and lengths of keys."""
_ROUNDING = 0.01
"""What sums in float32 in another order may differ by, and more."""


@_compiled
def hashes(codes: Array, starts: Array, lengths: Array, families: Array, order: Array) -> Any:
    """A hash of every key with its family, uint64 (n,). order: where each key stands among the codes, in which they are
    read: as they come in the rows, most would have to be fetched from memory."""
    begins, ends = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    for row in range(len(order)):
        begins[order[row]], ends[order[row]] = starts[row], starts[row] + lengths[row]
    found = np.empty(len(order), dtype=np.uint64)
    for place in range(len(order)):
        key = np.uint64(0)
        for at in range(begins[place], ends[place]):
            key = (key + np.uint64(codes[at])) * _SPREAD
        found[place] = key ^ key >> np.uint64(32)
    keys = np.empty(len(order), dtype=np.uint64)
    for row in range(len(order)):
        keys[row] = (found[order[row]] + np.uint64(families[row])) * _SPREAD
    return keys


@_compiled
def told_apart(keys: Array, skeletons: Array) -> Any:
    """Number the distinct keys, told by hashes, of words that are in the order of their skeletons: each word's number,
    int32 (n,), ascending where it first comes up, and the first word of every number, int64.

    A table for the words of a skeleton alone stays in a processor's cache.
    """
    count = len(skeletons)
    numbers, firsts = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int64)
    table = np.empty(16, dtype=np.int32)
    done, begin = 0, 0
    while begin < count:
        end = begin + 1
        while end < count and skeletons[end] == skeletons[begin]:
            end += 1
        size = 16
        while size < 2 * (end - begin):
            size *= 2
        if size > len(table):
            table = np.empty(size, dtype=np.int32)
        table[:size] = -1
        for row in range(begin, end):
            slot = np.int64(keys[row] >> np.uint64(33)) & (size - 1)
            while table[slot] >= 0 and keys[firsts[table[slot]]] != keys[row]:
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot], firsts[done] = done, row
                done += 1
            numbers[row] = table[slot]
        begin = end
    return numbers, firsts[:done].copy()


@_compiled
def taken(codes: Array, starts: Array, lengths: Array, rows: Array) -> Any:
    """The codes of some rows end to end, uint8, and where each begins and the last ends, int64."""
    begins = np.zeros(len(rows) + 1, dtype=np.int64)
    for i in range(len(rows)):
        begins[i + 1] = begins[i] + lengths[rows[i]]
    found = np.empty(begins[-1], dtype=np.uint8)
    for i in range(len(rows)):
        for j in range(lengths[rows[i]]):
            found[begins[i] + j] = codes[starts[rows[i]] + j]
    return found, begins


@_compiled
def lowest_of(numbers: Array, groups: Array, least: Array, count: int) -> Any:
    """Of each key the least that is asked for of a group with it, float64 (count,). least: of the groups."""
    found = np.full(count, np.inf)
    for row in range(len(numbers)):
        found[numbers[row]] = min(found[numbers[row]], least[groups[row]])
    return found


@_compiled
def _equal(some: Array, begin: int, others: Array, start: int, size: int) -> bool:
    """Whether so many numbers are equal from a place on in both."""
    at = 0
    while at < size and some[begin + at] == others[start + at]:
        at += 1
    return at == size


@_compiled
def likely(
    key: Array, asked: Any, steps_of: Any, keys: Any, words: Any, ranges: Array, least: Array, rows: Array, odds: Array
) -> int:
    """Fill `rows`, int64, and `odds`, float32, and return how many there are. asked: family, kinds, skeleton, shift and
    slip of `alike.Asked`. steps_of: table of steps, what a letter can add, what it costs to leave out so many letters
    at the end. keys: of the distinct keys codes, where each begins and the last ends, families, skeletons and the least
    that a group with the key asks for. words: numbers of their keys and groups."""
    table, most, prices = steps_of
    lowest, (numbers, groups) = keys[4], words
    befores = _places_of(ranges, numbers, len(lowest))
    chosen, places, shapes = _worth(key, asked, most, keys, ranges, numbers, befores)
    found = np.empty(befores[-1], dtype=np.float32)
    _fill(found, np.float32(-np.inf), len(found))
    own = _odds(key, table, prices, keys[0], keys[1], chosen, shapes)
    count = at = 0
    for i in range(len(ranges)):
        some = False
        while at < len(chosen) and places[at] < befores[i + 1]:
            found[places[at]] = own[at]
            some |= own[at] >= lowest[chosen[at]]
            at += 1
        if some:
            shift = befores[i] - np.int64(numbers[ranges[i, 0]])
            for row in range(ranges[i, 0], ranges[i, 1]):
                odd = found[numbers[row] + shift]
                if odd >= least[groups[row]]:
                    rows[count], odds[count] = row, odd
                    count += 1
    return count


@_compiled
def _places_of(ranges: Array, numbers: Array, keys: int) -> Any:
    """How many distinct keys come before each range, and in all: int64 (ranges + 1,)."""
    befores = np.zeros(len(ranges) + 1, dtype=np.int64)
    for i in range(len(ranges)):
        begin, end = ranges[i, 0], ranges[i, 1]
        befores[i + 1] = befores[i]
        if begin < end:
            last = np.int64(numbers[end]) if end < len(numbers) else keys
            befores[i + 1] += last - np.int64(numbers[begin])
    return befores


@_compiled
def _worth(key: Array, asked: Any, most: Array, keys: Any, ranges: Array, numbers: Array, befores: Array) -> Any:
    """The keys that are compared and that a bound does not rule out: their numbers, their places among the keys of all
    ranges, and family and length of each as one number."""
    family, kinds, skeleton, shift, slip = asked
    codes, begins, families, skeletons, lowest = keys
    total = befores[-1]
    chosen, places = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    shapes = np.empty(total, dtype=np.int64)
    count = 0
    for i in range(len(ranges)):
        if befores[i] == befores[i + 1]:
            continue
        first = np.int64(numbers[ranges[i, 0]])
        for number in range(first, first + befores[i + 1] - befores[i]):
            start, kind = begins[number], families[number]
            size = begins[number + 1] - start
            begun = np.int64(skeletons[number]) >> shift == skeleton
            near = begun or kind != family or (slip and abs(size - len(key)) <= 2)
            if not near or not kinds[kind] or size > MAX_KEY:
                continue
            column = np.int64(kind) * STEPS
            bound = np.float32(0.0)
            for j in range(size):
                bound += most[column + codes[start + j]]
            # Less a little for sums in float32.
            if bound >= lowest[number] - _ROUNDING:
                chosen[count], places[count] = number, befores[i] + number - first
                shapes[count] = kind * (MAX_KEY + 1) + size
                count += 1
    return chosen[:count], places[:count], shapes[:count]


@_compiled
def _odds(key: Array, table: Array, prices: Array, codes: Array, begins: Array, chosen: Array, shapes: Array) -> Any:
    """The odds of some keys, float32 (n,). Those of a shape are aligned together, a letter of each at a time: what one
    step makes, the next does not wait for."""
    found = np.empty(len(chosen), dtype=np.float32)
    order = _by_shape(shapes)
    letters = np.empty((MAX_KEY, _LANES), dtype=np.uint8)
    written = np.zeros((MAX_KEY + 1, _LANES), dtype=np.float32)
    best = np.empty((MAX_KEY + 1, _LANES), dtype=np.float32)
    before, own = np.empty(_LANES, dtype=np.float32), np.empty(_LANES, dtype=np.float32)
    begin = 0
    while begin < len(order):
        shape = shapes[order[begin]]
        end = begin + 1
        while end < len(order) and end < begin + _LANES and shapes[order[end]] == shape:
            end += 1
        size, column, count = shape % (MAX_KEY + 1), shape // (MAX_KEY + 1) * STEPS, end - begin
        for lane in range(count):
            start = begins[chosen[order[begin + lane]]]
            for j in range(size):
                letters[j, lane] = codes[start + j]
        _align(key, table, column, prices, size, count, letters, written, best, before, own)
        for lane in range(count):
            found[order[begin + lane]] = own[lane]
        begin = end
    return found


@_compiled
def _by_shape(shapes: Array) -> Any:
    """Places by ascending shape, counted."""
    ends = np.zeros(_SHAPES + 1, dtype=np.int64)
    for shape in shapes:
        ends[shape + 1] += 1
    for shape in range(_SHAPES):
        ends[shape + 1] += ends[shape]
    order = np.empty(len(shapes), dtype=np.int64)
    for i in range(len(shapes)):
        order[ends[shapes[i]]] = i
        ends[shapes[i]] += 1
    return order


@_compiled
def _align(
    key: Array,
    table: Array,
    column: int,
    prices: Array,
    size: int,
    count: int,
    letters: Array,
    written: Array,
    best: Array,
    before: Array,
    odds: Array,
) -> None:
    """Fill `odds` with those of the best alignment of `count` keys of `size` letters. column: where the steps of their
    family begin in the table. best, before: room to compute in."""
    ending, first = len(prices) - 1, np.float32(0.0)
    alone, gain = np.zeros(STEPS, dtype=np.float32), np.zeros(STEPS, dtype=np.float32)
    for letter in range(STEPS):
        alone[letter] = table[0, column + letter]
    _fill(odds, np.float32(-np.inf), count)
    _fill(best[0], first, count)
    for j in range(size):
        _fill(best[j + 1], first, count)
        _add(alone, letters[j], written[j], written[j + 1], count)
    for i in range(len(key)):
        left_out = table[key[i], column]
        for letter in range(STEPS):
            gain[letter] = table[key[i], column + letter] - alone[letter]
        _fill(before, first, count)
        first += left_out
        _fill(best[0], first, count)
        for j in range(size):
            _step(gain, letters[j], best[j], best[j + 1], before, left_out, count)
        left = len(key) - 1 - i
        if left <= ending:
            _end(best[size], written[size], prices[left], odds, count)
    for left in range(1, ending + 1):
        # A stem of two letters at least.
        at = max(size - left, min(size, 2))
        _end(best[at], written[at], prices[left], odds, count)


@_compiled
def _fill(numbers: Array, value: float, count: int) -> None:
    for lane in range(count):
        numbers[lane] = value


@_compiled
def _add(alone: Array, letters: Array, here: Array, ahead: Array, count: int) -> None:
    """What it costs to write the keys' letters alone, one letter further."""
    for lane in range(count):
        ahead[lane] = here[lane] + alone[letters[lane]]


@_compiled
def _step(gain: Array, letters: Array, here: Array, ahead: Array, before: Array, left_out: float, count: int) -> None:
    """A letter of the key against one of each key: `here` and `ahead` are the best alignments up to the letter before
    and up to this one, `before` those that `here` had before this letter of the key."""
    for lane in range(count):
        match = gain[letters[lane]] + before[lane]
        before[lane] = ahead[lane]
        ahead[lane] = max(before[lane] + left_out, match, here[lane])


@_compiled
def _end(best: Array, written: Array, price: float, odds: Array, count: int) -> None:
    """Take what alignments come to that end here."""
    for lane in range(count):
        odds[lane] = max(odds[lane], best[lane] + written[lane] - price)


@_compiled
def of_key(key: Array, family: int, keys: Any, numbers: Array, begin: int, end: int) -> Any:
    """The words from `begin` to before `end` with exactly this key, int64: those of one number. keys: as `likely` has
    them."""
    codes, begins, families, _, _ = keys
    found = np.empty(0, dtype=np.int64)
    if begin == end:
        return found
    last = numbers[end] if end < len(numbers) else len(begins) - 1
    for number in range(numbers[begin], last):
        same = begins[number + 1] - begins[number] == len(key) and families[number] == family
        if same and _equal(codes, begins[number], key, 0, len(key)):
            found, count = np.empty(end - begin, dtype=np.int64), 0
            for row in range(begin, end):
                if numbers[row] == number:
                    found[count] = row
                    count += 1
            return found[:count]
    return found
