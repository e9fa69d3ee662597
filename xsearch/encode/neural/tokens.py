"""Texts → token numbers as a checkpoint wants them, and batches of them as a network does.

A text longer than the network reads at once is cut at white space (where there is none, anywhere) into windows of
about equal size; nothing is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import BadInput, IntArray


@dataclass(frozen=True)
class Tokenised:
    """Windows of texts. ids: token numbers of each window, special tokens and prefix included. owners: int64 (windows,)
    ascending, the text of each; a text without a character other than white space has none. windows: what of its text
    each is made of."""

    ids: list[list[int]]
    owners: IntArray
    windows: list[str]

    @property
    def lengths(self) -> IntArray:
        """Tokens of each window, int64."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)


class TextTokens:
    """Tokenises for one side, queries or passages.

    tokenizer: of transformers; nobody else may use it at the same time as others do, since its padding and truncation
    are switched off for good. prefix: put in front of every window. marker: the number of a token set behind the first
    special one, None for none. limit: tokens of a window, all included. special: whether the tokenizer's special
    tokens are added.
    """

    def __init__(
        self, tokenizer: Any, limit: int, prefix: str = "", marker: int | None = None, special: bool = True
    ) -> None:
        self._tokenizer, self._special = tokenizer, special
        self._fast = tokenizer.backend_tokenizer if tokenizer.is_fast else None
        if self._fast is not None:
            self._fast.no_truncation()
            self._fast.no_padding()
        self.prefix, self.marker = prefix, marker
        self.limit = max(limit, len(self._encode([""])[0]) + 1)

    def tokenise(self, texts: Sequence[str]) -> Tokenised:
        """The windows of `texts`."""
        spoken = [(row, text) for row, text in enumerate(texts) if text.strip()]
        encoded = self._encode([text for _, text in spoken])
        owners: list[int] = []
        made: list[tuple[str, list[int]]] = []
        for (row, text), ids in zip(spoken, encoded, strict=True):
            windows = [(text, ids)] if len(ids) <= self.limit else self._windows(text, ids)
            owners += [row] * len(windows)
            made += windows
        return Tokenised([ids for _, ids in made], np.array(owners, dtype=np.int64), [text for text, _ in made])

    def spans(self, texts: Sequence[str], tokens: Tokenised) -> list[IntArray]:
        """Where the tokens of each window of `texts` stand in their text, int64 (tokens, 2) in code points; -1, -1 for
        one that spells nothing of it, and for all where the tokenizer cannot tell (only fast ones can)."""
        if self._fast is None:
            return [np.full((len(ids), 2), -1, dtype=np.int64) for ids in tokens.ids]
        whole = [self.prefix + window for window in tokens.windows]
        found, ends = [], [0] * len(texts)
        for ids, owner, window, encoded in zip(
            tokens.ids,
            tokens.owners.tolist(),
            tokens.windows,
            self._fast.encode_batch(whole, add_special_tokens=self._special),
            strict=True,
        ):
            begin = texts[owner].index(window, ends[owner])
            ends[owner] = begin + len(window)
            places = [
                spelled(window, start - len(self.prefix), end - len(self.prefix)) for start, end in encoded.offsets
            ]
            if self.marker is not None:
                places.insert(1, None)
            rows = [(-1, -1) if place is None else (begin + place[0], begin + place[1]) for place in places[: len(ids)]]
            found.append(np.array(rows, dtype=np.int64))
        return found

    def _windows(self, text: str, ids: list[int]) -> list[tuple[str, list[int]]]:
        """Windows of a text that has too many tokens, `ids`."""
        # What every window has in common does not shrink with the text.
        shared = len(self._encode([""])[0])
        count = max(2, math.ceil((len(ids) - shared) / max(1, self.limit - shared)))
        parts = cut(text, count)
        windows = []
        for part, encoded in zip(parts, self._encode(parts), strict=True):
            if len(encoded) <= self.limit or len(part) < 2:
                windows.append((part, encoded[: self.limit]))
            else:
                windows += self._windows(part, encoded)
        return windows

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if self.prefix:
            texts = [self.prefix + text for text in texts]
        if not texts:
            return []
        if self._fast is not None:
            found = [e.ids for e in self._fast.encode_batch_fast(texts, add_special_tokens=self._special)]
        else:
            found = self._tokenizer(texts, add_special_tokens=self._special, verbose=False)["input_ids"]
        return [[*ids[:1], self.marker, *ids[1:]] for ids in found] if self.marker is not None else found


def spelled(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The characters of `text` from `start`, which may lie before it, to `end`, without white space around them; None
    where there are none."""
    start = max(start, 0)
    part = text[start : max(end, 0)]
    start += len(part) - len(part.lstrip())
    return (start, start + len(part.strip())) if part.strip() else None


def cut(text: str, count: int) -> list[str]:
    """A text in `count` parts of about equally many characters, at white space if there is some near the place, without
    parts that are all white space."""
    text = text.strip()
    size = len(text) / count
    parts, start = [], 0
    for end in range(1, count + 1):
        place = len(text) if end == count else round(end * size)
        if place < len(text):
            # No further back than half a part.
            gap = max((text.rfind(sign, max(start, place - int(size / 2)), place) for sign in " \n\t"), default=-1)
            place = gap if gap > start else place
        if text[start:place].strip():
            parts.append(text[start:place].strip())
        start = place
    return parts


def check_vocabulary(tokenizer: Any, folder: Path) -> None:
    """Raise `BadInput` for a tokenizer that knows special tokens alone: transformers makes such a one where the files
    are missing, and to it all texts are alike."""
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise BadInput(f"{folder} has no vocabulary: put its tokenizer.json, or what it is made of, beside the weights")


def pad_number(tokenizer: Any) -> int:
    """The number to pad with. Decoders often have no padding token; what stands there is masked, so any will do."""
    for number in (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id):
        if number is not None:
            return int(number)
    return 0
