"""Documents in some languages and questions in others, from sections and from running text.

A section's heading asks for the section. In running text a row asks for the rows around it, all of it or a few of its
words, as people type. Which versions of a document there are, and in which language it is asked for, is drawn, so that
a question may have one right answer in one language or several.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xsearch.core import Document, Topic
from xsearch.train.rows import ParallelText, Texts

LEAST = 80
"""Characters of a document's text."""
LEAST_QUESTION = 15
"""Characters of a row that asks."""
ROWS = (4, 8, 16, 24)
"""Rows of running text that make a document."""
HELD = 0.7
"""Share of a document's rows that there must be in a language."""
LONG_QUESTION = 150
"""Characters from which on a row does not ask as a whole."""
SHORTENED = 0.3
"""Share of the shorter ones that do not either."""
PAGE = ": "
"""What parts the page's title from the section's heading."""

Versions = dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. right: ids of the documents that answer it, at least one."""

    topic: Topic
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """What one index holds and is asked."""

    documents: list[Document]
    questions: list[Asked]


class Drawer:
    """Draws languages, those drawn less so far more often."""

    def __init__(self, versions: Sequence[int], rng: random.Random) -> None:
        self.rng = rng
        self._versions = versions
        self._drawn: Counter[str] = Counter()

    def languages(self, there: Iterable[str]) -> list[str]:
        """Some of the languages a document is there in."""
        left, chosen = sorted(there), []
        for _ in range(min(len(left), self.rng.choice(self._versions))):
            [lang] = self.rng.choices(left, [(1 + self._drawn[code]) ** -0.3 for code in left])
            left.remove(lang)
            self._drawn[lang] += 1
            chosen.append(lang)
        return chosen

    def one(self, versions: Versions) -> tuple[str, str]:
        """A language and the text in it, all languages alike."""
        lang = self.rng.choice(sorted(versions))
        return lang, versions[lang]


def make_material(parallel: ParallelText, name: str, most: int, drawer: Drawer) -> Material:
    """At most `most` documents of the sections, and as many of the running text, of one file, with a question each."""
    names = list(parallel.languages)
    found = Material([], [])
    sections = list(range(len(parallel.titles)))
    drawer.rng.shuffle(sections)
    for number in sections[:most]:
        titles, bodies = versions(parallel.titles, number, names), versions(parallel.bodies, number, names)
        _section(found, f"{name}.s{number}", titles, bodies, drawer)
    for begin, end in stretches(len(parallel.rows), drawer.rng)[:most]:
        rows = [versions(parallel.rows, row, names) for row in range(begin, end)]
        _stretch(found, f"{name}.r{begin}", rows, drawer)
    return found


def versions(texts: Texts, row: int, names: Sequence[str]) -> Versions:
    """A row by language; of several texts of one language the first."""
    found: Versions = {}
    for text in range(texts.starts[row], texts.starts[row + 1]):
        found.setdefault(names[texts.langs[text]], texts.texts[text])
    return found


def stretches(rows: int, rng: random.Random) -> list[tuple[int, int]]:
    """Stretches of rows that follow each other, in any order, none overlapping."""
    found, at = [], 0
    while at < rows:
        size = rng.choice(ROWS) + 1
        if at + size <= rows:
            found.append((at, at + size))
        at += size
    rng.shuffle(found)
    return found


def _section(found: Material, name: str, titles: Versions, bodies: Versions, drawer: Drawer) -> None:
    there = [lang for lang, body in bodies.items() if lang in titles and len(body) >= LEAST]
    if not there:
        return
    with_page = drawer.rng.random() < 0.5
    right = []
    for lang in drawer.languages(there):
        page = titles[lang].rpartition(PAGE)[0] if with_page else ""
        found.documents.append(Document(f"{name}.{lang}", bodies[lang], page or None, lang))
        right.append(found.documents[-1].id)
    lang, title = drawer.one(titles)
    heading = title.rpartition(PAGE)[2]
    whole = len(heading) < LEAST_QUESTION or drawer.rng.random() < 0.5
    found.questions.append(Asked(Topic(name, title if whole else heading, lang), tuple(right)))


def _stretch(found: Material, name: str, rows: list[Versions], drawer: Drawer) -> None:
    # Documents often begin with what they are about; a question from their middle is harder.
    place = drawer.rng.choice((0, 0, drawer.rng.randrange(len(rows))))
    asking = {lang: text for lang, text in rows[place].items() if len(text) >= LEAST_QUESTION}
    rest = rows[:place] + rows[place + 1 :]
    held = Counter(lang for row in rest for lang in row)
    bodies = {lang: "\n".join(row[lang] for row in rest if lang in row) for lang in held}
    there = [lang for lang in held if held[lang] >= HELD * len(rest) and len(bodies[lang]) >= LEAST]
    if not there or not asking:
        return
    right = []
    for lang in drawer.languages(there):
        found.documents.append(Document(f"{name}.{lang}", bodies[lang], None, lang))
        right.append(found.documents[-1].id)
    lang, text = drawer.one(asking)
    found.questions.append(Asked(Topic(name, shortened(text, drawer.rng), lang), tuple(right)))


def shortened(text: str, rng: random.Random) -> str:
    """A row as it is, or three to ten words of it: always where it is long, else sometimes."""
    if len(text) <= LONG_QUESTION and rng.random() >= SHORTENED:
        return text
    words = text.split()
    if len(words) < 4:
        return text[: LONG_QUESTION // 3]
    size = rng.randint(3, min(10, len(words)))
    begin = rng.randrange(len(words) - size + 1)
    return " ".join(words[begin : begin + size])
