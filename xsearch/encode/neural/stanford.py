"""Checkpoints of Stanford's ColBERT and its kin (ColBERTv2, PLAID-X, ColBERT-XM): `artifact.metadata`, markers, masks.

sentence-transformers loads their weights; what it takes from text (markers, punctuation) is taken from token numbers
here, as the code that trained them does: only so is it right for vocabularies that do not hold ``[unused0]``.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

from xsearch.encode.neural.checkpoint import Checkpoint, read_json
from xsearch.encode.neural.network import Expansion

QUERY_MARKER, PASSAGE_MARKER = "[unused0]", "[unused1]"


@dataclass(frozen=True)
class Stanford:
    """query_marker, passage_marker: token numbers set behind the first special token. query_length, passage_length:
    tokens. punctuation: token numbers that passages' vectors are dropped for."""

    query_marker: int
    passage_marker: int
    expansion: Expansion
    passage_length: int
    punctuation: tuple[int, ...]


def read_stanford(checkpoint: Checkpoint, tokenizer: Any, embeddings: int) -> Stanford:
    """The settings of a checkpoint. embeddings: rows of its table of token vectors, which tells whether markers that
    are not in the vocabulary were added behind it (PLAID-X) or stood for nothing known (ColBERT)."""
    path = checkpoint.folder / "artifact.metadata"
    metadata: dict[str, Any] = read_json(path) if path.is_file() else {}
    names = (metadata.get("query_token_id") or QUERY_MARKER, metadata.get("doc_token_id") or PASSAGE_MARKER)
    query, passage = markers(tokenizer, names, embeddings)
    filler = tokenizer.mask_token_id
    length = int(metadata.get("query_maxlen") or 32)
    signs = string.punctuation if metadata.get("mask_punctuation", True) else ""
    return Stanford(
        query_marker=query,
        passage_marker=passage,
        expansion=Expansion(length, int(filler), bool(metadata.get("attend_to_mask_tokens"))),
        passage_length=int(metadata.get("doc_maxlen") or 220),
        # What the training code drops: the first token of each sign on its own.
        punctuation=tuple(sorted({tokenizer.encode(sign, add_special_tokens=False)[0] for sign in signs})),
    )


def markers(tokenizer: Any, names: tuple[str, str], embeddings: int) -> tuple[int, int]:
    """The numbers of the query's and the passage's marker."""
    known = tokenizer.get_vocab()
    numbers, following = [], len(tokenizer)
    for name in names:
        if name in known:
            numbers.append(int(known[name]))
        elif following < embeddings:
            numbers.append(following)
            following += 1
        else:
            numbers.append(int(tokenizer.unk_token_id))
    return numbers[0], numbers[1]
