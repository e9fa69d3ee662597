"""What is wrong with a generated question: models repeat themselves, answer in the passage's language, say nothing."""

from __future__ import annotations

import re
from typing import Literal

from xsearch import lang as languages

Fault = Literal["empty", "loop", "language", "duplicate"]

LONGEST_READ = 500
"""Characters looked at: no question needs more."""
SURE = 0.9
"""Confidence from which on another language than the one asked for is believed."""
TELLING_LETTERS = 20
"""Letters from which on a language can be told."""
LOOP_CHARACTERS = 12

_REPEATED = re.compile(r"(?P<part>\S.{0,39}?)(?:\s*(?P=part)){3,}", re.DOTALL)
_SCRIPTS = {
    "Hans": frozenset({"Hani"}),
    "Hant": frozenset({"Hani"}),
    "Jpan": frozenset({"Hani", "Hira", "Kana"}),
    "Kore": frozenset({"Hang", "Hani"}),
}


def fault(text: str, lang: str, is_running_text: bool) -> Fault | None:
    """What is wrong with a question that should be in `lang`, None when nothing is.

    "empty": no letter or digit in it. "loop": a stretch of it, no number, comes four times in a row. "language": no
    letter is of the language's script, or, in running text, another language is identified.
    """
    head = text[:LONGEST_READ]
    if not any(character.isalnum() for character in head):
        return "empty"
    if any(len(found[0]) >= LOOP_CHARACTERS and not found["part"].isdigit() for found in _REPEATED.finditer(head)):
        return "loop"
    return "language" if _is_of_another(head, lang, is_running_text) else None


def has_letters_of(lang: str, text: str) -> bool:
    """Whether a text has letters of the script its language is usually written in, or none at all."""
    letters, usual = languages.scripts_of(text), languages.usual_script(lang)
    return not letters or not usual or bool(letters.keys() & _SCRIPTS.get(usual, frozenset({usual})))


def _is_of_another(text: str, lang: str, is_running_text: bool) -> bool:
    if not has_letters_of(lang, text):
        return True
    if not is_running_text or sum(languages.scripts_of(text).values()) < TELLING_LETTERS:
        return False
    (found,) = languages.identify([text])
    return found.confidence >= SURE and found.lang != "und" and not languages.same_language(found.lang, lang)
