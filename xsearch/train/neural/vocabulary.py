"""New words for a checkpoint's vocabulary: those that it cuts into many pieces, with vectors that mean the same."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import StaticEncoder, load_encoder
from xsearch.encode.pooling import unit_rows
from xsearch.train.neural.corpus import Corpus
from xsearch.train.neural.recipe import Extension

WORD = re.compile(r"[^\W\d_]{3,24}")
MANY_PIECES = 3
BLOCK = 512
MARKS = re.compile("^(▁|Ġ|##)|</w>$")
"""What tokenizers put at the beginning or end of words."""


def extend(model: Any, tokenizer: Any, settings: Extension, corpus: Corpus, seed: int) -> list[str]:
    """Add `settings.words` of the corpus' words to a network's vocabulary, in place: the most frequent of those that
    the tokenizer cuts into three pieces or more. Returns them; no more than there are. Draws from torch's generator.
    """
    import torch
    from tokenizers import AddedToken

    words = fragmented(tokenizer, corpus, settings, seed)
    old = np.asarray(model.get_input_embeddings().weight.detach().float().cpu(), dtype=np.float32)
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    tokenizer.add_tokens([AddedToken(word, single_word=True, lstrip=True, normalized=False) for word in words])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    if not settings.static:
        return words
    encoder = load_encoder(settings.static)
    if not isinstance(encoder, StaticEncoder):
        raise BadInput(f"{settings.static} is no static encoder: it has no vectors of single pieces")
    spelled = ["" if piece in tokenizer.all_special_tokens else MARKS.sub("", piece) for piece in pieces]
    near = encoder.encode_queries(words), encoder.encode_queries(spelled)
    vectors = neighbours_mean(*near, old[: len(pieces)], settings.neighbours, settings.temperature)
    with torch.no_grad():
        model.get_input_embeddings().weight[len(pieces) : len(pieces) + len(words)] = torch.from_numpy(vectors)
    return words


def fragmented(tokenizer: Any, corpus: Corpus, settings: Extension, seed: int) -> list[str]:
    """The most frequent words of texts drawn from the corpus that the tokenizer cuts into many pieces."""
    drawn = corpus.texts(settings.texts, np.random.default_rng([seed, 19])).texts.texts
    counts = Counter(word for text in drawn for word in WORD.findall(text))
    found: list[str] = []
    for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(found) == settings.words:
            break
        if len(tokenizer.tokenize(word)) >= MANY_PIECES:
            found.append(word)
    return found


def neighbours_mean(
    new: FloatArray, known: FloatArray, table: FloatArray, count: int, temperature: float
) -> FloatArray:
    """Vectors for new words, float32 (new, width): e_x = Σ_y exp(s_xy / τ) e_y / Σ_y exp(s_xy / τ) over the `count`
    known tokens y whose static vectors are nearest, s their cosine (Minixhofer et al. 2022, "WECHSEL: effective
    initialization of subword embeddings for cross-lingual transfer"; OFA of Liu et al. 2024 begins so in factors).

    new: (new, dim) static vectors; known: (tokens, dim), zeros for a token without any; table: (tokens, width).
    """
    known = unit_rows(known)
    usable = np.flatnonzero(np.linalg.norm(known, axis=1))
    made = np.empty((len(new), table.shape[1]), dtype=np.float32)
    for start in range(0, len(new), BLOCK):
        cosines = unit_rows(new[start : start + BLOCK]) @ known[usable].T
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        weights = np.exp(np.take_along_axis(cosines, nearest, axis=1) / temperature)
        weights /= weights.sum(axis=1, keepdims=True)
        made[start : start + BLOCK] = np.einsum("nk,nkd->nd", weights, table[usable[nearest]])
    return made
