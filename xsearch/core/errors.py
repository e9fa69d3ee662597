"""The errors a program can catch, each with the exit code the command line gives it.

    XSearchError                3
    ├── UsageError              2   the call itself is wrong (k = 0, an unknown option value)
    │   ├── UnknownLanguage     2
    │   └── FilterError         2
    ├── BadInput                3   a file, a record, a topic, a run
    ├── IndexLocked             4   another writer holds the index
    ├── IndexDamaged            4   files missing, changed, or of a newer format
    ├── CannotWrite             4   the disk is full, read-only, or denies permission
    ├── WorkerDied              4   a process that helped to index or search ended
    ├── EncoderMismatch         4   the index was built with another encoder or analyzer
    └── MissingExtra            5   an optional package or a model is not there

Exit codes: 0 done, 1 nothing found or a comparison failed, 2 wrong usage, 3 bad input, 4 index damaged or
locked, 5 missing extra or model, 130 interrupted. A message says what, where, and what to do.
"""

from __future__ import annotations


class XSearchError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 3


class UsageError(XSearchError):
    """The call is wrong: an argument out of range, a name nobody knows."""

    exit_code = 2


class UnknownLanguage(UsageError):
    """A language code or name that is not understood."""


class FilterError(UsageError):
    """A metadata filter that does not parse or asks for something it may not."""


class BadInput(XSearchError):
    """A file or record that cannot be used. `where` is `file:line` when known, `reason` the message without it."""

    exit_code = 3

    def __init__(self, message: str, where: str | None = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.reason, self.where = message, where


class IndexLocked(XSearchError):
    """Another writer holds the index; the message names it."""

    exit_code = 4


class IndexDamaged(XSearchError):
    """The index lacks a file, a file has changed, or its format is newer than this program."""

    exit_code = 4


class CannotWrite(XSearchError):
    """The disk refuses to write; what was committed before is unharmed."""

    exit_code = 4


class WorkerDied(XSearchError):
    """A process that prepared documents or searched ended before its work was done."""

    exit_code = 4


class EncoderMismatch(XSearchError):
    """The index was built with another encoder or analyzer than the one asked for."""

    exit_code = 4


class MissingExtra(XSearchError, ImportError):
    """An optional package is not installed; the message holds the line that installs it."""

    exit_code = 5
