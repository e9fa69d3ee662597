"""Likely words against alignment odds of every pair, by NumPy and by compiled loops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xsearch.core.extras import have
from xsearch.lang import alike as module
from xsearch.lang.alike import Asked, Keys, Words, likely
from xsearch.lang.romanise import FAMILIES, MAX_KEY, SKELETON, codes_of, skeleton
from xsearch.lang.spellings import alignment_odds

LETTERS = np.array(list("aeiubdfgklmnrstvS"))
GROUPS = 3


def words_of(seed: int, count: int = 600) -> tuple[Words, list[str], list[str]]:
    """Random words, many of them the same or nearly, in the order of their skeletons; their keys and families."""
    rng = np.random.default_rng(seed)
    stems = ["".join(rng.choice(LETTERS, rng.integers(1, 9))) for _ in range(40)]
    endings = ["", "", "", "a", "ov", "skaia", "kanda"]
    keys = ["".join(rng.choice([stems[rng.integers(40)], *endings], 2))[:MAX_KEY] for _ in range(count)]
    keys = [key or "a" for key in keys]
    families = [FAMILIES[number] for number in rng.choice(len(FAMILIES), count)]
    rows = sorted(
        zip((skeleton(k, f == "a") for k, f in zip(keys, families, strict=True)), keys, families, strict=True)
    )
    skeletons, keys, families = (list(column) for column in zip(*rows, strict=True))
    shuffled = rng.permutation(count)
    lengths = np.array([len(key) for key in keys])
    starts = np.empty(count, dtype=np.int64)
    starts[shuffled] = np.cumsum(lengths[shuffled]) - lengths[shuffled]
    codes = np.concatenate([codes_of([keys[i]])[0] for i in shuffled]).astype(np.uint8)
    kinds = np.array([FAMILIES.index(kind) for kind in families], dtype=np.uint8)
    groups = rng.integers(0, GROUPS, count).astype(np.uint16)
    found = Keys(codes, starts, lengths, kinds)
    order = np.empty(count, dtype=np.uint32)
    order[shuffled] = np.arange(count)
    least = np.array([-1.0, 2.5, 6.0])
    return Words(found, np.array(skeletons, dtype=np.uint32), groups, least, order), keys, families


def asked_of(key: str, family: str, among: str) -> Asked:
    own = skeleton(key)
    consonants = len(f"{own:o}".rjust(SKELETON, "0").rstrip("0")) if own else 0
    shift = 3 * (SKELETON - consonants)
    kinds = np.array([kind in among for kind in FAMILIES])
    return Asked(codes_of([key])[0].astype(np.uint8), family, kinds, own >> shift, shift, consonants > 3)


def expected(asked: Asked, words: Words, keys: list[str], ranges: np.ndarray) -> dict[int, float]:
    found = {}
    for row in (row for begin, end in ranges.tolist() for row in range(begin, end)):
        kind = int(words.keys.families[row])
        begun = int(words.skeletons[row]) >> asked.shift == asked.skeleton
        slip = asked.slip and abs(len(keys[row]) - len(asked.key)) <= 2
        if not asked.kinds[kind] or (FAMILIES[kind] == asked.family and not begun and not slip):
            continue
        codes = codes_of([keys[row]]).astype(np.uint8)
        odds = float(alignment_odds(asked.key, asked.family, codes, np.array([kind], dtype=np.uint8))[0])
        if odds >= words.least[words.groups[row]]:
            found[row] = odds
    return found


def ranges_of(words: Words, rng: np.random.Generator) -> np.ndarray:
    """Some of the skeletons, as ranges of rows; neighbours make one."""
    edges = np.flatnonzero(np.diff(words.skeletons, prepend=-1, append=-1))
    chosen = np.flatnonzero(rng.random(len(edges) - 1) < 0.6)
    return np.stack((edges[chosen], edges[chosen + 1]), axis=1)


@pytest.fixture(params=["numpy", "numba"])
def loops(request, monkeypatch):
    if request.param == "numba" and not have("numba"):
        pytest.skip("numba is not installed")
    module._compiled.cache_clear()
    monkeypatch.setattr(module, "MANY", 0 if request.param == "numba" else 1 << 60)
    yield request.param
    module._compiled.cache_clear()


@pytest.mark.parametrize("among", [FAMILIES, "cz", "l"])
@pytest.mark.parametrize("family", ["l", "c", "a"])
def test_likely_words_are_those_of_every_pair(loops, family, among):
    words, keys, _ = words_of(3)
    rng = np.random.default_rng(4)
    some = 0
    for key in [*rng.choice(keys, 6).tolist(), "b", "dostaievski"]:
        ranges = ranges_of(words, rng)
        asked = asked_of(key, family, among)
        rows, odds = likely(asked, words, ranges)
        right = expected(asked, words, keys, ranges)
        assert rows.tolist() == sorted(right)
        # Alone or among others, the sums are the same to the last bit.
        assert odds.tolist() == list(right.values())
        some += len(right)
    assert some


def test_words_of_a_key_are_those_that_have_it(loops):
    words, keys, families = words_of(5)
    everything = np.array([[0, len(keys)]])
    likely(asked_of("a", "l", FAMILIES), words, everything)
    edges = np.flatnonzero(np.diff(words.skeletons, prepend=-1, append=-1)).tolist()
    for begin, end in pairwise(edges):
        for key, family in ((keys[begin], families[begin]), (keys[end - 1], "l"), (keys[begin] + "a", "c")):
            rows = words.of_key(codes_of([key])[0].astype(np.uint8), family, begin, end)
            assert rows.tolist() == [i for i in range(begin, end) if (keys[i], families[i]) == (key, family)]
    assert words.of_key(codes_of(["a"])[0].astype(np.uint8), "l", len(keys), len(keys)).tolist() == []
