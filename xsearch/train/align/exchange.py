"""Tables in the field's form, {"cat": {"gato": 0.8, "felino": 0.2}}: words out, words in."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import BadInput, UsageError
from xsearch.encode import StaticEncoder
from xsearch.encode.unigram import START
from xsearch.lang.translation import DEFAULT_LIMITS, Limits, TranslationTables
from xsearch.lang.translation_file import Header, write_tables
from xsearch.train.align.pruning import JointCounts, pair_table
from xsearch.train.align.stored import read_joint
from xsearch.train.align.training import vocabularies

WordTable = dict[str, dict[str, float]]


def export_words(
    tables: TranslationTables, encoder: StaticEncoder, source: str, target: str, limits: Limits = DEFAULT_LIMITS
) -> WordTable:
    """p(target word | source word) for all words that are one piece in both languages, the likeliest first; composed
    where the languages have no table of their own. Raises `UsageError` for a pair that cannot be reached."""
    if source not in tables.languages() or tables.supports(source, target) == 0:
        raise UsageError(f"no tables lead from '{source}' to '{target}': there are {', '.join(tables.languages())}")
    pieces = tables.pieces(source)
    pieces = pieces[_words(encoder, pieces)]
    found = tables.translate(pieces, source, [target], limits)[target]
    kept = _words(encoder, found.tokens)
    # A piece that is its own only translation is one that the table does not know.
    owners = np.repeat(np.arange(len(pieces)), np.diff(found.starts))
    kept &= (np.diff(found.starts)[owners] > 1) | (found.tokens != pieces[owners])
    exported: WordTable = {}
    words = zip(_spelled(encoder, pieces[owners[kept]]), _spelled(encoder, found.tokens[kept]), strict=True)
    for (word, translation), probability in zip(words, found.probabilities[kept].tolist(), strict=True):
        exported.setdefault(word, {})[translation] = round(probability, 4)
    return exported


def _spelled(encoder: StaticEncoder, pieces: NDArray[np.integer]) -> list[str]:
    return [spelling.removeprefix(START) for spelling in encoder.spellings(pieces)]


def _words(encoder: StaticEncoder, pieces: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which pieces are words of their own: those that their spelling, standing alone, is cut into, and that begin a
    word where words are apart."""
    bags = encoder.token_bags(_spelled(encoder, pieces))
    single = np.diff(bags.starts) == 1
    single &= encoder.begins_word(pieces)
    first = np.append(bags.tokens, -1)[np.minimum(bags.starts[:-1], len(bags.tokens))]
    words: NDArray[np.bool_] = single & (first == pieces)
    return words


def read_words(path: Path) -> WordTable:
    """The word table in a JSON file, gzipped or not. Raises `BadInput` for anything else, or probabilities outside
    0..1."""
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        table = msgspec.json.decode(raw, type=WordTable)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise BadInput(f'not a table {{"word": {{"translation": probability}}}}: {error}', str(path)) from error
    for word, translations in table.items():
        for translation, probability in translations.items():
            if not 0 <= probability <= 1:
                raise BadInput(f"p({translation} | {word}) is {probability}, not within 0..1", str(path))
    return table


def import_words(table: WordTable, encoder: StaticEncoder, source: str, target: str, into: Path) -> Header:
    """Write `table` into the file `into`, beside the tables it holds or in place of those of the same two languages.

    A word of several pieces shares its translations among them: each of its pieces may stand for each piece of a
    translation. What is imported counts as fully trusted (score 1). Returns the new header. Raises `BadInput` when no
    word can be spelled, `EncoderMismatch` when `into` holds tables of another vocabulary.
    """
    joint, scores = read_joint(into, encoder) if into.exists() else ({}, {})
    for pair in ((source, target), (target, source)):
        joint.pop(pair, None)
    joint[source, target] = _in_pieces(table, encoder)
    if not len(joint[source, target]):
        raise BadInput(f"no word of the table is spelled in pieces of {encoder.card.name}")
    languages = vocabularies(joint)
    pairs = []
    for (rows, columns), counts in joint.items():
        there, back = scores.get((rows, columns), (1.0, 1.0))
        made = pair_table(counts, rows, columns, languages[rows], languages[columns])
        pairs.append(replace(made, there=there, back=back))
    return write_tables(into, encoder.card.vocabulary, encoder.vocabulary, languages, pairs)


def _in_pieces(table: WordTable, encoder: StaticEncoder) -> JointCounts:
    """The table as joint weights of pieces, each source word counting 1."""
    entries = [(word, other, p) for word, translations in table.items() for other, p in translations.items() if p > 0]
    left = encoder.token_bags([word for word, _, _ in entries])
    right = encoder.token_bags([translation for _, translation, _ in entries])
    left_sizes, right_sizes = np.diff(left.starts), np.diff(right.starts)
    # Every piece of the word with every piece of its translation.
    products = left_sizes * right_sizes
    owners = np.repeat(np.arange(len(entries)), products)
    ordinal = np.arange(len(owners)) - np.repeat(np.cumsum(products) - products, products)
    a, b = np.divmod(ordinal, np.maximum(right_sizes[owners], 1))
    weights = np.array([p for *_, p in entries], dtype=np.float64)[owners] / right_sizes[owners]
    keys = left.tokens[left.starts[owners] + a] * encoder.card.vocabulary + right.tokens[right.starts[owners] + b]
    unique, inverse = np.unique(keys, return_inverse=True)
    sums = np.bincount(inverse, weights=weights, minlength=len(unique)).astype(np.float32)
    return JointCounts(*np.divmod(unique, encoder.card.vocabulary), sums)
