"""More pieces for a vocabulary: words of new text that it spells in many parts, and letters that it lacks.

A word's piece gets the log probability of the parts it is spelled in, so that it takes their place wherever they stand
together and nothing else is spelled otherwise; and it begins with the sum of their vectors, so that no text's vector
changes before the first step of training. What holds letters that the vocabulary lacks is learnt from scratch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np

from xsearch.core import FloatArray
from xsearch.encode.folding import fold
from xsearch.encode.unigram import START, UNKNOWN, Unigram
from xsearch.encode.vocabulary import Pieces
from xsearch.train.recipe import Extension
from xsearch.train.rows import ParallelText
from xsearch.train.vocabulary import LONGEST_WORD, RARE_CHARACTER, pieces_of_words


def extended(
    known: Pieces, parallel: ParallelText, languages: Collection[str], settings: Extension
) -> list[tuple[str, float]]:
    """`known`, then at most `settings.pieces` pieces for words of `languages` with letters that it lacks, and as many
    words that it spells in several parts, those that save most parts."""
    words = _words(parallel, languages)
    unigram = Unigram(known)
    spelled = {word: unigram.segment(word) for word, count in words.items() if count >= settings.least}
    lacking = {word: words[word] for word, numbers in spelled.items() if UNKNOWN in numbers}
    saved = sorted(
        (words[word] * (1 - len(_heard(known, numbers))), word)
        for word, numbers in spelled.items()
        if word not in lacking and len(word) <= LONGEST_WORD
    )
    whole = [(START + word, _rounded_up(sum(known[n][1] for n in spelled[word]))) for saving, word in saved if saving]
    return [*known, *_of_new_letters(lacking, known, settings.pieces), *whole[: settings.pieces]]


def extended_rows(known: Pieces, rows: FloatArray, pieces: Pieces) -> FloatArray:
    """Weighted vectors of `pieces`, which begin with `known`, whose vectors are `rows`: of every further piece the sum
    of those it is spelled in, zero where it cannot be. float32 (pieces, dim)."""
    unigram = Unigram(known)
    out = np.zeros((len(pieces), rows.shape[1]), dtype=np.float32)
    out[: len(known)] = rows
    for number, (piece, _) in enumerate(pieces[len(known) :], len(known)):
        numbers = unigram.segment(piece.removeprefix(START)) if piece.startswith(START) else [UNKNOWN]
        if UNKNOWN not in numbers:
            out[number] = rows[_heard(known, numbers)].sum(axis=0)
    return out


def _heard(known: Pieces, numbers: list[int]) -> list[int]:
    """Those pieces of a spelling that mean something."""
    return [number for number in numbers if known[number][0] != START]


def _words(parallel: ParallelText, languages: Collection[str]) -> Counter[str]:
    """How often each folded word occurs in texts of `languages`."""
    wanted = {number for code, number in parallel.languages.items() if code in languages}
    counts: Counter[str] = Counter()
    for table in (parallel.rows, parallel.titles, parallel.bodies):
        for lang, text in zip(table.langs, table.texts, strict=True):
            if lang in wanted:
                counts.update(word.text for word in fold(text))
    return counts


def _of_new_letters(words: Mapping[str, int], known: Pieces, most: int) -> list[tuple[str, float]]:
    """Pieces with letters that `known` lacks, learnt from `words` that hold such."""
    letters: Counter[str] = Counter()
    for word, count in words.items():
        letters.update(dict.fromkeys(word, count))
    single = {piece for piece, _ in known if len(piece) == 1}
    missing = {letter for letter, count in letters.items() if letter not in single and count >= RARE_CHARACTER}
    if not missing:
        return []
    # Room for the letters that these words share with others: those have pieces already.
    learnt = pieces_of_words(words, most + len(letters))
    spelt = {piece for piece, _ in known}
    return [(piece, score) for piece, score in learnt[1:] if piece not in spelt and missing & set(piece)][:most]


def _rounded_up(score: float) -> float:
    """As float16, which is how scores are stored, but never less: a whole word has to win against its parts."""
    rounded = np.float16(score)
    return float(rounded if float(rounded) > score else np.nextafter(rounded, np.float16(0)))
