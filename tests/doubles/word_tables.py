"""Translation tables made by hand from words, in the pieces of the encoder that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xsearch.encode import StaticEncoder, load_encoder
from xsearch.lang.translation_file import PairTable, write_tables


def write_word_tables(path: Path, words: dict[str, list[tuple[str, str]]], score: float = 0.9) -> Path:
    """Tables from English: for each language, (English word, its translation), all of equal weight; words of several
    pieces are translated piece by piece, every one of the one side into every one of the other."""
    encoder = load_encoder()
    assert isinstance(encoder, StaticEncoder)

    def pieces(word: str) -> list[int]:
        return [token.number for token in encoder.tokens(word)]

    joint = {lang: {(e, f) for a, b in pairs for e in pieces(a) for f in pieces(b)} for lang, pairs in words.items()}
    languages = {"en": np.unique([e for entries in joint.values() for e, _ in entries]).astype(np.int64)}
    languages |= {lang: np.unique([f for _, f in entries]).astype(np.int64) for lang, entries in joint.items()}
    tables = []
    for lang, entries in joint.items():
        ordered = sorted(entries)
        rows = np.searchsorted(languages["en"], [e for e, _ in ordered])
        places = np.searchsorted(languages[lang], [f for _, f in ordered])
        counts = np.bincount(rows, minlength=len(languages["en"]))
        weights = np.ones(len(ordered), dtype=np.float32)
        tables.append(PairTable("en", lang, counts, places, weights, there=score, back=score))
    write_tables(path, encoder.card.vocabulary, encoder.vocabulary, languages, tables)
    return path
