"""The part `tokens`: every passage's words in pieces, and the passages of every word, for retrievers that compare word
by word.

A language has its own segments (`retrieve.word_file`), in ascending passage number; a commit adds one to each language
it touches, and many small ones become one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsearch.core import Bags, IntArray, PassageBatch
from xsearch.retrieve.dense import merge_from
from xsearch.retrieve.forward import Forward, joined
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.word_file import Entry, map_words, packed
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files, durable_write

MAX_SEGMENTS = 8
"""Segments of a language before a flush merges some."""
BUFFER_BYTES = 128 << 20
"""Pieces a writer holds before it makes segments of them ahead of the flush."""
LONGEST = 16
"""Pieces of a word; a longer run (an address, a key) is cut."""


class TokensWriter:
    """Appends the words of passages to the segments of `folder`.

    state: what `flush` last returned and the manifest committed, `{}` for a new index. high_water: the first
    passage number not yet given away. Segments that `state` does not name take no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._next = high_water
        languages: Mapping[str, Sequence[Entry]] = state.get("languages", {})
        self._segments = {lang: list(entries) for lang, entries in languages.items()}
        self._buffers: dict[str, list[Forward]] = {}
        self._buffered = 0

    def add(self, batch: PassageBatch) -> None:
        """Append the words of `batch`; a passage without any is left out.

        Raises ValueError when numbers were given before or do not ascend, or when the batch has no pieces.
        """
        self._next = next_number(self._next, batch.numbers)
        if batch.pieces is None or batch.pieces.words is None or len(batch.pieces) != len(batch):
            raise ValueError("every passage of a batch must come with its pieces and where words begin")
        texts = running(batch.numbers, batch.pieces)
        spoken = np.diff(texts.starts) > 0
        langs = np.array(batch.langs)
        for lang in sorted(set(langs[spoken].tolist())):
            self._buffers.setdefault(lang, []).append(texts.take(np.flatnonzero(spoken & (langs == lang))))
        self._buffered += batch.pieces.tokens.nbytes
        if self._buffered >= BUFFER_BYTES:
            self._write_buffers()

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: "languages" (a list of segments each), "files" (paths relative to the folder). Raises
        `CannotWrite` when the disk refuses.
        """
        reach("retrieve.tokens.flush.before")
        self._write_buffers()
        for lang, entries in self._segments.items():
            if len(entries) > MAX_SEGMENTS:
                start = merge_from([entry["entries"] for entry in entries])
                merged = joined([map_words(self._folder / words_name(lang, e), e).forward for e in entries[start:]])
                entries[start:] = [self._write_segment(lang, merged)]
                reach("retrieve.tokens.flush.merged")
        reach("retrieve.tokens.flush.after")
        languages = {lang: list(entries) for lang, entries in sorted(self._segments.items())}
        return {
            "languages": languages,
            "files": sorted(words_name(lang, entry) for lang, entries in languages.items() for entry in entries),
        }

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._buffers.clear()

    def _write_buffers(self) -> None:
        for lang, parts in sorted(self._buffers.items()):
            self._segments.setdefault(lang, []).append(self._write_segment(lang, joined(parts)))
        self._buffers.clear()
        self._buffered = 0

    def _write_segment(self, lang: str, made: Forward) -> Entry:
        entry = {
            "first": int(made.numbers[0]),
            "last": int(made.numbers[-1]),
            "passages": made.passages,
            "entries": len(made.entries),
            "words": made.words,
            "pieces": len(made.pieces),
        }
        self._files.make_folder(self._folder / lang)
        reach("retrieve.tokens.write.before")
        durable_write(self._files, self._folder / words_name(lang, entry), packed(made))
        reach("retrieve.tokens.write.after")
        return entry


def running(numbers: IntArray, bags: Bags) -> Forward:
    """Passages as they came, a word each time it stands there: not in the one form that is written."""
    begins = np.zeros(len(bags.tokens), dtype=np.bool_)
    begins[bags.words] = True
    begins[bags.starts[:-1][np.diff(bags.starts) > 0]] = True
    word_starts = np.append(np.flatnonzero(_cut_long(begins)), len(begins))
    starts = np.searchsorted(word_starts, bags.starts)
    return Forward(numbers, starts, np.arange(len(word_starts) - 1), word_starts, bags.tokens)


def _cut_long(begins: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`begins` with another beginning after every `LONGEST` pieces of a word."""
    places = np.arange(len(begins))
    since = places - np.maximum.accumulate(np.where(begins, places, 0))
    cut: NDArray[np.bool_] = begins | (since % LONGEST == 0)
    return cut


def words_name(lang: str, entry: Entry) -> str:
    """Path of a segment, relative to the part's folder."""
    return f"{lang}/{entry['first']}-{entry['last']}.words"
