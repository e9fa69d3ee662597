"""Language profiles: which language of a script a word's letters point to.

Naive Bayes over hashed character n-grams (1 to 5, with word boundaries) and whole words (Lui and Baldwin 2012 use the
like), one model for each script that several languages share. With W the profiles and F the features of a text,
P(language | text) = softmax(Σ_{f∈F} W_f / √|F|): the root tempers evidence that overlaps. The sum goes word by word,
so that a word's share is computed once and then looked up.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core.batch import FloatArray
from xsearch.lang.tables import DATA

_GRAMS = (1, 2, 3, 4, 5)
_CACHED_WORDS = 1 << 16
_LONGEST = 24
_FLOOR = 1e-9
_CRC_POLYNOMIAL = 0xEDB88320
_WORD = re.compile(r"[^\W\d_][^\s!-&(-/:-@\[-`{-~«»„“”،。、؟।,]*")


def words_of(text: str) -> list[str]:
    """The words of a text as profiles know them: lower case, starting with a letter, without punctuation."""
    words = _WORD.findall(text.lower())
    return words if max(map(len, words), default=0) <= _LONGEST else [word[:_LONGEST] for word in words]


def features(word: str, buckets: int) -> list[int]:
    """Bucket numbers of a word's n-grams and of the word itself. `buckets` is a power of two."""
    # Four bytes a character, so that n-grams are slices.
    padded = f"_{word}_".encode("utf-32-le", "surrogatepass")
    grams = [padded[i : i + 4 * n] for n in _GRAMS for i in range(0, len(padded) - 4 * n + 1, 4)]
    return [zlib.crc32(gram) & (buckets - 1) for gram in (*grams, b" " + padded)]


def features_of_all(words: Sequence[str], buckets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`features` of every word, word after word, and how many each has; within a word they are in another order.

    The hash is CRC-32, which takes a word's characters one after the other: all words' n-grams are hashed together,
    those of n from those of n - 1, by tables for half a character each.
    """
    padded = [f"_{word}_" for word in words]
    lengths = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    text = "".join(padded).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(text, dtype="<u4")
    ends = np.cumsum(lengths)
    left = np.repeat(ends, lengths) - np.arange(len(codes))
    # Column n: the n-gram that begins at the row's character; the first holds the hash of the word itself.
    hashes = np.zeros((len(codes), 1 + len(_GRAMS)), dtype=np.uint32)
    held = np.zeros(hashes.shape, dtype=np.bool_)
    begins = ends - lengths
    held[begins, 0] = True
    hashes[begins, 0] = [
        zlib.crc32(b" " + text[4 * begin : 4 * end]) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    low, high = _crc_tables()
    state = np.full(len(codes), 0xFFFFFFFF, dtype=np.uint32)
    places = np.arange(len(codes))
    for n in _GRAMS:
        state ^= codes[places + n - 1]
        state = low[state & 0xFFFF] ^ high[state >> 16]
        hashes[places, n] = ~state
        held[places, n] = True
        longer = left[places] > n
        places, state = places[longer], state[longer]
    return hashes[held].astype(np.int64) & (buckets - 1), np.add.reduceat(held.sum(axis=1), begins)


@cache
def _crc_tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What the lower and the upper half of a four-byte word contribute to CRC-32's state after it."""
    state = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        state = np.where(state & 1, (state >> 1) ^ np.uint32(_CRC_POLYNOMIAL), state >> 1)
    # Of a byte that is followed by none, one, two and three zero bytes (Sarwate 1988, in slices of four).
    of_byte = [state]
    for _ in range(3):
        of_byte.append((of_byte[-1] >> 8) ^ state[of_byte[-1] & 0xFF])
    first, second = np.arange(1 << 16) & 0xFF, np.arange(1 << 16) >> 8
    return of_byte[3][first] ^ of_byte[2][second], of_byte[1][first] ^ of_byte[0][second]


class Profiles:
    """The languages of one script. weights: int8 or float32 (buckets, languages), times `scale`."""

    def __init__(self, langs: Sequence[str], weights: NDArray[np.int8] | FloatArray, scale: float = 1.0) -> None:
        self.langs = tuple(langs)
        self._weights = weights
        self._scale = scale
        self._rows: dict[str, int] = {}
        self._sums = np.zeros((1024, len(self.langs) + 1), dtype=np.float32)
        self._again = np.zeros(len(self._sums), dtype=np.bool_)
        self._lock = Lock()

    def logits(self, texts: Sequence[Sequence[str]]) -> FloatArray:
        """Unnormalised log-probabilities of the languages for texts given as words; float32 (texts, languages).

        A text without words gets zeros.
        """
        lengths = [len(words) for words in texts]
        with self._lock:
            known = self._known(list(chain.from_iterable(texts)))
            found = _sums(self._sums, known, np.array(lengths, dtype=np.int64), np.float32)
        tempered: FloatArray = found[:, :-1] / np.sqrt(np.maximum(found[:, -1:], 1))
        return tempered.astype(np.float32)

    def _known(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Where each word's row is in `_sums`: sums of its weights, in the last column the number of its features."""
        if len(self._rows) > _CACHED_WORDS:
            self._forget()
        rows = self._rows
        found = np.array([rows.get(word, -1) for word in words], dtype=np.int64)
        unseen = np.flatnonzero(found < 0).tolist()
        self._again[found[found >= 0]] = True
        if unseen:
            self._add(list(dict.fromkeys([words[place] for place in unseen])))
            found[unseen] = [rows[words[place]] for place in unseen]
        return found

    def _forget(self) -> None:
        """Forget words that were asked for once only: those of running text that come again are few and frequent."""
        kept = np.flatnonzero(self._again[: len(self._rows)])[-_CACHED_WORDS // 2 :]
        words = list(self._rows)
        self._rows = {words[row]: place for place, row in enumerate(kept.tolist())}
        self._sums[: len(kept)] = self._sums[kept]
        self._again[:] = False

    def _add(self, words: Sequence[str]) -> None:
        first = len(self._rows)
        if (needed := first + len(words)) > len(self._sums):
            grown = np.zeros((max(needed, 2 * len(self._sums)), self._sums.shape[1]), dtype=np.float32)
            grown[:first] = self._sums[:first]
            self._sums = grown
            self._again = np.append(self._again, np.zeros(len(grown) - len(self._again), dtype=np.bool_))
        buckets, lengths = features_of_all(words, len(self._weights))
        kind = np.int32 if self._weights.dtype == np.int8 else np.float32
        self._sums[first:needed, :-1] = _sums(self._weights, buckets, lengths, kind).astype(np.float32) * self._scale
        self._sums[first:needed, -1] = lengths
        self._rows.update(zip(words, range(first, needed), strict=True))


def _sums(
    table: NDArray[Any], rows: NDArray[np.int64], counts: NDArray[np.int64], kind: type[np.generic]
) -> NDArray[Any]:
    """Sums of rows of `table` (n, columns), the first counts[0] of them, the next counts[1], and so on; of type
    `kind`, shape (len(counts), columns). Equal counts together, which numpy adds up ten times as fast as ragged
    stretches."""
    starts = np.cumsum(counts) - counts
    found = np.zeros((len(counts), table.shape[1]), dtype=kind)
    for count in sorted(set(counts.tolist())):
        own = np.flatnonzero(counts == count)
        found[own] = table.take(rows[starts[own][:, None] + np.arange(count)], axis=0).sum(axis=1, dtype=kind)
    return found


@cache
def profiles(script: str) -> Profiles | None:
    """The shipped profiles of a script (``Latn``, ``Cyrl``, ``Arab``, …), None where a script needs none."""
    with np.load(DATA / "profiles.npz") as data:
        if f"{script}.weights" not in data:
            return None
        langs = str(data[f"{script}.langs"]).split()
        return Profiles(langs, data[f"{script}.weights"], float(data[f"{script}.scale"]))


def learn(samples: Mapping[str, Iterable[str]], buckets: int, prior: float = 3000.0) -> Profiles:
    """Profiles of the languages of one script, from texts of each: naive Bayes with a Dirichlet prior.

    With c_lf the count of feature f in language l, n_l the sum of them, and m_f the mean over languages of c_lf / n_l,
    W_lf = log((c_lf + μ m_f) / (n_l + μ)) - log m_f, μ = `prior`; rounded to int8. Languages with much text and with
    little weigh the same, and a feature nobody has says nothing.
    """
    langs = sorted(samples)
    counts = np.zeros((buckets, len(langs)))
    for column, lang in enumerate(langs):
        words = Counter(word for text in samples[lang] for word in words_of(text))
        for word, count in words.items():
            np.add.at(counts[:, column], features(word, buckets), count)
    totals = np.maximum(counts.sum(axis=0), 1)
    mean = (counts / totals).mean(axis=1, keepdims=True) + _FLOOR
    weights = np.log((counts + prior * mean) / (totals + prior) / mean)
    scale = float(np.abs(weights).max()) / 127 or 1.0
    return Profiles(langs, np.rint(weights / scale).astype(np.int8), scale)
