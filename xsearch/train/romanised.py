"""Texts in Latin letters beside themselves, so that scripts meet: what is typed without its keyboard is found too."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from xsearch.lang.romanise import family, romanise
from xsearch.train.rows import ParallelText, Texts

WORD = re.compile(r"\w+")
LATIN = "-Latn"


def romanised(text: str) -> str:
    """`text` with every word in Latin letters (`xsearch.lang.romanise`), as TransliCo writes it (Liu et al. 2024,
    "TransliCo: a contrastive learning framework to address the script barrier in multilingual pretrained language
    models", with Uroman there)."""
    return WORD.sub(lambda match: _remembered(match.group()), text)


@lru_cache(maxsize=1 << 18)
def _remembered(word: str) -> str:
    return romanise(word)


def add_romanised(parallel: ParallelText, share: float, rng: np.random.Generator) -> None:
    """Give a `share` of the rows that have texts in other scripts a copy of one of these, drawn at random, in Latin
    letters: a text in the language ``CODE-Latn``, and so a translation of all others of its row."""
    names = list(parallel.languages)
    rows, added = parallel.rows, Texts()
    for number, source in enumerate(rows.sources):
        begin, end = rows.starts[number], rows.starts[number + 1]
        row = list(zip(rows.langs[begin:end], rows.texts[begin:end], strict=True))
        other = [entry for entry in row if not names[entry[0]].endswith(LATIN) and family(entry[1]) != "l"]
        if other and rng.random() < share:
            lang, text = other[int(rng.integers(len(other)))]
            code = names[lang].split("-")[0] + LATIN
            row.append((parallel.languages.setdefault(code, len(parallel.languages)), romanised(text)))
        added.append(row, source)
    parallel.rows = added
