"""What generators are given, what they give back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class SourcePassage(NamedTuple):
    """A passage that questions are wanted of: its number, text, title, language code."""

    number: int
    text: str
    title: str
    lang: str


class Made(NamedTuple):
    """A question, and what it counts beside the passage's others (1 where the generator does not know)."""

    text: str
    weight: float = 1.0


class QuestionGenerator(Protocol):
    """Makes questions of passages. The same passages, language, count and seed give the same questions."""

    name: str
    """What it is called in an index and in messages."""
    fingerprint: str
    """Of all that it has learnt."""
    batch: int
    """Passages it is best given at once; what is done of a run is kept after each batch."""

    is_running_text: bool
    """Whether questions are sentences, whose language can be told."""

    def settings(self) -> dict[str, Any]:
        """What else decides about its questions, as JSON would have it."""

    def speaks(self, lang: str) -> bool:
        """Whether it can make questions in a language."""

    def generate(self, passages: Sequence[SourcePassage], lang: str, count: int, seed: int) -> list[list[Made]]:
        """At most `count` questions in `lang` of each passage, in order; none where it has nothing to say."""
