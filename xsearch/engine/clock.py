"""What of the world the engine writes down: the time, which enters through a parameter, and who is at work."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def command() -> str:
    """This process's command line, for the note in the write lock."""
    return shlex.join([sys.argv[0].rpartition("/")[2], *sys.argv[1:]])[:200]
