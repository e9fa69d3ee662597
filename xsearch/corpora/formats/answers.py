"""The strings that count as an answer to a question, where a collection judges passages by what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xsearch.core import BadInput
from xsearch.corpora.formats.lines import Faults, Note, byte_lines
from xsearch.corpora.formats.topics import topic_name

Answers = Mapping[str, tuple[str, ...]]
"""By topic id; no topic has none."""

_SPANLESS = ("unanswerable", "long_answer", "binary")
_YES_NO = ("yes", "no")


def read_answers(path: str | Path, lang: str = "en", *, on_bad: Note | None = None) -> dict[str, tuple[str, ...]]:
    """The answers of a file of JSON lines, plain or .gz, .xz, .zst, by topic id in the file's order.

    Either ``{"id", "answers": ["…"]}`` (XOR-TyDi, and question answering at large), or MKQA's form with answers of
    several types and aliases by language, of which those in `lang` are taken. What is no string to be found in a
    passage does not count: yes and no (Asai et al. 2021), and MKQA's answers that are unanswerable, binary or long
    (Izacard et al. 2022). A topic left with none is left out.

    A line without an id or answers, an id that occurs twice: each is a bad line, reported as `read_topics` does.
    Raises `BadInput` for a file in which no topic has an answer.
    """
    path = Path(path)
    faults = Faults(path, on_bad)
    found: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for number, line in byte_lines(path):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not a JSON object")
            name = topic_name(record)
            texts = tuple(dict.fromkeys(_strings(record, lang)))
        except (ValueError, RecursionError) as error:
            faults.add(number, f"no answers: {error}")
            continue
        if name in seen:
            faults.add(number, f"topic {name} occurs twice")
        elif texts:
            found[name] = texts
        seen.add(name)
    faults.close()
    if not found:
        raise BadInput('no answers in the file; expected lines {"id": …, "answers": ["…"]}', where=str(path))
    return found


def _strings(record: Mapping[str, Any], lang: str) -> Iterator[str]:
    answers = record.get("answers")
    if isinstance(answers, dict):
        answers = answers.get(lang, [])
    if not isinstance(answers, list):
        raise ValueError("'answers' must be a list of strings, or such lists by language")
    for answer in answers:
        texts = _of_mkqa(answer) if isinstance(answer, dict) else [answer]
        for text in texts:
            if not isinstance(text, str):
                raise ValueError(f"an answer must be a string, not {text!r}")
            if text.strip() and text not in _YES_NO:
                yield text.strip()


def _of_mkqa(answer: Mapping[str, Any]) -> list[Any]:
    if answer.get("type") in _SPANLESS or answer.get("text") is None:
        return []
    return [answer["text"], *(answer.get("aliases") or [])]
