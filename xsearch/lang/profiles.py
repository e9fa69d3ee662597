"""Language profiles: which language of a script a word's letters point to.

A linear classifier over hashed character n-grams (1 to 4, with word boundaries) and whole words, one for each script
that several languages share, after Joulin et al. 2017, "Bag of Tricks for Efficient Text Classification": with W the
profiles and F the features of a text, P(language | text) = softmax(1/|F| Σ_{f∈F} W_f). The sum goes word by word, so
that a word's share is computed once and then looked up.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import chain
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core.batch import FloatArray, IntArray
from xsearch.core.extras import need

_GRAMS = (1, 2, 3, 4)
_CACHED_WORDS = 1 << 16
_LONGEST = 24
_RATE = 0.5
_WORD = re.compile(r"[^\W\d_][^\s!-&(-/:-@\[-`{-~«»„“”،。、؟।,]*")


def words_of(text: str) -> list[str]:
    """The words of a text as profiles know them: lower case, starting with a letter, without punctuation."""
    return [word[:_LONGEST] for word in _WORD.findall(text.lower())]


def features(word: str, buckets: int) -> list[int]:
    """Bucket numbers of a word's n-grams and of the word itself. `buckets` is a power of two."""
    padded = f"_{word}_"
    grams = [padded[i : i + n] for n in _GRAMS for i in range(len(padded) - n + 1)]
    return [zlib.crc32(g.encode("utf-8", "surrogatepass")) & (buckets - 1) for g in (*grams, " " + word)]


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
            known = self._known(chain.from_iterable(texts), sum(lengths))
        starts = np.cumsum([0, *lengths[:-1]]) if texts else np.zeros(0, dtype=np.int64)
        found = np.zeros((len(texts), len(self.langs) + 1), dtype=np.float32)
        filled = np.asarray(lengths) > 0
        if filled.any():
            found[filled] = np.add.reduceat(known, starts[filled], axis=0)
        logits: FloatArray = found[:, :-1] / np.maximum(found[:, -1:], 1)
        return logits

    def _known(self, words: Iterator[str], total: int) -> FloatArray:
        """Sums of weights of each word, and in the last column the number of its features; float32 (total, …)."""
        if len(self._rows) + total > _CACHED_WORDS:
            self._rows.clear()
        rows = self._rows
        places = np.fromiter((rows[w] if w in rows else self._learn(w) for w in words), dtype=np.int64, count=total)
        return self._sums[places]

    def _learn(self, word: str) -> int:
        row = len(self._rows)
        if row >= len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        buckets = features(word, len(self._weights))
        self._sums[row, :-1] = self._weights[buckets].sum(axis=0, dtype=np.float32) * self._scale
        self._sums[row, -1] = len(buckets)
        self._rows[word] = row
        return row


@cache
def profiles(script: str) -> Profiles | None:
    """The shipped profiles of a script (``Latn``, ``Cyrl``, ``Arab``, …), None where a script needs none."""
    with resources.files(__package__).joinpath("data", "profiles.npz").open("rb") as file, np.load(file) as data:
        if f"{script}.weights" not in data:
            return None
        langs = str(data[f"{script}.langs"]).split()
        return Profiles(langs, data[f"{script}.weights"], float(data[f"{script}.scale"]))


def learn(
    samples: Mapping[str, Sequence[str]], buckets: int, *, snippets: int = 4000, epochs: int = 4, seed: int = 1
) -> Profiles:
    """Profiles of the languages of one script, from texts of each.

    Every epoch draws `snippets` stretches of 1 to 16 words a language, so that languages with little text weigh the
    same, and takes steps of Adagrad (rate .5, batches of 1,024) on the cross-entropy. Weights are rounded to int8.
    The same input and seed give the same profiles. Needs scipy.
    """
    sparse = need("scipy.sparse", "train", "learning language profiles")
    langs = sorted(samples)
    random = np.random.default_rng(seed)
    words = {lang: [w for text in samples[lang] for w in words_of(text)] for lang in langs}
    weights = np.zeros((buckets, len(langs)), dtype=np.float32)
    squares = np.full_like(weights, 1e-6)
    known: dict[str, list[int]] = {}
    for _ in range(epochs):
        drawn = [(label, _snippet(words[lang], random)) for label, lang in enumerate(langs) for _ in range(snippets)]
        drawn = [drawn[i] for i in random.permutation(len(drawn))]
        for at in range(0, len(drawn), 1024):
            batch = drawn[at : at + 1024]
            labels = np.array([label for label, _ in batch])
            x = _mean_matrix([snippet for _, snippet in batch], buckets, known, sparse)
            _step(weights, squares, x, labels)
    scale = float(np.abs(weights).max()) / 127 or 1.0
    return Profiles(langs, np.rint(weights / scale).astype(np.int8), scale)


def _snippet(words: Sequence[str], random: np.random.Generator) -> Sequence[str]:
    length = int(random.integers(1, 17))
    start = int(random.integers(0, max(1, len(words) - length)))
    return words[start : start + length]


def _mean_matrix(snippets: Sequence[Sequence[str]], buckets: int, known: dict[str, list[int]], sparse: Any) -> Any:
    """Mean feature counts of each snippet: scipy CSR (snippets, buckets), rows sum to 1."""
    columns: list[int] = []
    starts = [0]
    for snippet in snippets:
        for word in snippet:
            if word not in known:
                known[word] = features(word, buckets)
            columns += known[word]
        starts.append(len(columns))
    lengths = np.diff(starts)
    values = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    return sparse.csr_matrix((values, columns, starts), shape=(len(snippets), buckets))


def _step(weights: FloatArray, squares: FloatArray, x: Any, labels: IntArray) -> None:
    """One step of Adagrad (Duchi et al. 2011) down the mean cross-entropy, in place."""
    logits = x @ weights
    errors = np.exp(logits - logits.max(axis=1, keepdims=True))
    errors /= errors.sum(axis=1, keepdims=True)
    errors[np.arange(len(labels)), labels] -= 1
    gradient = x.T @ (errors / len(labels))
    squares += gradient**2
    weights -= _RATE * gradient / np.sqrt(squares)
