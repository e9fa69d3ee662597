"""Word segmenters that have to be asked for: dictionaries and models of other packages for scripts without spaces.

The default analyzers need none of them, so that the same text gives the same terms on every machine. A variant
(``analyzer("zh", variant="jieba")``) names one, and the package's version is part of the analyzer's fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata

from xsearch.core.errors import UsageError
from xsearch.core.extras import need

Cut = Callable[[str], Iterable[tuple[str, int, int]]]
"""Cuts a run into words: what the word is indexed under, where it starts and ends in the run."""


@dataclass(frozen=True, slots=True)
class Segmenter:
    """A cutter for runs of some scripts. `version` names the packages (and dictionaries) it comes from."""

    scripts: frozenset[str]
    version: str
    cut: Cut


def _jieba() -> Cut:
    jieba = need("jieba", "zh", "the Chinese segmenter jieba")
    jieba.setLogLevel("ERROR")
    jieba.initialize()

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        return jieba.tokenize(run, mode="search")  # type: ignore[no-any-return]

    return cut


def _sudachi() -> Cut:
    sudachipy = need("sudachipy", "ja", "the Japanese segmenter Sudachi")
    tokenizer = sudachipy.Dictionary().create(mode=sudachipy.SplitMode.A)

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        return [(m.normalized_form(), m.begin(), m.end()) for m in tokenizer.tokenize(run)]

    return cut


def _kiwi() -> Cut:
    kiwi = need("kiwipiepy", "ko", "the Korean segmenter Kiwi").Kiwi()

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        # J.. are particles, E.. endings, X.. affixes: what a search should see through.
        return [(t.form, t.start, t.start + t.len) for t in kiwi.tokenize(run) if t.tag[0] not in "JE"]

    return cut


def _pythainlp() -> Cut:
    word_tokenize = need("pythainlp.tokenize", "th", "the Thai segmenter newmm").word_tokenize

    def cut(run: str) -> Iterable[tuple[str, int, int]]:
        at = 0
        for word in word_tokenize(run, engine="newmm"):
            yield word, at, at + len(word)
            at += len(word)

    return cut


_KNOWN: dict[str, tuple[Callable[[], Cut], frozenset[str], tuple[str, ...]]] = {
    "jieba": (_jieba, frozenset({"Hani"}), ("jieba",)),
    "sudachi": (_sudachi, frozenset({"Hani", "Hira", "Kana"}), ("sudachipy", "sudachidict-core")),
    "kiwi": (_kiwi, frozenset({"Hang"}), ("kiwipiepy", "kiwipiepy-model")),
    "newmm": (_pythainlp, frozenset({"Thai"}), ("pythainlp",)),
}

SEGMENTERS = tuple(_KNOWN)
"""Names of the segmenters there are, installed or not."""


def segmenter(name: str) -> Segmenter:
    """The segmenter of a name. Raises `MissingExtra` if its package is not installed, `UsageError` for another name."""
    if name not in _KNOWN:
        raise UsageError(f"unknown segmenter '{name}': known are {', '.join(SEGMENTERS)}")
    load, scripts, packages = _KNOWN[name]
    cut = load()
    return Segmenter(scripts, " ".join(f"{package} {metadata.version(package)}" for package in packages), cut)
