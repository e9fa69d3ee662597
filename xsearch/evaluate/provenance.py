"""Where a figure comes from: commit, versions, machine, command. A result without these cannot be repeated."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from xsearch.core.extras import DISTRIBUTION

PACKAGES = (DISTRIBUTION, "numpy", "tantivy", "tokenizers", "faiss-cpu", "faiss-gpu", "torch", "ir-measures",
            "pytrec-eval-terrier")  # fmt: skip


def provenance(now: datetime, *, threads: int | None = None, packages: Iterable[str] = PACKAGES) -> dict[str, Any]:
    """Date, commit (with "+" when files were changed; None outside a checkout), versions of the packages that are
    installed, machine, threads (all cores where None) and the command that is running."""
    return {
        "date": now.isoformat(timespec="seconds"),
        "commit": commit(Path(__file__).parent),
        "versions": {"python": platform.python_version(), **dict(_versions(packages))},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "threads": threads or os.cpu_count(),
        "command": shlex.join([program(), *sys.argv[1:]])[:500],
    }


def program() -> str:
    """The name of what is running; `python -m xsearch` is `xsearch`."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in packages:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def commit(folder: Path) -> str | None:
    """The commit a folder's files are of, "+" appended when they were changed since; None outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*words: str) -> str | None:
        done = subprocess.run([git, "-C", str(folder), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    found = ask("rev-parse", "--short=12", "HEAD")
    return found and found + ("+" if ask("status", "--porcelain", "--untracked-files=no") else "")
