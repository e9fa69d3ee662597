"""Numbered lines of small text files (topics, qrels, runs), plain or compressed, with their faults collected.

Line ends are ``\\n`` and ``\\r\\n`` only: Unicode's other line separators may stand inside a topic or an id.
"""

from __future__ import annotations

import logging
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path

from xsearch.core import BadInput
from xsearch.core.wording import counted
from xsearch.corpora.compression import open_stream, split_compression
from xsearch.corpora.source import ReadOptions

_LOG = logging.getLogger(__name__)
_SHOWN = 20
"""Bad lines quoted in one message; the rest are counted."""

Note = Callable[[str], None]
"""Takes a one-line remark about a file."""


def note_to_log(message: str) -> None:
    """The default `Note`: a warning in the log."""
    _LOG.warning("%s", message)


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, line without its end) of a file, unpacked by its suffix (.gz, .xz, .zst).

    Blank lines are left out and a byte order mark is dropped. Raises `BadInput` when the file cannot be opened or
    its compression is damaged; what came before the damage has been yielded by then.
    """
    number = 0
    try:
        with path.open("rb") as file, open_stream(file, split_compression(path.name)[1], ReadOptions()) as stream:
            for number, line in enumerate(stream, start=1):
                stripped = (line.removeprefix(BOM_UTF8) if number == 1 else line).rstrip(b"\r\n")
                if stripped.strip():
                    yield number, stripped
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except BadInput as error:
        raise BadInput(str(error), where=f"{path}:{number + 1}") from error


class Faults:
    """Collects what is wrong with a file, so that all of it is reported at once.

    With `on_bad` each fault goes there and reading continues without the line; without it, `close` raises.
    """

    def __init__(self, path: Path, on_bad: Note | None = None) -> None:
        self._path = path
        self._on_bad = on_bad
        self._shown: list[tuple[int, str]] = []
        self._count = 0

    def add(self, line: int, reason: str) -> None:
        """Record that `line` cannot be used."""
        self._count += 1
        if self._on_bad is not None:
            self._on_bad(f"{self._path}:{line}: {reason}")
        elif len(self._shown) < _SHOWN:
            self._shown.append((line, reason))

    def close(self) -> None:
        """Raise `BadInput` that lists the faults, unless there are none or they were handed to `on_bad`."""
        if not self._shown:
            return
        first, reason = self._shown[0]
        message = reason
        if self._count > 1:
            rest = [f"  {self._path}:{line}: {text}" for line, text in self._shown[1:]]
            if self._count > len(self._shown):
                rest.append(f"  and {self._count - len(self._shown)} more")
            message = "\n".join([f"{reason} ({counted(self._count, 'bad line')} in all)", *rest])
        raise BadInput(message, where=f"{self._path}:{first}")
