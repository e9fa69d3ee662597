"""Questions without a neural model: the words that a passage turns on, translated by tables and checked by vectors.

A passage's words are ranked by what the encoder has learnt that they say, times 1 + ln tf. What a word may be in
the language asked for comes from the translation tables, piece by piece; of these pieces the one is taken whose vector
is nearest to the word's. Two sources that err differently must agree: a table knows pieces and no words, a vector knows
no spelling. (Words put together of several pieces were tried: nearly all were none.) Words near to nothing are left
out; names in a script that both languages are written in stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xsearch import lang as languages
from xsearch.core import FloatArray, QueryPieces
from xsearch.encode import StaticEncoder
from xsearch.generate.protocol import Made, SourcePassage
from xsearch.generate.sieve import has_letters_of
from xsearch.lang.translation import Limits, TranslationTables

SAYS_LITTLE = 0.9
"""Weight below which the encoder takes a word for an article, a preposition or the like."""
SAYS_SOMETHING = 1.0
"""Weight of a translation: a preposition that slips in here is a rare word among the questions, and finds anything."""
WORDS_A_QUESTION = 8
NEAR = 0.45
"""Cosine from which on a translation is believed."""
TRANSLATIONS, NEARLY_BEST = 3, 0.8
"""So many translations of a word are taken, of those whose cosine is at least this share of the best one's: who asks
may use any of them."""
LIMITS = Limits(min_probability=0.03, cumulative=0.97, alternatives=8)
START = "\u2581"
CAPITAL_NOUNS = frozenset({"de", "lb", "gsw", "nds"})
"""Languages that write every noun as others write names."""
REMEMBERED = 200_000


class _Word(NamedTuple):
    """A word of a passage: as written, the numbers of its pieces, what it says."""

    text: str
    pieces: tuple[int, ...]
    weight: float


class LexicalGenerator:
    """Makes questions by translation tables of an encoder's pieces. Not for several threads at once."""

    name = "lexical"
    batch = 512
    is_running_text = False

    def __init__(self, encoder: StaticEncoder, tables: TranslationTables) -> None:
        self._encoder, self._tables = encoder, tables
        self.fingerprint = f"{tables.fingerprint[:16]}-{encoder.card.fingerprint[:16]}"
        self._known: dict[tuple[str, str, tuple[int, ...]], tuple[tuple[str, float], ...]] = {}

    def settings(self) -> dict[str, Any]:
        """What its questions depend on besides weights."""
        return {"words": WORDS_A_QUESTION, "near": NEAR, "nearly": NEARLY_BEST, "translations": TRANSLATIONS}

    def speaks(self, lang: str) -> bool:
        """Whether tables lead to a language from any other."""
        return languages.base_language(lang) in self._tables.languages()

    def generate(self, passages: Sequence[SourcePassage], lang: str, count: int, seed: int) -> list[list[Made]]:
        """Questions of `WORDS_A_QUESTION` words, the words that say most in the first; nothing is drawn at random."""
        target = languages.base_language(lang)
        words = [self._words(passage) for passage in passages]
        self._learn(words, passages, target)
        return [self._questions(own, passage, target, count) for own, passage in zip(words, passages, strict=True)]

    def _questions(self, words: Sequence[_Word], passage: SourcePassage, target: str, count: int) -> list[Made]:
        source = languages.base_language(passage.lang)
        found: dict[str, None] = {}
        for word in words:
            translated = () if source == target else self._known[source, target, word.pieces]
            found |= dict.fromkeys(text for text, _ in translated)
            if source == target or (not translated and _is_name(word.text, source, target)):
                found[word.text] = None
        wanted = list(found)[: count * WORDS_A_QUESTION]
        return [Made(" ".join(wanted[at : at + WORDS_A_QUESTION])) for at in range(0, len(wanted), WORDS_A_QUESTION)]

    def _words(self, passage: SourcePassage) -> list[_Word]:
        """The words of a passage that say something, those that say most first."""
        text = f"{passage.title}\n{passage.text}" if passage.title else passage.text
        pieces = self._encoder.query_pieces(text)
        bounds = _word_bounds(pieces, self._encoder.begins_word(pieces.tokens))
        said: dict[tuple[int, ...], float] = {}
        times: dict[tuple[int, ...], int] = {}
        written: dict[tuple[int, ...], str] = {}
        for first, last in bounds:
            own = tuple(pieces.tokens[first:last].tolist())
            said[own] = float(np.sqrt(np.square(pieces.weights[first:last]).sum()))
            times[own] = times.get(own, 0) + 1
            written.setdefault(own, text[int(pieces.starts[first]) : int(pieces.ends[last - 1])])
        worth = {own: weight * (1.0 + np.log(times[own])) for own, weight in said.items() if weight >= SAYS_LITTLE}
        order = sorted(worth, key=lambda own: -worth[own])
        return [_Word(written[own], own, float(worth[own])) for own in order]

    def _learn(self, words: Sequence[Sequence[_Word]], passages: Sequence[SourcePassage], target: str) -> None:
        """Translate what has not been translated yet."""
        if len(self._known) > REMEMBERED:
            self._known.clear()
        new: dict[str, dict[tuple[int, ...], None]] = {}
        for own, passage in zip(words, passages, strict=True):
            source = languages.base_language(passage.lang)
            for word in own:
                if (source, target, word.pieces) not in self._known:
                    new.setdefault(source, {})[word.pieces] = None
        for source, spelled in new.items():
            if source != target:
                for pieces, translated in zip(spelled, self._translated(list(spelled), source, target), strict=True):
                    self._known[source, target, pieces] = translated

    def _translated(
        self, words: Sequence[tuple[int, ...]], source: str, target: str
    ) -> list[tuple[tuple[str, float], ...]]:
        """What each word is in another language, the nearest first, with cosines; () for one that is near nothing."""
        tokens = np.array(sorted({piece for word in words for piece in word}), dtype=np.int64)
        table = self._tables.translate(tokens, source, [target], LIMITS).get(target)
        if table is None:
            return [()] * len(words)
        rows = {token: row for row, token in enumerate(tokens.tolist())}
        spellings = self._encoder.spellings(table.tokens.tolist())
        # What no table knows is its own translation: a word of this language only if it is known here.
        here = np.isin(table.tokens, self._tables.pieces(target))
        places = [
            chain.from_iterable(range(*table.starts[rows[p] : rows[p] + 2].tolist()) for p in word) for word in words
        ]
        here &= np.array([has_letters_of(target, spelling) for spelling in spellings], dtype=np.bool_)
        options = [[spellings[at] for at in own if here[at]] for own in places]
        originals = np.array([self._vector(word) for word in words])
        return self._nearest(originals, [[spelling.removeprefix(START) for spelling in own] for own in options])

    def _vector(self, word: tuple[int, ...]) -> FloatArray:
        total: FloatArray = self._encoder.token_vectors(np.array(word, dtype=np.int64)).sum(axis=0)
        return total / max(float(np.linalg.norm(total)), 1e-9)

    def _nearest(
        self, originals: FloatArray, candidates: Sequence[Sequence[str]]
    ) -> list[tuple[tuple[str, float], ...]]:
        """Of each word's candidates the nearest, and the next ones that are nearly as near; () where none is near."""
        texts = list(dict.fromkeys(chain.from_iterable(candidates)))
        if not texts:
            return [()] * len(candidates)
        place = {text: row for row, text in enumerate(texts)}
        vectors = self._encoder.encode_queries(texts)
        content = self._encoder.word_weights(texts) >= SAYS_SOMETHING
        found: list[tuple[tuple[str, float], ...]] = []
        for original, own in zip(originals, candidates, strict=True):
            rows = [row for row in (place[text] for text in dict.fromkeys(own)) if content[row]]
            cosines = vectors[rows] @ original
            order = np.argsort(-cosines, kind="stable")[:TRANSLATIONS].tolist()
            least = max(NEAR, NEARLY_BEST * float(cosines[order[0]])) if order else NEAR
            found.append(tuple((texts[rows[at]], float(cosines[at])) for at in order if cosines[at] >= least))
        return found


def _is_name(word: str, source: str, target: str) -> bool:
    """Whether a word may be a name that the language `target` writes alike."""
    return word[0].isupper() and source not in CAPITAL_NOUNS and has_letters_of(target, word[:1])


def _word_bounds(pieces: QueryPieces, begins: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranges of pieces that make a word: those that touch; in scripts without spaces each piece is one."""
    new = begins.copy()
    # The sign that begins a word is not part of every piece that does.
    new[:1] = True
    new[1:] |= pieces.starts[1:] > pieces.ends[:-1]
    return list(pairwise([*np.flatnonzero(new).tolist(), len(pieces)]))
