"""What a person types → clauses and plain text. Nothing they can type is an error.

    solar power          words                         “solar power”  a phrase, in any language's quotation marks
    +wind  +"wind farm"  required                      -coal          excluded
    title:energy         in the title                  -title:"daily news"

An operator counts only at the start of a word and before a letter or a quotation mark, so that C++, -5, --option,
e-mail and http://… are plain words. Where operators do not make sense as a whole (a quotation mark is never closed,
everything is excluded), the query is searched as plain words and a note says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from xsearch.core import Clause
from xsearch.core.query import Field, Occur

MAX_WORDS = 1_000
MAX_CHARACTERS = 20_000
"""Past this nothing is read; the longest words of any script still leave room for `MAX_WORDS` ordinary ones."""

_CLOSERS = {
    '"': '"',
    "＂": "＂",
    "“": "”“",
    "”": "”",
    "„": "“”",
    "‟": "”",
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
}
_AMBIGUOUS = '"＂”»'
"""Marks that also stand within or after a word (12", צה"ל) or close a quotation: these open none right after one."""

_HEBREW_LETTER = re.compile("[\u05d0-\u05ea]")
_TITLE = ("title:", "title：")
_OCCUR: dict[str, Occur] = {"": "should", "+": "must", "＋": "must", "-": "must_not", "－": "must_not"}


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as it was understood.

    clauses: its parts in the order written, neighbouring plain words as one. text: every word that is not excluded,
    operators and quotation marks of phrases removed, single spaces. notes: what the user should know, in sentences.
    """

    clauses: tuple[Clause, ...]
    text: str
    notes: tuple[str, ...] = ()


def parse_query(text: str) -> ParsedQuery:
    """The clauses and plain text of what was typed; never raises. Linear in the length of `text`."""
    line, notes = _cleaned(text)
    clauses = _clauses(line)
    if clauses is None:
        notes.append("a quotation mark is not closed: the query is searched as plain words")
    elif not any(clause.occur != "must_not" for clause in clauses):
        if clauses:
            notes.append("everything in the query is excluded: it is searched as plain words")
        clauses = None
    if clauses is None:
        clauses = [Clause(line)] if line else []
    wanted = " ".join(clause.text for clause in clauses if clause.occur != "must_not")
    return ParsedQuery(tuple(clauses), wanted, tuple(notes))


def _cleaned(text: str) -> tuple[str, list[str]]:
    """One line without control characters, of a length that can be searched, and what was left out."""
    visible = "".join(filter(_keeps, text[: 2 * MAX_CHARACTERS]))
    words = visible.split()
    line = " ".join(words[:MAX_WORDS])
    notes = []
    if len(words) > MAX_WORDS or len(line) > MAX_CHARACTERS or len(text) > 2 * MAX_CHARACTERS:
        line = line[:MAX_CHARACTERS].rstrip()
        notes.append(f"the query is too long: only its first {MAX_WORDS:,} words ({MAX_CHARACTERS:,} characters) count")
    return line, notes


def _keeps(character: str) -> bool:
    """Whether a character means anything in a query: not controls, lone surrogates and marks of direction. Joiners,
    which letters of Persian or Hindi words need, stay."""
    if character.isspace() or character in "\u200c\u200d":
        return True
    return unicodedata.category(character) not in ("Cc", "Cs", "Cf")


def _clauses(line: str) -> list[Clause] | None:
    """The parts of the query, neighbouring plain words joined; None where a quotation mark is not closed."""
    parts = list(_parts(line))
    if parts and parts[-1] is None:
        return None
    clauses: list[Clause] = []
    for plain, group in groupby((part for part in parts if part is not None), key=_is_plain):
        if plain:
            clauses.append(Clause(" ".join(part.text for part in group)))
        else:
            clauses.extend(group)
    return clauses


def _is_plain(clause: Clause) -> bool:
    return clause.occur == "should" and clause.field == "body" and not clause.phrase


def _parts(line: str) -> Iterator[Clause | None]:
    """The query's words and phrases; a last None where a quotation mark is not closed."""
    at = 0
    while at < len(line):
        if line[at] == " ":
            at += 1
            continue
        occur, field, begin = _operator(line, at)
        if _opens(line, begin):
            end = _closing(line, begin)
            if end < 0:
                yield None
                return
            words = line[begin + 1 : end].strip()
            if words:
                yield Clause(words, occur, field, phrase=True)
            at = end + 1
        else:
            end = _word_end(line, begin)
            yield Clause(line[begin:end], occur, field)
            at = end


def _operator(line: str, at: int) -> tuple[Occur, Field, int]:
    """What is written before a word or phrase at `at`, and where that begins."""
    if at and line[at - 1] != " ":
        return "should", "body", at
    sign = line[at] if line[at] in _OCCUR else ""
    begin = at + len(sign)
    if line[begin : begin + len(_TITLE[0])].lower() in _TITLE:
        word = begin + len(_TITLE[0])
        if word < len(line) and (line[word].isalnum() or _opens(line, word)):
            return _OCCUR[sign], "title", word
    if sign and begin < len(line) and (line[begin].isalpha() or _opens(line, begin)):
        return _OCCUR[sign], "body", begin
    return "should", "body", at


def _opens(line: str, at: int) -> bool:
    """Whether a quotation begins at `at`."""
    return line[at] in _CLOSERS and not (line[at] in _AMBIGUOUS and at > 0 and _ends_spaced_word(line[at - 1]))


def _ends_spaced_word(character: str) -> bool:
    """Whether a character is of a word in a script that puts spaces between words; Chinese ones are not."""
    return character.isalnum() and unicodedata.east_asian_width(character) not in ("W", "F")


def _closing(line: str, opened: int) -> int:
    """Where the quotation that begins at `opened` ends, -1 if nowhere. The straight mark within a Hebrew
    abbreviation (צה"ל) ends none."""
    closers = _CLOSERS[line[opened]]
    for at in range(opened + 1, len(line)):
        if line[at] in closers:
            around = line[at - 1], line[at + 1 : at + 2]
            if not (line[at] == '"' and all(map(_HEBREW_LETTER.match, around))):
                return at
    return -1


def _word_end(line: str, begin: int) -> int:
    """Where the word at `begin` ends: at a space or a quotation."""
    at = begin + 1
    while at < len(line) and line[at] != " " and not _opens(line, at):
        at += 1
    return at
