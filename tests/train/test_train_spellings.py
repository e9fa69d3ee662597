"""Tables of spellings: expected steps against every alignment of a pair, what is learnt from pairs made by a rule."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from xsearch.lang.romanise import ALPHABET, codes_of
from xsearch.lang.spellings import STEPS
from xsearch.train.names import train_spellings
from xsearch.train.spellings import _expected, learn, start


def alignments(one: list[int], two: list[int]) -> Iterator[list[tuple[int, int]]]:
    if not one and not two:
        yield []
    if one and two:
        yield from ([(one[0], two[0]), *rest] for rest in alignments(one[1:], two[1:]))
    if one:
        yield from ([(one[0], 0), *rest] for rest in alignments(one[1:], two))
    if two:
        yield from ([(0, two[0]), *rest] for rest in alignments(one, two[1:]))


def test_expected_steps_are_those_of_all_alignments():
    rng = np.random.default_rng(4)
    table = rng.random((STEPS, STEPS))
    table[0, 0] = 0
    table /= table.sum()
    pairs = [("abe", "be"), ("tas", "tosu"), ("k", "g")]
    expected = np.zeros((STEPS, STEPS))
    for one, two in pairs:
        ways = list(alignments(codes_of([one])[0].tolist(), codes_of([two])[0].tolist()))
        worth = [np.prod([table[step] for step in way]) for way in ways]
        for way, weight in zip(ways, worth, strict=True):
            for step in way:
                expected[step] += weight / sum(worth)
    assert np.allclose(_expected(table, pairs), expected)


def test_a_rule_is_learnt():
    rng = np.random.default_rng(5)
    consonants = list("bdfklmnrst")
    pairs = []
    for _ in range(300):
        name = "".join(rng.choice(consonants) + rng.choice(list("aeo")) for _ in range(3))
        # In the other writing r is l, and a is not written.
        pairs.append((name, name.replace("r", "l").replace("a", "")))
    table = learn(pairs)
    code = {letter: i for i, letter in enumerate(ALPHABET, start=1)}
    assert table.sum() == pytest.approx(1)
    assert table[0, 0] == 0
    assert table[code["r"], code["l"]] > 20 * table[code["r"], code["r"]]
    assert table[code["a"], 0] > 20 * table[code["a"], code["a"]]
    assert table[code["e"], code["e"]] > 20 * table[code["e"], 0]
    assert np.allclose(start().sum(), 1)


def test_the_table_comes_from_names_that_are_alike_and_not_excluded(tmp_path):
    rows = [
        {"en": ["Volgograd"], "ru": ["Волгоград"]},
        {"en": ["Germany"], "ru": ["Нидерланды"]},
        {"en": ["Anna Karenina"], "ru": ["Каренина"]},
    ]
    (tmp_path / "names.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    learnt = train_spellings([tmp_path / "names.jsonl"])
    nothing = train_spellings([tmp_path / "names.jsonl"], excluded=["VOLGOGRAD"])
    (tmp_path / "names.jsonl").write_text(json.dumps(rows[0]), encoding="utf-8")
    assert train_spellings([tmp_path / "names.jsonl"]) == learnt
    assert learnt != nothing
    assert len([line for line in learnt.splitlines() if not line.startswith("#")]) == 7 * STEPS
