"""One segment of the names index: the word forms of a range of passages, their keys, and who has them.

    <lang>/<first>-<last>.names

`first` and `last` are the passage numbers it starts and ends with. Words stand in the order of their skeletons
(`lang.romanise.skeleton`), then their forms: those with one skeleton, which is how a query gets there, side by side.
The layout is in `indexes/FORMAT.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray
from xsearch.core.mapped import mapped
from xsearch.lang.romanise import ALPHABET, FAMILIES
from xsearch.lang.sounds import skeletons, sound_keys
from xsearch.retrieve.gaps import Bytes, decode, encode

MAGIC = b"XSNAMES\x01"
POSTINGS_AT_ONCE = 1 << 22
"""Postings decoded at once when segments are merged, some 100 MB."""

Entry = dict[str, int]
"""A segment in the state: first and last passage number, passages of the language, words."""

_SECTIONS = (
    ("skeletons", "<u4"),
    ("frequencies", "<u4"),
    ("key_starts", "<u4"),
    ("form_starts", "<u4"),
    ("posting_starts", "<i8"),
    ("families", "u1"),
    ("keys", "u1"),
    ("forms", "u1"),
    ("postings", "u1"),
)
"""Name and type, in the order of the file; each begins at a multiple of eight bytes."""
_HEADER = len(MAGIC) + 8 * len(_SECTIONS)
_TO_CODES = bytes.maketrans(ALPHABET.encode("ascii"), bytes(range(1, len(ALPHABET) + 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """The n words of a segment, in order.

    skeletons: uint32 (n,), ascending. frequencies: uint32 (n,), passages that have the word. families: uint8 (n,),
    places in `lang.romanise.FAMILIES`. keys, forms: uint8, codes of letters and UTF-8; a word's lie between its start
    and the next in key_starts, form_starts, uint32 (n + 1,). postings: uint8, passages less the first of the segment
    as `gaps`, by posting_starts, int64 (n + 1,).
    """

    skeletons: NDArray[np.uint32]
    frequencies: NDArray[np.uint32]
    key_starts: NDArray[np.uint32]
    form_starts: NDArray[np.uint32]
    posting_starts: IntArray
    families: Bytes
    keys: Bytes
    forms: Bytes
    postings: Bytes

    def __len__(self) -> int:
        return len(self.skeletons)

    def form(self, word: int) -> str:
        """The form of a word."""
        return self.written(word).decode()

    def written(self, word: int) -> bytes:
        """The form of a word in UTF-8."""
        return self.forms[self.form_starts.item(word) : self.form_starts.item(word + 1)].tobytes()

    def offsets(self, first: int, last: int) -> tuple[IntArray, IntArray]:
        """Passages, less the segment's first, of the words from `first` to before `last`, and where each word's
        begin in them: int64, int64 (last - first + 1,)."""
        starts = self.posting_starts[first : last + 1]
        return decode(self.postings[starts[0] : starts[-1]], starts - starts[0])

    def to_bytes(self) -> Iterator[bytes]:
        """The file's content."""
        sections = [np.ascontiguousarray(getattr(self, name), dtype=kind) for name, kind in _SECTIONS]
        yield MAGIC + np.array([len(section) for section in sections], dtype="<i8").tobytes()
        for section in sections:
            content = section.tobytes()
            yield content + bytes(-len(content) % 8)


def collect(words: Sequence[str], numbers: IntArray, offsets: IntArray) -> Forms:
    """A segment's words from its postings in the order of passages.

    words: distinct forms that have a key. numbers: int64 (m,), places in `words`. offsets: int64 (m,), passages less
    the segment's first, ascending.
    """
    spelt = _spelt(words)
    order = sorted(range(len(words)), key=spelt.__getitem__)
    place = np.empty(len(words), dtype=np.int64)
    place[order] = np.arange(len(words))
    rank = place[numbers]
    frequencies = np.bincount(rank, minlength=len(words))
    packed, starts = encode(offsets[np.argsort(rank, kind="stable")], _starts(frequencies))
    return _assemble([spelt[i] for i in order], frequencies, packed, starts)


def merge(parts: Sequence[tuple[int, Forms]]) -> Forms:
    """One segment of several, each with the passage it starts with, ascending."""
    spelt = [_all_spelt(forms) for _, forms in parts]
    merged = sorted(set().union(*spelt))
    rank = {word: i for i, word in enumerate(merged)}
    places = [np.array([rank[word] for word in own], dtype=np.int64) for own in spelt]
    frequencies = np.zeros(len(merged), dtype=np.int64)
    for own, (_, forms) in zip(places, parts, strict=True):
        frequencies[own] += forms.frequencies
    packed, starts = [], [0]
    for first, last in _blocks(frequencies):
        numbers, offsets = [], []
        for own, (passage, forms) in zip(places, parts, strict=True):
            begin, end = np.searchsorted(own, [first, last])
            values, ends = forms.offsets(begin, end)
            numbers.append(np.repeat(own[begin:end], np.diff(ends)))
            offsets.append(values + (passage - parts[0][0]))
        order = np.argsort(np.concatenate(numbers), kind="stable")
        block, ends = encode(np.concatenate(offsets)[order], _starts(frequencies[first:last]))
        packed.append(block)
        starts.extend((ends[1:] + starts[-1]).tolist())
    postings = np.concatenate(packed) if packed else np.zeros(0, np.uint8)
    return _assemble(merged, frequencies, postings, np.array(starts, dtype=np.int64))


def read_forms(path: Path, entry: Entry) -> Forms:
    """Map a segment. Raises `IndexDamaged` when the file is missing or does not fit `entry`."""
    try:
        whole = mapped(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if len(whole) < _HEADER or bytes(whole[: len(MAGIC)]) != MAGIC:
        raise _damaged(path, "no segment of names")
    counts = whole[len(MAGIC) : _HEADER].view("<i8").tolist()
    sections, at = [], _HEADER
    for (_, kind), count in zip(_SECTIONS, counts, strict=True):
        size = max(count, 0) * np.dtype(kind).itemsize
        sections.append(whole[at : at + size])
        at += size + -size % 8
    if at != len(whole) or counts[:6] != [(n := entry["words"]), n, n + 1, n + 1, n + 1, n]:
        raise _damaged(path, f"does not hold {entry['words']} words")
    return Forms(*(section.view(kind) for section, (_, kind) in zip(sections, _SECTIONS, strict=True)))


def forms_name(lang: str, entry: Entry) -> str:
    """Path of a segment, relative to the retriever's folder."""
    return f"{lang}/{entry['first']}-{entry['last']}.names"


_Spelt = tuple[int, bytes, int, bytes]
"""A word in the order of segments: skeleton, form, family, codes of its key."""


def _spelt(words: Sequence[str]) -> list[_Spelt]:
    families, keys = sound_keys(words)
    # As one text each: none holds a space.
    codes = " ".join(keys).encode("ascii").translate(_TO_CODES).split(b" ")
    encoded = " ".join(words).encode().split(b" ")
    numbers = skeletons(families, keys).tolist()
    return list(zip(numbers, encoded, map(FAMILIES.index, families), codes, strict=True)) if words else []


def _all_spelt(forms: Forms) -> list[_Spelt]:
    words = _cut(forms.forms, forms.form_starts)
    keys = _cut(forms.keys, forms.key_starts)
    return list(zip(forms.skeletons.tolist(), words, forms.families.tolist(), keys, strict=True))


def _cut(content: Bytes, starts: NDArray[np.uint32]) -> list[bytes]:
    whole, ends = content.tobytes(), starts.tolist()
    return [whole[begin:end] for begin, end in pairwise(ends)]


def _assemble(spelt: Sequence[_Spelt], frequencies: IntArray, postings: Bytes, starts: IntArray) -> Forms:
    keys = [key for _, _, _, key in spelt]
    words = [word for _, word, _, _ in spelt]
    return Forms(
        np.array([number for number, _, _, _ in spelt], dtype=np.uint32),
        frequencies.astype(np.uint32),
        _starts(list(map(len, keys))).astype(np.uint32),
        _starts(list(map(len, words))).astype(np.uint32),
        starts,
        np.array([kind for _, _, kind, _ in spelt], dtype=np.uint8),
        np.frombuffer(b"".join(keys), dtype=np.uint8),
        np.frombuffer(b"".join(words), dtype=np.uint8),
        postings,
    )


def _starts(lengths: IntArray | list[int]) -> IntArray:
    starts: IntArray = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return starts


def _blocks(frequencies: IntArray) -> Iterator[tuple[int, int]]:
    """Ranges of words that have about `POSTINGS_AT_ONCE` postings each."""
    block = np.cumsum(frequencies) // POSTINGS_AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(frequencies)]
    return ((first, last) for first, last in pairwise(edges) if last > first)


def _damaged(path: Path, what: str) -> IndexDamaged:
    return IndexDamaged(f"{path}: {what}: run `xsearch check --repair`")
