"""The process that runs Lucene, seen from here: started when first asked, ended when let go of, or with this process.

Java and pyserini touch nothing of this process: the other one may run in an interpreter of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from xsearch.core import MissingExtra, WorkerDied
from xsearch.core.extras import install_line

INTERPRETER = "XSEARCH_LUCENE_PYTHON"
"""Environment variable that names the Python interpreter which has pyserini."""
SCRIPT = Path(__file__).with_name("lucene_worker.py")
LENGTH = struct.Struct("<I")
SHOWN = 600
"""Bytes of what a process that died has printed that are shown."""


class LuceneError(Exception):
    """Lucene refused. java: the class of its exception, "" for one of Python's."""

    def __init__(self, message: str, java: str) -> None:
        super().__init__(message)
        self.java = java


def interpreter(chosen: str = "") -> str:
    """The Python that runs Lucene: the environment variable's, else `chosen`, else this one."""
    return os.environ.get(INTERPRETER) or chosen or sys.executable


class LuceneProcess:
    """One request at a time, from whatever thread; a process that has died is started again by the next one."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._printed: BinaryIO | None = None
        self._stop: Callable[[], object] = lambda: None
        self._versions: dict[str, str] = {}
        self._dropped: deque[str] = deque()

    def versions(self) -> dict[str, str]:
        """Versions of "lucene", "pyserini" and "java". Raises `MissingExtra` when Lucene cannot run."""
        with self._lock:
            self._started()
            return self._versions

    @property
    def is_running(self) -> bool:
        """Whether the process is there already."""
        return self._child is not None

    def ask(self, op: str, **arguments: Any) -> Any:
        """The answer to a request. Raises `LuceneError` when Lucene refuses, `WorkerDied` when the process ends
        meanwhile, `MissingExtra` when Lucene cannot run."""
        with self._lock:
            child = self._started()
            try:
                # One by one: a finalizer may add to them at any time.
                dropped = [self._dropped.popleft() for _ in range(len(self._dropped))]
                reply = self._exchange(child, {"op": op, "dropped": dropped, **arguments})
            except BaseException:
                # An answer that nobody took would be taken for the next one's.
                self._end()
                raise
        if "error" in reply:
            raise LuceneError(reply["error"], reply["class"])
        return reply["reply"]

    def drop(self, index: str) -> None:
        """Have the process let go, with the next request, of what it has opened under a name. Waits for nothing: for
        finalizers, which may run in the midst of a request."""
        self._dropped.append(index)

    def close(self) -> None:
        """End the process. A request from now on starts it anew."""
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            # A file, not a pipe: nobody reads what Java remarks unless it dies.
            self._printed = tempfile.TemporaryFile()  # noqa: SIM115
            try:
                self._child = child = subprocess.Popen(
                    # In a session of its own: Ctrl-C is for this process, which then ends that one.
                    [self._python, "-I", str(SCRIPT)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                self._printed.close()
                raise MissingExtra(
                    f"no Python interpreter for Lucene at {self._python} ({error.strerror}): name one that has "
                    f"pyserini in the environment variable {INTERPRETER}",
                    name="pyserini",
                ) from error
            # Also when nobody refers to this object any more, and when Python ends.
            self._stop = weakref.finalize(self, stop, child, self._printed)
            self._versions = self._greeting(child)
        return self._child

    def _greeting(self, child: subprocess.Popen[bytes]) -> dict[str, str]:
        try:
            first = self._receive(child)
        except BaseException:
            self._end()
            raise
        if "unusable" in first:
            self._end()
            raise MissingExtra(unusable(self._python, *first["unusable"]), name="pyserini")
        versions: dict[str, str] = first["ready"]
        return versions

    def _exchange(self, child: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any]:
        # Lone surrogates, which Java does not take, become question marks.
        body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if child.stdin is not None:
            try:
                child.stdin.write(LENGTH.pack(len(body)) + body)
                child.stdin.flush()
            except (BrokenPipeError, ConnectionResetError):
                raise self._died(child) from None
        return self._receive(child)

    def _receive(self, child: subprocess.Popen[bytes]) -> dict[str, Any]:
        if child.stdout is not None:
            head = child.stdout.read(LENGTH.size)
            if len(head) == LENGTH.size:
                (size,) = LENGTH.unpack(head)
                body = child.stdout.read(size)
                if len(body) == size:
                    message: dict[str, Any] = json.loads(body)
                    return message
        raise self._died(child)

    def _died(self, child: subprocess.Popen[bytes]) -> WorkerDied:
        child.kill()
        code = child.wait()
        said = ""
        if self._printed is not None:
            self._printed.seek(max(0, self._printed.seek(0, os.SEEK_END) - SHOWN))
            said = self._printed.read().decode(errors="replace").strip()
        return WorkerDied(f"the process that runs Lucene ended (exit status {code}){': ' + said if said else ''}")

    def _end(self) -> None:
        self._child = None
        self._stop()


def stop(child: subprocess.Popen[bytes], printed: BinaryIO) -> None:
    """End the process and close what connects it."""
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout, printed):
        # A request that it has not read goes with it.
        with contextlib.suppress(BrokenPipeError):
            if stream is not None:
                stream.close()


_RUNNING: weakref.WeakValueDictionary[str, LuceneProcess] = weakref.WeakValueDictionary()


def shared_process(python: str) -> LuceneProcess:
    """The process that all readers with this interpreter ask; it ends when the last of them is gone."""
    process = _RUNNING.get(python)
    if process is None:
        process = LuceneProcess(python)
        _RUNNING[python] = process
    return process


def unusable(python: str, why: str, details: Any = None) -> str:
    """What to do about an interpreter in which Lucene does not run. why: "pyserini" or "java" for what is missing,
    "version" for a Java that is too old (`details`: the versions)."""
    if why == "pyserini":
        return (
            f"Lucene needs pyserini, which {python} does not have: {install_line('lucene')}, or keep it apart: "
            f"python -m venv lucene && lucene/bin/pip install pyserini && export {INTERPRETER}=$PWD/lucene/bin/python"
        )
    wanted = "a JDK of version 21 or newer (for pyserini 1.x; 17 for pyserini 0.25)"
    found = [str(path) for path in sorted(Path("/usr/lib/jvm").glob("*")) if (path / "bin" / "java").exists()]
    here = f" Here are {', '.join(found)}." if found else ""
    if why == "version":
        return (
            f"pyserini {details['pyserini']} does not run on Java {details['java']} ({details['home']}): "
            f"set JAVA_HOME to {wanted}.{here}"
        )
    home = os.environ.get("JAVA_HOME")
    reason = "" if shutil.which("java") or home else " (neither JAVA_HOME nor java on the PATH)"
    if home and not Path(home, "bin", "java").exists():
        reason = f" (there is none in JAVA_HOME, {home})"
    # What pyjnius says goes on with advice of its own.
    said = next(iter((details or "").strip().splitlines()), "")
    return f"Java did not start{reason}: install {wanted} and set JAVA_HOME to it.{here} {said}".strip()
