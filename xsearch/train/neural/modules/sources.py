"""What a run was trained from, as a key by which an interrupted one is known again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from xsearch.train.neural.modules.plan import Plan


def key_of(plan: Plan, base: str, texts: Iterable[str], under: str = "") -> str:
    """BLAKE2b (16 bytes, hexadecimal) of the plan, the base's and the lower module's fingerprint, and all texts."""
    digest = hashlib.blake2b(msgspec.json.encode([plan, base, under]), digest_size=16)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
