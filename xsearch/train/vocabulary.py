"""Learning the subwords of a static encoder from multilingual text."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping

import numpy as np

from xsearch.encode.folding import fold
from xsearch.encode.unigram import START, unigram_tokenizer
from xsearch.train.recipe import Vocabulary
from xsearch.train.rows import ParallelText

UNKNOWN_PIECE = "<unk>"
TEXT_LENGTH = 200
"""Characters of a text the vocabulary is learnt from: a few long sections should not outweigh many sentences."""

LEAST_WORD = 5
LONGEST_WORD = 16
PIECES_A_WORD = 1.6
"""Pieces of an average word: what a word's share of all words is divided by to compare with pieces'."""

RARE_CHARACTER = 3
"""A character seen less often gets no piece: every character of the text would otherwise take one."""


def sample_texts(parallel: ParallelText, settings: Vocabulary, rng: np.random.Generator) -> list[str]:
    """`settings.texts` texts of rows, languages drawn by (texts of the language) ** `language_exponent`."""
    langs = np.asarray(parallel.rows.langs, dtype=np.int64)
    counts = parallel.count_by_language()
    weight = np.zeros(len(counts))
    weight[counts > 0] = counts[counts > 0] ** (settings.language_exponent - 1)
    cumulative = np.cumsum(weight[langs])
    drawn = np.searchsorted(cumulative, rng.random(settings.texts) * cumulative[-1])
    return [parallel.rows.texts[t][:TEXT_LENGTH] for t in np.unique(np.minimum(drawn, len(langs) - 1)).tolist()]


def learn_pieces(texts: list[str], size: int) -> list[tuple[str, float]]:
    """At most `size` (piece, log probability), the unknown first, learnt by EM (Kudo 2018, "Subword regularization",
    section 3.2; half of the candidates are dropped a round), with the frequent words that it cannot propose.

    The trainer's candidates are what two different words have in common, so a word that is part of no other, as most
    words of Vietnamese and function words everywhere are, would only come in parts: 18 % of a multilingual text.
    """
    return pieces_of_words(Counter(word.text for text in texts for word in fold(text)), size)


def pieces_of_words(counts: Mapping[str, int], size: int) -> list[tuple[str, float]]:
    """What `learn_pieces` gives for texts that hold folded words so often."""
    from tokenizers import trainers

    characters: Counter[str] = Counter()
    for word, count in counts.items():
        characters.update(dict.fromkeys(word, count))
    rare = {character for character, count in characters.items() if count < RARE_CHARACTER}
    spelled = {word: count for word, count in counts.items() if rare.isdisjoint(word)}
    tokenizer = unigram_tokenizer([(UNKNOWN_PIECE, 0.0)])
    trainer = trainers.UnigramTrainer(
        vocab_size=size,
        special_tokens=[UNKNOWN_PIECE],
        unk_token=UNKNOWN_PIECE,
        max_piece_length=14,
        shrinking_factor=0.5,
        n_sub_iterations=1,
        show_progress=False,
    )
    lines = (" ".join([START + word] * count) for word, count in spelled.items())
    tokenizer.train_from_iterator(lines, trainer)
    learnt = [(piece, score) for piece, score in json.loads(tokenizer.to_str())["model"]["vocab"]]
    # Scores are stored as float16: rounding them here makes training segment as use will.
    return [(piece, float(np.float16(score))) for piece, score in _with_whole_words(learnt, spelled, size)]


def _with_whole_words(pieces: list[tuple[str, float]], counts: dict[str, int], size: int) -> list[tuple[str, float]]:
    """`pieces` with the words of `counts` that are frequent, in the place of the least likely of several characters
    where there would be more than `size`."""
    learnt = {piece for piece, _ in pieces}
    total = sum(counts.values()) * PIECES_A_WORD
    missing = [
        (START + word, math.log(count / total))
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count >= LEAST_WORD and 2 <= len(word) <= LONGEST_WORD and START + word not in learnt
    ][: size // 4]
    surplus = max(0, len(pieces) + len(missing) - size)
    spare = sorted((score, piece) for piece, score in pieces[1:] if len(piece.removeprefix(START)) > 1)[:surplus]
    dropped = {piece for _, piece in spare}
    return [*(entry for entry in pieces if entry[0] not in dropped), *missing]
