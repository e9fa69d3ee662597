"""Folders of what was trained, replaced whole: a run that dies while it writes leaves the former one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A folder to fill, made by whoever fills it, which takes the place of `folder` when the block ends without an
    error."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    yield part
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
