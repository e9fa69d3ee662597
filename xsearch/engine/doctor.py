"""Is everything an index needs here, and does each of its languages get through the analyzers?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xsearch import lang as languages
from xsearch.core import XSearchError
from xsearch.core.extras import have, install_line, installed_faiss
from xsearch.core.wording import counted
from xsearch.encode import load_encoder
from xsearch.engine.encoder import familiarity
from xsearch.engine.index import Index, open_index
from xsearch.engine.parts import RETRIEVERS
from xsearch.storage import has_index

Level = Literal["green", "yellow", "red"]
SAMPLE = 200
"""Documents of a language that are looked at."""
DROPPED, THIN = 0.5, 0.9
"""Share of a language's letters that must survive its analyzer: below the first red, below the second yellow."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. lang is "" for what concerns the installation. coverage: share of letters in terms."""

    level: Level
    subject: str
    message: str
    lang: str = ""
    passages: int = 0
    coverage: float | None = None
    encoder: float | None = None


def diagnose(folder: Path) -> list[Finding]:
    """Findings about the installation and, where `folder` holds an index, about each of its languages."""
    found = [_faiss(), _shipped_encoder()]
    if not has_index(folder):
        found.append(Finding("yellow", "index", f"none at {folder}"))
        return found
    try:
        index = open_index(folder)
    except XSearchError as error:
        return [*found, Finding("red", "index", str(error))]
    found.append(Finding("green", "index", f"{counted(len(index), 'document')}, commit {index.manifest.commit}"))
    return found + _languages(index)


def _faiss() -> Finding:
    builds = installed_faiss()
    if len(builds) > 1:
        fix = f"pip uninstall -y {' '.join(builds)} && {install_line('dense')}"
        return Finding("red", "faiss", f"{' and '.join(builds)} break each other: {fix}")
    if not builds or not have("faiss"):
        return Finding(
            "yellow", "faiss", f"not installed; numpy answers the same, more slowly: {install_line('dense')}"
        )
    return Finding("green", "faiss", builds[0])


def _shipped_encoder() -> Finding:
    try:
        card = load_encoder().card
    except XSearchError as error:
        return Finding("red", "encoder", str(error))
    languages = counted(len(card.languages), "language")
    return Finding("green", "encoder", f"{card.name}, {card.dim} dimensions, {languages}")


def _languages(index: Index) -> list[Finding]:
    snapshot = index.snapshot
    samples: dict[str, list[str]] = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    for stored in snapshot.store.documents():
        for passage in stored.spans:
            totals[passage.lang] += 1
            if len(samples[passage.lang]) < SAMPLE:
                samples[passage.lang].append(stored.text[passage.start : passage.end])
    encoder = snapshot.encoder if "dense" in snapshot.retrievers else None
    tables = snapshot.tables if any(RETRIEVERS[name].translates for name in snapshot.retrievers) else None
    findings = []
    for code in sorted(totals, key=lambda code: -totals[code]):
        coverage = languages.coverage(code, "\n".join(samples[code]))
        group = languages.base_language(code)
        seen = familiarity(encoder, group) if encoder else None
        others = [other for other in tables.languages() if other != group] if tables else []
        translated = None if tables is None else any(tables.supports(other, group) > 0 for other in others)
        findings.append(_language(code, totals[code], coverage, seen, translated))
    return findings


def _language(code: str, passages: int, coverage: float, encoder: float | None, translated: bool | None) -> Finding:
    level: Level = "green"
    message = "words and meaning" if encoder else "words only: the encoder does not know this language"
    if coverage < DROPPED:
        level, message = "red", "the analyzer drops most of this text: these passages cannot be found by words"
    elif coverage < THIN:
        level, message = "yellow", "the analyzer drops a part of this text"
    elif encoder == 0:
        level = "yellow"
        if translated:
            message = "words and their translations: the encoder does not know this language"
    elif encoder is None:
        message = "words"
    elif translated is False:
        level, message = "yellow", "words and vectors alone: no translation table reaches this language"
    return Finding(level, code, message, code, passages, coverage, encoder)
