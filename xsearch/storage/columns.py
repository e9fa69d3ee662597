"""Document and language of every passage, read at query time without SQLite.

Immutable segments, each covering a range of passage numbers, memory-mapped. File ``columns-NNNNNN.col``,
little-endian: a header of 32 bytes (magic ``XSCOLS\\0\\1``, int64 first passage number, int64 count, 8 bytes zero),
int64[count] document numbers, uint16[count] language numbers (places in the manifest's list). A number that no
passage has, after compaction, is a hole: document -1, language 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import IndexDamaged, IntArray
from xsearch.core.mapped import mapped
from xsearch.storage.files import Files, durable_write

MAGIC = b"XSCOLS\0\1"
NO_DOCUMENT = -1
NO_LANGUAGE = 0
"""A hole's language. Any number does, since holes are never alive; this one is a place in every list."""
GROWTH = 4
"""A segment is merged into its successor unless it is this many times as large: every passage is rewritten at most
log4(n) times, and there are at most so many segments."""

_HEADER = struct.Struct("<8sqq8x")
LanguageNumbers = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class _Segment:
    """first: the passage number of row 0. documents: int64 (count,). languages: uint16 (count,)."""

    first: int
    documents: IntArray
    languages: LanguageNumbers

    @property
    def end(self) -> int:
        return self.first + len(self.documents)


class PassageColumns:
    """The columns of one snapshot. codes: language codes in the order of the language numbers."""

    def __init__(self, segments: Sequence[_Segment], high_water: int, codes: Sequence[str]) -> None:
        self._segments = tuple(segments)
        self.high_water = high_water
        self.codes = tuple(codes)

    @staticmethod
    def open(folder: Path, state: Mapping[str, Any], codes: Sequence[str], high_water: int) -> PassageColumns:
        """Map the segments that `state` names in `folder`, a generation's; the rest is the manifest's, too. Raises
        `IndexDamaged` when one is missing, cut short or altered in its header."""
        return PassageColumns([_open(folder, segment) for segment in state.get("segments", ())], high_water, codes)

    def document_of(self, passages: IntArray) -> IntArray:
        """Document numbers, int64 (n,), of passage numbers (n,) in any order; -1 for one that no passage has."""
        found = np.full(len(passages), NO_DOCUMENT, np.int64)
        for segment, inside in self._inside(passages):
            found[inside] = segment.documents[passages[inside] - segment.first]
        return found

    def language_of(self, passages: IntArray) -> LanguageNumbers:
        """Language numbers, uint16 (n,): places in `codes`; 0 for a number that no passage has."""
        found = np.full(len(passages), NO_LANGUAGE, np.uint16)
        for segment, inside in self._inside(passages):
            found[inside] = segment.languages[passages[inside] - segment.first]
        return found

    @cached_property
    def documents(self) -> IntArray:
        """The document number of every passage number, int64 (high_water,); the file itself where one has all."""
        return _merge(self._segments, 0, self.high_water).documents

    @cached_property
    def languages(self) -> LanguageNumbers:
        """The language number of every passage number, uint16 (high_water,)."""
        return _merge(self._segments, 0, self.high_water).languages

    @property
    def passages(self) -> int:
        """How many passages there are, the dead among them: numbers that none has any more do not count."""
        return int(np.count_nonzero(self.documents != NO_DOCUMENT))

    def _inside(self, passages: IntArray) -> Iterable[tuple[_Segment, NDArray[np.bool_]]]:
        for segment in self._segments:
            inside = (passages >= segment.first) & (passages < segment.end)
            if inside.any():
                yield segment, inside


def append_columns(
    files: Files,
    folder: Path,
    state: Mapping[str, Any],
    commit: int,
    passages: IntArray,
    documents: IntArray,
    languages: LanguageNumbers,
) -> dict[str, Any]:
    """Write the columns of new passages, merging small segments in; returns the new state. Durable when it returns.

    state: of the last commit, {} for none. passages: int64 (n,), ascending, above all earlier ones, not necessarily
    consecutive. documents: int64 (n,). languages: uint16 (n,), places in the manifest's list. Files of the old state
    stay, for the readers that map them.
    """
    kept = [dict(segment) for segment in state.get("segments", ())]
    if not len(passages):
        return {"segments": kept}
    first, end = int(passages[0]), int(passages[-1]) + 1
    if kept and kept[-1]["first"] + kept[-1]["count"] > first:
        raise ValueError(f"passage {first} is not above those already written")
    new = _blank(first, end)
    new.documents[passages - first] = documents
    new.languages[passages - first] = languages
    segments = [new]
    while kept and kept[-1]["count"] < GROWTH * (end - segments[0].first):
        segments.insert(0, _open(folder, kept.pop()))
    merged = _merge(segments, segments[0].first, end)
    name = f"columns-{commit:06d}.col"
    content = [
        _HEADER.pack(MAGIC, merged.first, len(merged.documents)),
        merged.documents.astype("<i8", copy=False).tobytes(),
        merged.languages.astype("<u2", copy=False).tobytes(),
    ]
    durable_write(files, folder / name, content)
    return {"segments": [*kept, {"file": name, "first": merged.first, "count": len(merged.documents)}]}


def column_files(state: Mapping[str, Any]) -> list[str]:
    """Names of the files that `state` consists of, within the generation folder."""
    return [segment["file"] for segment in state.get("segments", ())]


def _open(folder: Path, segment: Mapping[str, Any]) -> _Segment:
    path = folder / segment["file"]
    try:
        content = mapped(path)
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{path} is missing or empty: run `xsearch check`") from error
    first, count = int(segment["first"]), int(segment["count"])
    expected = _HEADER.pack(MAGIC, first, count)
    if len(content) != _HEADER.size + 10 * count or content[: _HEADER.size].tobytes() != expected:
        raise IndexDamaged(f"{path} was altered or cut short: run `xsearch check`")
    split = _HEADER.size + 8 * count
    return _Segment(first, content[_HEADER.size : split].view("<i8"), content[split:].view("<u2"))


def _blank(first: int, end: int) -> _Segment:
    return _Segment(first, np.full(end - first, NO_DOCUMENT, np.int64), np.full(end - first, NO_LANGUAGE, np.uint16))


def _merge(segments: Sequence[_Segment], first: int, end: int) -> _Segment:
    """One segment over ``[first, end)``; that which covers it all alone is returned as it is."""
    if len(segments) == 1 and (segments[0].first, segments[0].end) == (first, end):
        return segments[0]
    merged = _blank(first, end)
    for segment in segments:
        merged.documents[segment.first - first : segment.end - first] = segment.documents
        merged.languages[segment.first - first : segment.end - first] = segment.languages
    return merged
