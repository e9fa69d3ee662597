"""What is done to texts before they are trained on: words switched to other languages, letters to Latin ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xsearch.core import BadInput
from xsearch.train.neural.batches import Parallel, Plain, Ranked, Side
from xsearch.train.romanised import WORD, romanised
from xsearch.train.rows import SAME_LANGUAGE, read_records

if TYPE_CHECKING:
    from xsearch.train.neural.recipe import Transforms

Lexicon = Mapping[tuple[str, str], Sequence[str]]
"""(language, word in lower case) → its translations into any languages."""


def read_lexicon(data: Path, globs: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Translations of single words from files of rows whose values are texts or lists of texts. Raises `BadInput` for a
    glob without files."""
    lexicon: dict[tuple[str, str], list[str]] = {}
    for glob in globs:
        files = sorted(data.glob(glob))
        if not files:
            raise BadInput(f"no file matches '{glob}' of `transforms.lexicons`", str(data))
        for path in files:
            for _, record in read_records(path):
                _add(lexicon, record)
    return lexicon


def _add(lexicon: dict[tuple[str, str], list[str]], record: dict[str, Any]) -> None:
    words = [
        (SAME_LANGUAGE.get(lang, lang), word)
        for lang, given in record.items()
        if lang != "_id"
        for word in (given if isinstance(given, list) else [given])
        if isinstance(word, str) and WORD.fullmatch(word)
    ]
    for lang, word in words:
        others = [other for code, other in words if code != lang]
        if others:
            lexicon.setdefault((lang, word.casefold()), []).extend(others)


def switched(text: str, lang: str, lexicon: Lexicon, share: float, rng: np.random.Generator) -> str:
    """`text` with each word that the lexicon has replaced, at probability `share`, by one of its translations
    (Whitehouse et al. 2022, "EntityCS: improving zero-shot cross-lingual transfer with entity-centric code switching",
    with words of lexicons, names among them, for Wikidata's entities)."""

    def other(match: re.Match[str]) -> str:
        found = lexicon.get((lang, match.group().casefold()))
        chance, choice = rng.random(2)
        return found[int(choice * len(found))] if found and chance < share else match.group()

    return WORD.sub(other, text)


def transformed(batch: Any, settings: Transforms, lexicon: Lexicon, rng: np.random.Generator) -> Any:
    """A batch with its queries, its first texts, or its only ones changed as `settings` say."""
    if not (settings.switch or settings.romanise):
        return batch

    def changed(side: Side) -> Side:
        texts = []
        for text, lang in zip(side.texts, side.langs, strict=True):
            text = switched(text, lang, lexicon, settings.switch, rng) if settings.switch else text
            texts.append(romanised(text) if rng.random() < settings.romanise else text)
        return msgspec.structs.replace(side, texts=tuple(texts))

    if isinstance(batch, Ranked):
        return msgspec.structs.replace(batch, queries=changed(batch.queries))
    if isinstance(batch, Parallel):
        return msgspec.structs.replace(batch, columns=(changed(batch.columns[0]), *batch.columns[1:]))
    return msgspec.structs.replace(batch, texts=changed(batch.texts)) if isinstance(batch, Plain) else batch
