"""Word segmenters that have to be asked for: dictionaries and models of other packages for scripts without spaces.

The default analyzers need none of them, so that the same text gives the same terms on every machine. A variant
(``analyzer("zh", variant="jieba")``) names one, and the package's version is part of the analyzer's fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Cut = Callable[[str], Iterable[tuple[str, int, int]]]
"""Cuts a run into words: what the word is indexed under, where it starts and ends in the run."""


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A cutter for runs of some scripts. `version` names the packages (and dictionaries) it comes from."""

    scripts: frozenset[str]
    version: str
    cut: Cut


def _jieba(jieba: Any) -> Cut:
    jieba.setLogLevel("ERROR")
    jieba.initialize()

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        # Search mode also gives the words within a compound; tokens are wanted in the order they start.
        return sorted(jieba.tokenize(run, mode="search"), key=lambda word: word[1:])

    return cut


def _sudachi(sudachipy: Any) -> Cut:
    tokenizer = sudachipy.Dictionary().create(mode=sudachipy.SplitMode.A)

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        return [(m.normalized_form(), m.begin(), m.end()) for m in tokenizer.tokenize(run)]

    return cut


def _kiwi(kiwipiepy: Any) -> Cut:
    kiwi = kiwipiepy.Kiwi()

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        # Tags in J are particles, in E endings: what a search should see through.
        return [(t.form, t.start, t.start + t.len) for t in kiwi.tokenize(run) if t.tag[0] not in "JE" and t.len]

    return cut


def _newmm(pythainlp: Any) -> Cut:
    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        at = 0
        for word in pythainlp.word_tokenize(run, engine="newmm"):
            yield word, at, at + len(word)
            at += len(word)

    return cut


@dataclass(frozen=True, slots=True)
class _Package:
    module: str
    extra: str
    purpose: str
    scripts: frozenset[str]
    distributions: tuple[str, ...]
    load: Callable[[Any], Cut]


_KNOWN = {
    "jieba": _Package("jieba", "zh", "the Chinese segmenter jieba", frozenset({"Hani"}), ("jieba",), _jieba),
    "sudachi": _Package(
        "sudachipy",
        "ja",
        "the Japanese segmenter Sudachi",
        frozenset({"Hani", "Hira", "Kana"}),
        ("sudachipy", "sudachidict-core"),
        _sudachi,
    ),
    "kiwi": _Package(
        "kiwipiepy", "ko", "the Korean segmenter Kiwi", frozenset({"Hang"}), ("kiwipiepy", "kiwipiepy-model"), _kiwi
    ),
    "newmm": _Package(
        "pythainlp.tokenize", "th", "the Thai segmenter newmm", frozenset({"Thai"}), ("pythainlp",), _newmm
    ),
}

SEGMENTERS = tuple(_KNOWN)
"""Names of the segmenters there are, installed or not."""


def segmenter(name: str) -> Segmenter:
    """The segmenter of a name in `SEGMENTERS`. Raises `MissingExtra` if its package is not installed."""
    # Both cost a tenth of the start-up that queries without a segmenter should not pay.
    from importlib import metadata

    from xsearch.core.extras import need

    package = _KNOWN[name]
    cut = package.load(need(package.module, package.extra, package.purpose))
    return Segmenter(package.scripts, " ".join(f"{d} {metadata.version(d)}" for d in package.distributions), cut)
