"""Paths → the files to be read, in an order that does not change between runs."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from xsearch.core.errors import BadInput
from xsearch.corpora.compression import open_stream, split_compression
from xsearch.corpora.encodings import detect_encoding
from xsearch.corpora.formats.choice import format_by_name, missing_extra
from xsearch.corpora.source import ReadOptions, Source

OnSkip = Callable[[Path, str], None]

SNIFFED = 8 << 10
"""Bytes of a file with an unknown suffix that are looked at to see whether it is text."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def scan(paths: Sequence[Path | str], on_skip: OnSkip) -> Iterator[Source]:
    """The files that `paths`, files and folders, hold, each once; those of a folder sorted by name.

    A folder is searched through, except hidden files and folders (``.git``, ``.env``), folders that hold an index,
    links that leave the folder, linked folders, and files that no reader knows. Each is given to `on_skip` with the
    reason, and so is a folder in which nothing is left. A path that is given itself is taken whatever it is called.
    Raises `BadInput` at once if a path does not exist or is neither file nor folder.
    """
    given = [Path(path) for path in paths]
    for path in given:
        _check(path)
    return _scan(given, on_skip)


def _check(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise BadInput(f"{str(path)!r} {reason}") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise BadInput(f"{str(path)!r} is neither a file nor a folder; standard input is read as '-'")


def _scan(given: Sequence[Path], on_skip: OnSkip) -> Iterator[Source]:
    seen: dict[str, Path] = {}
    for path in given:
        found = _folder(path, on_skip) if path.is_dir() else _file(path, path.parent, on_skip)
        empty = True
        for source in found:
            empty = False
            place = source.path.resolve()
            other = seen.setdefault(source.name, place)
            if other is place:
                yield source
            elif other != place:
                on_skip(source.path, f"has the name {source.name!r} as {other} has: give the folder above both instead")
        if empty and path.is_dir():
            on_skip(path, "there is no file in it that can be read")


def _folder(root: Path, on_skip: OnSkip) -> Iterator[Source]:
    """Files under `root`, depth first. An explicit stack: folders may be nested deeper than Python recurses."""
    bounds = root.resolve()
    stack = [root]
    while stack:
        path = stack.pop()
        if path != root:
            reason = _unwanted(path, bounds)
            if reason is not None:
                on_skip(path, reason)
                continue
        if not path.is_dir():
            yield from _known(path, root, on_skip)
            continue
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            on_skip(path, f"cannot be opened: {error.strerror or error}")
            continue
        if path != root and "manifest.json" in names and any(name.startswith("gen-") for name in names):
            on_skip(path, "an index")
            continue
        stack.extend(path / name for name in reversed(names))


def _unwanted(path: Path, bounds: Path) -> str | None:
    """Why a path under a folder is not read, None if it may be."""
    if path.name.startswith("."):
        return "hidden"
    try:
        if path.is_symlink():
            target = path.resolve(strict=True)
            if not target.is_relative_to(bounds):
                return "a link that leaves the folder"
            if target.is_dir():
                return "a link to a folder inside, which is read under its own name"
        mode = path.stat().st_mode
    except (OSError, RuntimeError) as error:
        return f"cannot be opened: {getattr(error, 'strerror', None) or error}"
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "neither a file nor a folder"
    return None


def _known(path: Path, root: Path, on_skip: OnSkip) -> Iterator[Source]:
    reason = missing_extra(path.name)
    if reason is None and format_by_name(path.name) is None:
        reason = _not_text(path)
    if reason is not None:
        on_skip(path, reason)
        return
    yield from _file(path, root, on_skip)


def _not_text(path: Path) -> str | None:
    """Why a file whose suffix says nothing is not read, None for text and for an empty file."""
    try:
        file = path.open("rb")
    except OSError as error:
        return f"cannot be opened: {error.strerror or error}"
    try:
        with open_stream(file, split_compression(path.name)[1], ReadOptions()) as stream:
            head = stream.read(SNIFFED)
            detect_encoding(head, complete=len(head) < SNIFFED)
    except BadInput as error:
        return f"no reader for {path.suffix or 'a file without a suffix'}: {error}"
    return None


def _file(path: Path, root: Path, on_skip: OnSkip) -> Iterator[Source]:
    try:
        status = path.stat()
    except OSError as error:
        on_skip(path, f"cannot be opened: {error.strerror or error}")
        return
    yield Source(path, _readable_name(path.relative_to(root)), status.st_size, status.st_mtime_ns, root)


def _readable_name(path: Path) -> str:
    """A relative path with forward slashes as text that can be stored: bytes that are no UTF-8 and control
    characters, which file systems allow in names, are written ``\\xNN``."""
    name = os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda control: f"\\x{ord(control[0]):02x}", name)
