"""Counts as messages to a person have them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 document"``, ``"1,234 documents"``. plural: where the noun takes more than an s at its end."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
