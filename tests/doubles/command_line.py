"""`xsearch` as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


def xsearch(*arguments: object, cwd: Path, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "xsearch", *map(str, arguments)],
        cwd=cwd,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "error", **(env or {})},
    )
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
