"""Mined pairs on disk: written unit by unit beside the output, so that a run cut short goes on and ends the same.

<output>.part    JSON lines: {"run": …} first, what every unit of work has made, and {"done": unit} behind each
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from xsearch.core import BadInput
from xsearch.storage import DiskFiles
from xsearch.storage.files import durable_write

SUFFIX = ".part"


class Journal:
    """The units that are done, by name, with what each has made: JSON objects.

    run: what makes the work what it is (index, settings). Raises `BadInput` when another run's journal is there.
    """

    def __init__(self, output: Path, run: dict[str, Any]) -> None:
        self._output, self._path = output, output.with_name(output.name + SUFFIX)
        self._done: dict[str, list[dict[str, Any]]] = {}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # As it is read again: tuples have become lists.
        run = msgspec.json.decode(msgspec.json.encode(run))
        kept = self._read(run) if self._path.exists() else 0
        self._stream = self._path.open("ab")
        self._stream.truncate(kept)
        if not kept:
            self._write([{"run": run}])

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def unit(self, name: str, work: Callable[[], Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
        """What a unit has made: from the journal, or by doing it now."""
        if name not in self._done:
            self._done[name] = list(work())
            self._write([*self._done[name], {"done": name}])
        return self._done[name]

    def finish(self, lines: Iterable[msgspec.Struct]) -> None:
        """Write the output, whole or not at all, and remove the journal."""
        encode = msgspec.json.encode
        durable_write(DiskFiles(), self._output, (encode(line) + b"\n" for line in lines))
        self._stream.close()
        self._path.unlink()

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        self._stream.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _read(self, run: dict[str, Any]) -> int:
        """Take up the units that are whole; how many bytes of the journal they are."""
        kept, place, made = 0, 0, list[dict[str, Any]]()
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        for number, line in enumerate(self._path.read_bytes().splitlines(keepends=True)):
            place += len(line)
            try:
                record = decode(line) if line.endswith(b"\n") else {}
            except msgspec.MsgspecError:
                record = {}
            if number == 0:
                if record and record != {"run": run}:
                    raise BadInput(
                        "begun with other settings or another state of the index: remove it, or name another output",
                        str(self._path),
                    )
                kept = place if record else 0
            elif "done" in record:
                self._done[record["done"]], made, kept = made, [], place
            elif record:
                made.append(record)
            if not record:
                # Cut off in the midst of a write: what comes from here on is made again.
                break
        return kept
