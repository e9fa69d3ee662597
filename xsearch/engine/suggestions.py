"""Did you mean: for a word that no document has, the nearest words that some have."""

from __future__ import annotations

from dataclasses import dataclass

from xsearch.core import Query
from xsearch.engine.snapshot import Snapshot
from xsearch.lang import analyzer
from xsearch.lang.codes import UNKNOWN, base_language
from xsearch.lang.romanise import sound_key
from xsearch.lang.scripts import SYLLABIC, script_of
from xsearch.retrieve import Names

MOST = 3
"""Words suggested for one, of the `LOOKED_AT` nearest."""
LOOKED_AT = 10
LIKELY = 0.6
"""Probability from which on a word is worth suggesting."""
SLIPS = 2
"""Letters left out, put in, mistaken or swapped by which a word may differ from what is meant: more is another word, or
a compound, though it may sound alike."""
SHORT = 5
"""Letters up to which one of these is all: volcano is no velka (Czech, large), freeze no price."""
SHORTEST = 4
"""Letters of a key from which on a word is worth it: short words are like many others."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word of the query, folded, and the words it may be a misspelling of, likeliest first."""

    word: str
    nearest: tuple[str, ...]

    @property
    def note(self) -> str:
        """A sentence for the user."""
        return f"no document has '{self.word}': did you mean {' or '.join(self.nearest)}?"


def suggest(snapshot: Snapshot, query: Query) -> tuple[Suggestion, ...]:
    """For each word of the query that stands in no passage, words near it of the languages the query may be in: an
    English word that an index without English lacks is not a Tagalog one misspelt. Nothing for an index without names,
    nor where `query` was made without its spellings."""
    names = snapshot.retrievers.get("names")
    if not isinstance(names, Names):
        return ()
    spoken = {base_language(code) for code, _ in query.langs}
    langs = None if UNKNOWN in spoken else spoken
    found = []
    for spelling in query.spellings:
        # Of a script without spaces the index has no words that could be suggested.
        if spelling.among or len(spelling.key) < SHORTEST or script_of(spelling.form[0]) in SYLLABIC:
            continue
        if names.knows(spelling):
            continue
        # What is a word of the vocabulary, which is of many languages' words, is no slip: only this index lacks it.
        if len(snapshot.pieces.query_pieces(spelling.form)) == 1:
            continue
        near = names.near(spelling, LOOKED_AT, langs)
        # Another form of a word that is there is no slip either: words are looked up by their stems.
        if any(_stems(query, n.form) == _stems(query, spelling.form) for n in near):
            continue
        # Nor is one that sounds the same in kana: it may be how a passage's kanji are read.
        if spelling.family == "k" and any(sound_key(n.form) == spelling.key for n in near):
            continue
        meant = tuple(n.form for n in near if n.probability >= LIKELY and _a_slip(spelling.form, n.form))
        found += [Suggestion(spelling.form, meant[:MOST])] if meant else []
    return tuple(found)


def _a_slip(typed: str, meant: str) -> bool:
    """Whether few enough letters differ for `typed` to be `meant`, mistyped."""
    return slips(typed, meant) <= (1 if min(len(typed), len(meant)) <= SHORT else SLIPS)


def slips(typed: str, meant: str) -> int:
    """Letters to leave out, put in, change, or swap with their neighbour, each once, to make one word the other: the
    optimal string alignment distance (Damerau 1964), D_ij = min(D_i-1,j + 1, D_i,j-1 + 1, D_i-1,j-1 + [a_i != b_j],
    D_i-2,j-2 + 1 where a_i-1 a_i = b_j b_j-1)."""
    before, last = [0] * (len(meant) + 1), list(range(len(meant) + 1))
    for i, letter in enumerate(typed):
        row = [i + 1]
        for j, other in enumerate(meant):
            least = min(last[j + 1] + 1, row[j] + 1, last[j] + (letter != other))
            if i and j and letter == meant[j - 1] and typed[i - 1] == other:
                least = min(least, before[j - 1] + 1)
            row.append(least)
        before, last = last, row
    return last[-1]


def _stems(query: Query, word: str) -> list[str]:
    """A word's terms in the language that the query is likeliest in."""
    return analyzer(query.langs[0][0] if query.langs else UNKNOWN).terms(word)
