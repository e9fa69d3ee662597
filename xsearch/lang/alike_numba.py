"""`alike.likely` as loops compiled by numba: the sums of `spellings.alignment_odds` in the same order, so the same
numbers.

The same word stands in many languages and segments, so a key is compared once: `told_apart` numbers the distinct ones.
Keys that share no more than consonants with what is asked are given up as soon as what is left cannot make them likely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from xsearch.lang.romanise import MAX_KEY
from xsearch.lang.spellings import STEPS

Array = np.ndarray[Any, Any]
_compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(cache=True, nogil=True)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_ROUNDING = 0.01
"""What sums in float32 in another order may differ by, and more."""


@_compiled
def told_apart(codes: Array, starts: Array, lengths: Array, families: Array, skeletons: Array) -> Any:
    """Number the distinct keys of words that are in the order of their skeletons: each word's number, int32 (n,),
    ascending where it first comes up, and the first word of every number, int64.

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
            key = np.uint64(families[row]) + np.uint64(1)
            for i in range(lengths[row]):
                key = (key + np.uint64(codes[starts[row] + i])) * _SPREAD
            slot = np.int64(key >> np.uint64(33)) & (size - 1)
            while table[slot] >= 0:
                other = firsts[table[slot]]
                same = lengths[row] == lengths[other] and families[row] == families[other]
                if same and _equal(codes, starts[row], codes, starts[other], lengths[row]):
                    break
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot], firsts[done] = done, row
                done += 1
            numbers[row] = table[slot]
        begin = end
    return numbers, firsts[:done].copy()


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
    # All is unpacked here: a call that took tuples would count references to every array, for every key.
    family, kinds, skeleton, shift, slip = asked
    table, most, prices = steps_of
    codes, begins, families, skeletons, lowest_of = keys
    numbers, groups = words
    best = np.zeros(MAX_KEY + 1, dtype=np.float32)
    written = np.zeros(MAX_KEY + 1, dtype=np.float32)
    ahead = np.zeros(MAX_KEY + 1, dtype=np.float32)
    steps = np.zeros(MAX_KEY, dtype=np.int64)
    found = np.empty(0, dtype=np.float32)
    count = 0
    for i in range(len(ranges)):
        begin, end = ranges[i, 0], ranges[i, 1]
        if begin == end:
            continue
        first = np.int64(numbers[begin])
        last = np.int64(numbers[end]) if end < len(numbers) else len(families)
        if last - first > len(found):
            found = np.empty(2 * (last - first), dtype=np.float32)
        found[: last - first] = -np.inf
        some = False
        for number in range(first, last):
            start, kind = begins[number], families[number]
            size = begins[number + 1] - start
            begun = np.int64(skeletons[number]) >> shift == skeleton
            near = begun or kind != family or (slip and abs(size - len(key)) <= 2)
            if not near or not kinds[kind] or size > MAX_KEY:
                continue
            lowest = lowest_of[number]
            column = np.int64(kind) * STEPS
            bound = _laid(codes, start, size, column, most, steps)
            if bound < lowest - _ROUNDING:
                continue
            for j in range(size):
                written[j + 1] = written[j] + table[0, steps[j]]
                # What the letters from here on may still add.
                ahead[j] = written[j] + bound
                bound -= most[steps[j]]
            ahead[size] = written[size]
            own = _aligned(key, table, prices, column, steps, size, lowest - _ROUNDING, best, written, ahead)
            found[number - first] = own
            some |= own >= lowest
        if some:
            for row in range(begin, end):
                own = found[numbers[row] - first]
                if own >= least[groups[row]]:
                    rows[count], odds[count] = row, own
                    count += 1
    return count


@_compiled
def _laid(codes: Array, start: int, size: int, column: int, most: Array, steps: Array) -> Any:
    """Fill `steps` with the columns of a key's letters in the table; the most that they can add, float32."""
    bound = np.float32(0.0)
    for j in range(size):
        steps[j] = column + codes[start + j]
        bound += most[steps[j]]
    return bound


@_compiled
def _aligned(
    key: Array,
    table: Array,
    prices: Array,
    column: int,
    steps: Array,
    size: int,
    lowest: float,
    best: Array,
    written: Array,
    ahead: Array,
) -> Any:
    """The odds of the best alignment with the key whose letters are `steps` in a row of the table, float32; less where
    they are below `lowest`. ahead: what an alignment can come to from behind each letter on."""
    best[: size + 1] = 0.0
    likeliest, ending = np.float32(-np.inf), len(prices) - 1
    for i in range(len(key)):
        letter = key[i]
        left_out = table[letter, column]
        before = best[0]
        best[0] = before + left_out
        reach = best[0] + ahead[0]
        for j in range(size):
            match = (table[letter, steps[j]] - table[0, steps[j]]) + before
            before = best[j + 1]
            best[j + 1] = max(before + left_out, match, best[j])
            reach = max(reach, best[j + 1] + ahead[j + 1])
        left = len(key) - 1 - i
        if left <= ending:
            likeliest = max(likeliest, best[size] + written[size] - prices[left])
        if reach < lowest:
            return likeliest
    for left in range(1, ending + 1):
        # A stem of two letters at least.
        at = max(size - left, min(size, 2))
        likeliest = max(likeliest, best[at] + written[at] - prices[left])
    return likeliest


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
            return begin + np.flatnonzero(numbers[begin:end] == number)
    return found
