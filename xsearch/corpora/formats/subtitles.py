"""Subtitles (SubRip .srt, WebVTT .vtt): what is said, without numbers, times and marks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import chain, pairwise

from xsearch.core.document import Document
from xsearch.core.errors import BadInput
from xsearch.corpora.opened import OpenSource

_CLOCK = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMES = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_MARKS = re.compile(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|\{\\[^{}]*\}")
"""Tags (<i>, <v Speaker>, </font>), times within a line, and the positions that some programs write ({\\an8})."""


def read_subtitles(file: OpenSource) -> Iterator[Document]:
    """The file as one document without a title: a line for each line of a cue, one that the next cue repeats once. What
    stands outside cues (numbers, headers, notes, styles) is left out. Raises `BadInput` where no cue has any text."""
    said: list[str] = []
    for line in _spoken(file.read_text().split("\n")):
        text = html.unescape(_MARKS.sub("", line)).strip()
        if text and said[-1:] != [text]:
            said.append(text)
    if not said:
        raise BadInput("there is no cue with text in it")
    yield file.document("\n".join(said))


def _spoken(lines: list[str]) -> Iterator[str]:
    """The lines of cues: those after a line of times, up to an empty one or to the number of the next cue."""
    within = False
    for line, following in pairwise(chain(lines, [""])):
        if _TIMES.match(line):
            within = True
        elif not line.strip():
            within = False
        elif within and not (line.strip().isdigit() and _TIMES.match(following)):
            yield line
