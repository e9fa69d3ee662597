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

import numpy as np
from numpy.typing import NDArray

from xsearch.core.batch import FloatArray
from xsearch.lang.tables import DATA

_GRAMS = (1, 2, 3, 4, 5)
_CACHED_WORDS = 1 << 16
_LONGEST = 24
_FLOOR = 1e-9
_WORD = re.compile(r"[^\W\d_][^\s!-&(-/:-@\[-`{-~«»„“”،。、؟।,]*")


def words_of(text: str) -> list[str]:
    """The words of a text as profiles know them: lower case, starting with a letter, without punctuation."""
    return [word[:_LONGEST] for word in _WORD.findall(text.lower())]


def features(word: str, buckets: int) -> list[int]:
    """Bucket numbers of a word's n-grams and of the word itself. `buckets` is a power of two."""
    # Four bytes a character, so that n-grams are slices.
    padded = f"_{word}_".encode("utf-32-le", "surrogatepass")
    grams = [padded[i : i + 4 * n] for n in _GRAMS for i in range(0, len(padded) - 4 * n + 1, 4)]
    return [zlib.crc32(gram) & (buckets - 1) for gram in (*grams, b" " + padded)]


class Profiles:
    """The languages of one script. weights: int8 or float32 (buckets, languages), times `scale`."""

    def __init__(self, langs: Sequence[str], weights: NDArray[np.int8] | FloatArray, scale: float = 1.0) -> None:
        self.langs = tuple(langs)
        self._weights = weights
        self._scale = scale
        self._rows: dict[str, int] = {}
        self._sums = np.zeros((1024, len(self.langs) + 1), dtype=np.float32)
        self._lock = Lock()

    def logits(self, texts: Sequence[Sequence[str]]) -> FloatArray:
        """Unnormalised log-probabilities of the languages for texts given as words; float32 (texts, languages).

        A text without words gets zeros.
        """
        lengths = [len(words) for words in texts]
        with self._lock:
            known = self._known(list(chain.from_iterable(texts)))
        starts = np.cumsum([0, *lengths[:-1]]) if texts else np.zeros(0, dtype=np.int64)
        found = np.zeros((len(texts), len(self.langs) + 1), dtype=np.float32)
        filled = np.asarray(lengths) > 0
        if filled.any():
            found[filled] = np.add.reduceat(known, starts[filled], axis=0, dtype=np.float32)
        tempered = found[:, :-1] / np.sqrt(np.maximum(found[:, -1:], 1))
        return tempered.astype(np.float32)

    def _known(self, words: Sequence[str]) -> FloatArray:
        """Sums of weights of each word, and in the last column the number of its features; float32 (words, …)."""
        if len(self._rows) > _CACHED_WORDS:
            self._rows.clear()
        if unseen := [word for word in dict.fromkeys(words) if word not in self._rows]:
            self._add(unseen)
        return self._sums[np.fromiter(map(self._rows.__getitem__, words), dtype=np.int64, count=len(words))]

    def _add(self, words: Sequence[str]) -> None:
        first = len(self._rows)
        if (needed := first + len(words)) > len(self._sums):
            grown = np.zeros((max(needed, 2 * len(self._sums)), self._sums.shape[1]), dtype=np.float32)
            grown[:first] = self._sums[:first]
            self._sums = grown
        buckets = [features(word, len(self._weights)) for word in words]
        lengths = [len(b) for b in buckets]
        rows = self._weights[np.fromiter(chain.from_iterable(buckets), dtype=np.int64, count=sum(lengths))]
        sums = np.add.reduceat(rows, np.cumsum([0, *lengths[:-1]]), axis=0, dtype=np.float32)
        self._sums[first:needed, :-1] = sums * self._scale
        self._sums[first:needed, -1] = lengths
        self._rows.update(zip(words, range(first, needed), strict=True))


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
