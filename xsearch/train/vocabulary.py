"""Learning the subwords of a static encoder from multilingual text."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np

from xsearch.encode.folding import fold
from xsearch.encode.unigram import START, unigram_tokenizer
from xsearch.train.recipe import Vocabulary
from xsearch.train.rows import ParallelText

UNKNOWN_PIECE = "<unk>"
TEXT_LENGTH = 200
"""Characters of a text the vocabulary is learnt from: a few long sections should not outweigh many sentences."""

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
    section 3.2; half of the candidates are dropped a round)."""
    from tokenizers import trainers

    words = [[word.text for word in fold(text)] for text in texts]
    characters = Counter(character for found in words for word in found for character in word)
    rare = {character for character, count in characters.items() if count < RARE_CHARACTER}
    lines = [" ".join(START + word for word in found if rare.isdisjoint(word)) for found in words]
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
    tokenizer.train_from_iterator(lines, trainer)
    learnt = json.loads(tokenizer.to_str())["model"]["vocab"]
    # Scores are stored as float16: rounding them here makes training segment as use will.
    return [(piece, float(np.float16(score))) for piece, score in learnt]
