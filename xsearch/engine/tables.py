"""The translation tables of an index: found by the vocabulary of its pieces, asked for every language it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsearch import lang as languages
from xsearch.core import FloatArray, IntArray, Mask, QueryPieces, Translations, UsageError
from xsearch.core.data import data_path
from xsearch.encode import PieceEncoder
from xsearch.lang.translation import TranslationTables

FUNCTION_WORD = 0.9
"""Weight below which the encoder takes a word for an article, a preposition or the like, in any language."""


def find_tables(named: str | None, encoder: PieceEncoder, folder: Path | None = None) -> TranslationTables | None:
    """The tables that a recipe names by a path, or those of the encoder's vocabulary that lie in `folder`, beside its
    card, or ship; or such of a vocabulary that the encoder's begins with; None where there are none. Raises
    `UsageError` when the tables named are of another vocabulary, `IndexDamaged` when a file cannot be read."""
    if named is not None:
        tables = TranslationTables.open(Path(named))
        if tables.vocabulary not in (encoder.vocabulary, *encoder.card.extends):
            raise UsageError(f"{named}: these tables are not of the pieces of encoder {encoder.card.name}")
        return tables
    shipped = sorted(data_path("encoders").glob("**/*.tables"))
    there = [TranslationTables.open(path) for path in [*(sorted(folder.glob("*.tables")) if folder else ()), *shipped]]
    for vocabulary in (encoder.vocabulary, *reversed(encoder.card.extends)):
        for tables in there:
            if tables.vocabulary == vocabulary:
                return tables
    return None


def translate(
    tables: TranslationTables,
    text: str,
    pieces: QueryPieces,
    langs: Sequence[tuple[str, float]],
    groups: Sequence[str],
) -> dict[str, Translations]:
    """What each piece of a query may be in each of `groups` that can be reached from its language.

    langs: the languages it may be in, with weights w_l that sum to 1: p(t | q) = Σ_l w_l p(t | q, l). In other
    languages than these, words that say little (`FUNCTION_WORD`) have no translation: they would be found everywhere.
    """
    spoken: dict[str, float] = {}
    for code, weight in langs:
        spoken[languages.base_language(code)] = spoken.get(languages.base_language(code), 0.0) + weight
    content = ~function_pieces(text, pieces)
    foreign = _mixtures(tables, pieces.tokens[content], spoken, [group for group in groups if group not in spoken])
    # The others have none: their rows are empty.
    before = np.concatenate(([0], np.cumsum(content)))
    found = _mixtures(tables, pieces.tokens, spoken, [group for group in groups if group in spoken])
    return found | {
        group: Translations(part.starts[before], part.tokens, part.probabilities) for group, part in foreign.items()
    }


def _mixtures(
    tables: TranslationTables, tokens: NDArray[np.int32], spoken: Mapping[str, float], groups: Sequence[str]
) -> dict[str, Translations]:
    """Translations of pieces that may be of several languages, weighted."""
    found: dict[str, list[tuple[float, Translations]]] = {}
    for source, weight in spoken.items():
        for group, translations in tables.translate(tokens, source, groups).items():
            found.setdefault(group, []).append((weight, translations))
    return {group: mixed(parts) for group, parts in found.items()}


def function_pieces(text: str, pieces: QueryPieces) -> Mask:
    """Whether each piece is of a word that says little, bool (q,): words are what white space divides."""
    if not len(pieces):
        return np.zeros(0, dtype=np.bool_)
    spaces = np.cumsum([character.isspace() for character in text])
    words = np.unique(spaces[pieces.starts], return_inverse=True)[1]
    weights = np.bincount(words, weights=pieces.weights)
    says_little: Mask = (weights < FUNCTION_WORD)[words]
    return says_little


def mixed(parts: Sequence[tuple[float, Translations]]) -> Translations:
    """Translations of the same pieces from several languages, weighted and added up."""
    if len(parts) == 1:
        weight, only = parts[0]
        return Translations(only.starts, only.tokens, only.probabilities * np.float32(weight)) if weight < 1 else only
    owners = np.concatenate([_owners(part) for _, part in parts])
    tokens = np.concatenate([part.tokens for _, part in parts])
    values = np.concatenate([part.probabilities * np.float32(weight) for weight, part in parts])
    keys, places = np.unique(owners << 32 | tokens, return_inverse=True)
    sums = np.bincount(places, weights=values).astype(np.float32)
    return _of_rows(keys >> 32, (keys & 0xFFFFFFFF).astype(np.int32), sums, len(parts[0][1].starts) - 1)


def _owners(translations: Translations) -> IntArray:
    return np.repeat(np.arange(len(translations.starts) - 1), np.diff(translations.starts))


def _of_rows(
    owners: IntArray,
    tokens: NDArray[np.int32],
    values: FloatArray,
    count: int,
) -> Translations:
    starts = np.concatenate(([0], np.cumsum(np.bincount(owners, minlength=count))))
    return Translations(starts, tokens, values)
