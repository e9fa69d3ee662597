"""Languages of a neural encoder: which it knows, and, for X-MOD, which module reads which text.

X-MOD (Pfeiffer et al. 2022) has adapters per language in every layer; each text goes through its language's. Texts of
one language are encoded together. A language without a module takes that of the nearest that has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Protocol

import numpy as np

from xsearch.core import IntArray
from xsearch.core.data import data_path
from xsearch.encode.card import EncoderCard

BORROWED = 0.5
"""What an encoder is trusted with in a language that another's module reads."""


class Languages:
    """card: whose languages count; none named means that nothing is known and every language is trusted. modules: the
    language modules of an X-MOD network, in their order, as its configuration names them (``de_DE``); () for other
    networks. default: the number of the module for texts of no known language."""

    def __init__(self, card: EncoderCard, modules: Sequence[str] = (), default: int = 0) -> None:
        self._scores = language_scores(card)
        self._nearest = dict(card.nearest)
        self._modules: dict[str, int] = {}
        for number, name in enumerate(modules):
            self._modules.setdefault(module_code(name), number)
        self._default = default

    def supports(self, lang: str) -> float:
        """0..1: the card's score, 1 where it names no language; a code with a script that is not listed counts as its
        language."""
        base = lang.partition("-")[0]
        if self._modules and not self._scores:
            return 1.0 if self._module(lang) is not None else BORROWED
        if not self._scores:
            return 1.0
        return self._scores.get(lang, self._scores.get(base, 0.0))

    def groups(self, owners: IntArray, langs: Sequence[str] | None) -> Iterator[tuple[IntArray, int | None]]:
        """Windows to encode together, int64 rows, with the number of the module that reads them, None for a network
        without. owners: the text of each window. langs: of the texts."""
        if len(owners) == 0:
            return
        if not self._modules:
            yield np.arange(len(owners)), None
            return
        of_text = np.array([self.module(lang) for lang in langs], dtype=np.int64) if langs else None
        numbers = np.full(len(owners), self._default) if of_text is None else of_text[owners]
        for number in np.unique(numbers).tolist():
            yield np.flatnonzero(numbers == number), number

    def module(self, lang: str) -> int:
        """The number of the module that reads a language."""
        own = self._module(lang)
        if own is not None:
            return own
        near = self._nearest.get(lang) or self._nearest.get(lang.partition("-")[0])
        if near is not None and (found := self._module(near)) is not None:
            return found
        return self._modules.get(nearest(lang, tuple(self._modules)) or "", self._default)

    def _module(self, lang: str) -> int | None:
        base = lang.partition("-")[0]
        return self._modules.get(lang, self._modules.get(base))


class KnowsLanguages(Protocol):
    """A card that names languages, of an encoder or a reranker."""

    @property
    def language_set(self) -> str:
        """A name in `encoders/languages/sets.toml`."""

    @property
    def languages(self) -> dict[str, float]:
        """Code → score."""


def language_scores(card: KnowsLanguages) -> dict[str, float]:
    """Code → score of every language a card names, its set's first. Raises `KeyError` for a set nobody described."""
    listed = dict.fromkeys(_sets()[card.language_set], 1.0) if card.language_set else {}
    return listed | card.languages


def nearest(lang: str, among: tuple[str, ...]) -> str | None:
    """The language of `among` that shares the longest line of descent with `lang`, the first of several; None where
    nothing is known of `lang` or none shares anything."""
    families = _families()
    line = families.get(lang.partition("-")[0])
    if line is None:
        return None
    shared = [(_common(line, families.get(other.partition("-")[0], ())), -n, other) for n, other in enumerate(among)]
    best = max(shared, default=(0, 0, None))
    return best[2] if best[0] else None


def module_code(name: str) -> str:
    """The project's code for a module of X-MOD: ``zh_TW`` is ``zh-Hant``, ``no_XX`` is ``nb``, ``de_DE`` is ``de``."""
    base, _, rest = name.partition("_")
    if base == "zh" and rest == "TW":
        return "zh-Hant"
    if rest in ("Latn", "Cyrl", "Arab", "Deva", "rom"):
        return f"{base}-{'Latn' if rest == 'rom' else rest}"
    return {"no": "nb", "in": "id", "iw": "he", "tl": "tl"}.get(base, base)


def _common(line: tuple[str, ...], other: tuple[str, ...]) -> int:
    shared = 0
    for a, b in zip(line, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared


@cache
def _sets() -> Mapping[str, list[str]]:
    import tomllib

    found: dict[str, list[str]] = tomllib.loads(data_path("encoders/languages/sets.toml").read_text("utf-8"))
    return found


@cache
def _families() -> Mapping[str, tuple[str, ...]]:
    """Language → its line of descent, widest family first."""
    import tomllib

    tree = tomllib.loads(data_path("encoders/languages/families.toml").read_text("utf-8"))
    return {code: tuple(line.split("/")) for line, codes in tree.items() for code in codes.split()}
