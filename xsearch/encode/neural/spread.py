"""One encoder on several devices: passages are divided among them, the first in this process, each other in its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import numpy as np

from xsearch.core import IntArray, SparseVectors, TokenVectors, Windows
from xsearch.encode.card import EncoderCard

Load = Callable[[str], Any]
"""Makes the encoder on a device."""


class SpreadEncoder:
    """An encoder of any neural kind on `devices`, two or more. Queries go to the first alone: they are few and wanted
    at once. load: makes the encoder on a device; it is sent to the processes."""

    def __init__(self, load: Load, devices: Sequence[str]) -> None:
        self._here = load(devices[0])
        # Spawned: a process forked from one that has used a GPU cannot use any.
        self._others = [
            ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start, initargs=(load, device))
            for device in devices[1:]
        ]
        self.card: EncoderCard = self._here.card

    def encode_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Any:
        """As the encoder on the first device."""
        return self._here.encode_queries(texts, langs)

    def encode_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Any:
        """As the encoder on one device, each device taking a run of texts of about equally many characters."""
        bounds = shares([len(text) for text in texts], len(self._others) + 1)
        parts = [(list(texts[a:b]), None if langs is None else list(langs[a:b])) for a, b in pairwise(bounds)]
        begun = [pool.submit(_encode, *part) for pool, part in zip(self._others, parts[1:], strict=True)]
        made = [self._here.encode_passages(*parts[0]), *(future.result() for future in begun)]
        return joined(made, bounds)

    def locate_queries(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Any:
        """As the encoder on the first device."""
        return self._here.locate_queries(texts, langs)

    def locate_passages(self, texts: Sequence[str], langs: Sequence[str] | None = None) -> Any:
        """As the encoder on the first device: few passages are looked at so closely."""
        return self._here.locate_passages(texts, langs)

    def supports(self, lang: str) -> float:
        """As the encoder on the first device."""
        return float(self._here.supports(lang))

    def word_weights(self, words: Sequence[str]) -> Any:
        """As the encoder on the first device."""
        return self._here.word_weights(words)


def shares(sizes: Sequence[int], count: int) -> list[int]:
    """Where to cut a row of sizes into `count` runs of about equal sums: count + 1 bounds."""
    sums = np.concatenate(([0], np.cumsum(sizes)))
    inner = np.searchsorted(sums, sums[-1] * np.arange(1, count) / count)
    return [0, *np.minimum(inner, len(sizes)).tolist(), len(sizes)]


def joined(parts: Sequence[Any], bounds: Sequence[int]) -> Any:
    """What encoders made of runs of texts that begin at `bounds`, as if one had made it of all: `Windows`,
    `TokenVectors` or `SparseVectors`."""
    first = parts[0]
    if isinstance(first, Windows):
        owners = [part.owners + start for part, start in zip(parts, bounds, strict=False)]
        return Windows(np.concatenate([part.vectors for part in parts]), np.concatenate(owners))
    starts = joined_starts([part.starts for part in parts])
    if isinstance(first, TokenVectors):
        return TokenVectors(np.concatenate([part.vectors for part in parts]), starts)
    terms, weights = [part.terms for part in parts], [part.weights for part in parts]
    return SparseVectors(starts, np.concatenate(terms), np.concatenate(weights))


def joined_starts(parts: Sequence[IntArray]) -> IntArray:
    """Starts of rows that follow each other, int64 (n + 1,)."""
    before = np.cumsum([0, *(int(part[-1]) for part in parts)])
    return np.concatenate([*(part[:-1] + start for part, start in zip(parts, before, strict=False)), before[-1:]])


class _Worker:
    """What a process holds."""

    encoder: Any


def _start(load: Load, device: str) -> None:
    _Worker.encoder = load(device)


def _encode(texts: list[str], langs: list[str] | None) -> Any:
    return _Worker.encoder.encode_passages(texts, langs)
