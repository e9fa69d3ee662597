"""The static encoder: a text's vector is the weighted sum of its subwords' vectors, scaled to length 1.

On disk (see `encoders/FORMAT.md`): `codes.npy`, `scales.npy`, `codebook.npy` hold the vectors (`xsearch.encode.codes`),
`pieces.zst` the vocabulary. A row's length is the subword's weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from xsearch.core import Bags, EncoderMismatch, FloatArray, IndexDamaged, QueryPieces, Windows
from xsearch.core.order import distinct
from xsearch.encode.bags import TokenBags
from xsearch.encode.card import EncoderCard
from xsearch.encode.codes import CodedRows, DecodedRows
from xsearch.encode.pooling import sum_bags, unit_rows
from xsearch.encode.subwords import Place, Subwords
from xsearch.encode.unigram import START
from xsearch.encode.vocabulary import Pieces, Vocabulary

LANGUAGE_FLOOR = 0.05
UNSPACED = (
    range(0x0E00, 0x0F00),
    range(0x1000, 0x10A0),
    range(0x1780, 0x1800),
    range(0x3040, 0x3100),
    range(0x3400, 0xA000),
    range(0x20000, 0x40000),
)
"""Code points of Thai, Lao, Burmese, Khmer, kana and Han."""
UNSEEN = -1
MANY_TOKENS = 1_000_000
"""So many, all calls together, pay for keeping rows of the table decoded."""


@dataclass(frozen=True, slots=True)
class Token:
    """A subword in a text: its number and spelling, where it stands (code points of the text), its weight."""

    number: int
    piece: str
    start: int
    end: int
    weight: float


class StaticEncoder:
    """Encodes texts with a table of subword vectors. Safe to share between threads.

    A text's vectors depend on the text alone: neither its batch nor its place in it changes a bit. `langs` is accepted
    as every encoder does and not needed.
    """

    def __init__(self, card: EncoderCard, pieces: Pieces, table: CodedRows, executor: Executor | None = None) -> None:
        self.card = card
        self._pieces = Vocabulary.of(pieces)
        self._table = table
        self._executor = executor
        self._subwords = Subwords(self._pieces)
        self._decoded = DecodedRows(table)
        self._tokens_met = 0

    @property
    def subwords(self) -> Subwords:
        """What cuts texts into tokens."""
        return self._subwords

    @property
    def inventory(self) -> Pieces:
        """The subwords: (spelling, log probability) of every token."""
        return self._pieces

    @property
    def table(self) -> CodedRows:
        """The vectors of all tokens, as they stand on disk."""
        return self._table

    @cached_property
    def vocabulary(self) -> str:
        """Fingerprint of the subwords: what is made of their numbers fits all encoders of the same vocabulary."""
        return _digest(_pack(self._pieces))

    def spellings(self, tokens: Iterable[int]) -> list[str]:
        """How tokens are spelled in the vocabulary, with the sign `unigram.START` where one begins a word."""
        return list(map(self._pieces.spelling, tokens))

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> FloatArray:
        """A vector of every text: float32 (len(texts), dim), rows of length 1, a zero row for a text without tokens."""
        bags = self.token_bags(texts)
        return self._pool(bags.tokens, bags.starts)

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Windows:
        """Vectors of stretches of about `card.window` tokens: a text of n tokens is cut into
        max(1, round(n / window)) stretches whose sizes differ by at most one. A text without tokens has none.
        Owners are rows of `texts`.
        """
        return self._windows(self.token_bags(texts))

    def pieces(self, texts: Sequence[str]) -> Bags:
        """The token numbers of every text, as indexes hold them."""
        bags = self.token_bags(texts)
        begins = self.begins_word(bags.tokens)
        begins[bags.starts[:-1][bags.starts[:-1] < len(begins)]] = True
        return Bags(bags.tokens.astype(np.int32), bags.starts, np.flatnonzero(begins))

    def windows(self, pieces: Bags) -> Windows:
        """What `encode_passages` gives for the texts of these pieces."""
        return self._windows(TokenBags(pieces.tokens.astype(np.int64), pieces.starts))

    def _windows(self, bags: TokenBags) -> Windows:
        starts, owners = cut_windows(bags.starts, self.card.window)
        return Windows(self._pool(bags.tokens, starts), owners)

    def token_bags(self, texts: Sequence[str]) -> TokenBags:
        """The token numbers of every text, as `encode_queries` pools them."""
        return self._subwords.bags(texts)

    def token_vectors(self, tokens: NDArray[np.integer]) -> FloatArray:
        """Vectors of tokens, float32 (n, dim); the length of a row is the token's weight."""
        return self._table.rows(tokens)

    def token_integers(self, tokens: NDArray[np.integer]) -> tuple[NDArray[np.int8], FloatArray]:
        """Vectors of tokens in 8 bits: int8 (n, d), d not the encoder's dimension, and float32 (n,) what to multiply
        each row with (`CodedRows.integers`)."""
        return self._table.integers(tokens)

    def begins_word(self, tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which tokens begin a word, bool (n,); in scripts that do not part words every token is taken for one."""
        found = self._begins[tokens]
        new = tokens[found == UNSEEN]
        if len(new):
            self._begins[new] = begin_words(self._pieces.first_characters(new))
            found = self._begins[tokens]
        begins: NDArray[np.bool_] = found == 1
        return begins

    @cached_property
    def _begins(self) -> NDArray[np.int8]:
        """Whether a token begins a word, of those that were met: running text repeats its pieces."""
        return np.full(len(self._pieces), UNSEEN, dtype=np.int8)

    def tokens(self, text: str) -> list[Token]:
        """The subwords of a text and where they stand in it."""
        found = self._subwords.places(text)
        vectors = self.token_vectors(np.array([token for token, _, _ in found], dtype=np.int64))
        weights = np.sqrt(np.einsum("nd,nd->n", vectors, vectors)).tolist()
        return [
            Token(number, self._pieces[number][0], start, end, weight)
            for (number, start, end), weight in zip(found, weights, strict=True)
        ]

    def query_pieces(self, text: str) -> QueryPieces:
        """The subwords of a query, the weight of each and where it stands."""
        return self._placed([self._subwords.places(text)])[0]

    def pieces_around(self, texts: Sequence[str], wanted: Sequence[NDArray[np.integer]]) -> list[QueryPieces]:
        """Of every text, the subwords of the stretches between white space that hold one of those `wanted` of it."""
        return self._placed(self._subwords.places_around(texts, wanted))

    def _placed(self, found: Sequence[list[Place]]) -> list[QueryPieces]:
        tokens, starts, ends = np.array(list(chain.from_iterable(found)), dtype=np.int64).reshape(-1, 3).T
        weights = self._weights_of(tokens)
        cuts = np.cumsum([len(places) for places in found])[:-1]
        columns = (np.split(column, cuts) for column in (tokens.astype(np.int32), weights, starts, ends))
        return [QueryPieces(*parts) for parts in zip(*columns, strict=True)]

    def word_weights(self, words: Sequence[str]) -> FloatArray:
        """The sum of each word's token weights, float32 (len(words),); 1 for a word without tokens. What was learnt to
        matter little for meaning (articles, prepositions, conjunctions) stays below 1 in every language."""
        bags = self.token_bags(words)
        weights = self._weights_of(bags.tokens)
        sums = np.add.reduceat(np.append(weights, 0.0), bags.starts[:-1]) if len(words) else np.zeros(0)
        return np.where(np.diff(bags.starts) > 0, sums, 1.0).astype(np.float32)

    def _weights_of(self, tokens: NDArray[np.integer]) -> FloatArray:
        """The weights of tokens, float32 (n,)."""
        found: FloatArray = self._weights[tokens]
        new = np.flatnonzero(found == 0.0)
        if len(new):
            found[new] = np.linalg.norm(self.token_vectors(tokens[new]), axis=1)
            self._weights[tokens[new]] = found[new]
        return found

    @cached_property
    def _weights(self) -> FloatArray:
        """The weights of the tokens that were met, 0 for the others: questions repeat their pieces."""
        return np.zeros(len(self._pieces), dtype=np.float32)

    def supports(self, lang: str) -> float:
        """How well the encoder knows a language, 0..1: the card's score, 0 for one it does not list or barely knows.
        A code with a script (`sr-Latn`) that is not listed counts as its language."""
        languages = self.card.languages
        score = languages.get(lang, languages.get(lang.split("-")[0], 0.0))
        return score if score >= LANGUAGE_FLOOR else 0.0

    def _pool(self, tokens: NDArray[np.int64], starts: NDArray[np.int64]) -> FloatArray:
        self._tokens_met += len(tokens)
        if self._tokens_met < MANY_TOKENS:
            # Only the rows that occur are decoded: the whole table would take a hundred megabytes.
            numbers, _, places = distinct(tokens)
            return unit_rows(sum_bags(self._table.rows(numbers), places, starts, self._executor))
        return unit_rows(sum_bags(self._decoded.covering(tokens), tokens, starts, self._executor))


def begin_words(first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether pieces are beginnings of words, by the code points of their first characters, or stand in a script
    without spaces between words, where a run of pieces may be a sentence: bool (n,)."""
    edges = [edge for block in UNSPACED for edge in (block.start, block.stop)]
    begin: NDArray[np.bool_] = (first == ord(START)) | (np.searchsorted(edges, first, side="right") % 2 == 1)
    return begin


def cut_windows(starts: NDArray[np.int64], window: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut bags into windows of about `window` tokens.

    starts: (bags + 1,). Returns the windows' starts (windows + 1,) and owners (windows,): the bag of each.
    """
    sizes = np.diff(starts)
    counts = np.where(sizes > 0, np.maximum(1, np.rint(sizes / window)), 0).astype(np.int64)
    owners = np.repeat(np.arange(len(sizes)), counts)
    ordinal = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = starts[owners] + sizes[owners] * ordinal // np.maximum(counts[owners], 1)
    return np.append(begins, starts[-1]), owners


def fingerprint(pieces: Pieces, table: CodedRows, window: int) -> str:
    """BLAKE2b (16 bytes, hexadecimal) of everything that shapes a vector."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (table.codes, table.scales, table.codebook):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(_pack(pieces))
    digest.update(f"dim={table.dim} window={window}".encode())
    return digest.hexdigest()


def save_static(folder: Path, pieces: Pieces, table: CodedRows) -> None:
    """Write vectors and vocabulary into `folder`, which is made."""
    import zstandard

    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "codes.npy", table.codes)
    np.save(folder / "scales.npy", table.scales)
    np.save(folder / "codebook.npy", table.codebook)
    (folder / "pieces.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(_pack(pieces)))


def load_static(card: EncoderCard, folder: Path, executor: Executor | None = None) -> StaticEncoder:
    """The encoder whose files stand in `folder`. The vectors are mapped, not read.

    Raises `IndexDamaged` where files are missing or do not fit each other, `EncoderMismatch` where they are of
    another encoder than the card says.
    """
    import zstandard

    try:
        codes = np.load(folder / "codes.npy", mmap_mode="r", allow_pickle=False)
        scales = np.load(folder / "scales.npy", allow_pickle=False)
        codebook = np.load(folder / "codebook.npy", allow_pickle=False)
        packed = zstandard.ZstdDecompressor().decompress((folder / "pieces.zst").read_bytes())
        pieces = _unpack(packed)
    except (OSError, ValueError, zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise IndexDamaged(
            f"{folder}: the encoder's files cannot be read ({error}): install or train it again"
        ) from error
    if len(pieces) != len(codes) or len(pieces) != len(scales):
        raise IndexDamaged(f"{folder}: {len(pieces)} pieces but {len(codes)} vectors: install or train it again")
    if len(pieces) != card.vocabulary:
        raise EncoderMismatch(f"{folder}: {len(pieces)} pieces, but the card '{card.name}' says {card.vocabulary}")
    encoder = StaticEncoder(card, pieces, CodedRows(codes, scales, codebook, card.dim), executor)
    # What `vocabulary` would pack once more, which takes as long as a question.
    encoder.vocabulary = _digest(packed)
    return encoder


def _digest(packed: bytes) -> str:
    return hashlib.blake2b(packed, digest_size=16).hexdigest()


def _pack(pieces: Pieces) -> bytes:
    """Pieces as lines, then their scores as float16: log probabilities need no more, and it halves the file."""
    names = "\n".join(piece for piece, _ in pieces).encode()
    scores = np.array([score for _, score in pieces], dtype="<f2").tobytes()
    return len(names).to_bytes(4, "little") + names + scores


def _unpack(packed: bytes) -> Vocabulary:
    end = 4 + int.from_bytes(packed[:4], "little")
    return Vocabulary(packed, 4, end, np.frombuffer(packed, dtype="<f2", offset=end))
