"""Analyzers: text to the terms that are indexed and searched. One for passages and queries alike.

What an analyzer is made of stands in ``data/analyzers.tsv``; this module puts it together. A word is folded, then
stemmed or cut into 4-grams if it is of the language's script; a word of another script is folded only, so that a
German index finds ``Москва`` and a Russian one ``Microsoft``. Runs of scripts without spaces become bigrams of
orthographic units in every analyzer.

Behind the choices, nDCG@10 of monolingual BM25 over news, lessons and command pages, one pool per language: bigrams of
units against trigrams and 4-grams of characters: th .866 .866 .868, lo .916 .918 .912, km .907 .899 .886, my .892 .879
.882; zh bigrams .797, characters .775, both .801 at twice the size; ja .814 .751 .811; ko bigrams within spaces .782,
spaced words .699. Languages without a stemmer, mean of 19: words .849, 4-grams .863, 5-grams .859. No stop words are
removed: BM25 weighs them down by itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from itertools import chain, compress, islice, pairwise
from operator import add
from typing import NamedTuple

from xsearch.core.errors import UnknownLanguage, UsageError
from xsearch.lang.codes import base_language, normalize_code, usual_script
from xsearch.lang.fold import fold_each, folding
from xsearch.lang.known import Known
from xsearch.lang.scripts import COMMON, script_of
from xsearch.lang.segmenters import SEGMENTERS, Segmenter, segmenter
from xsearch.lang.tables import DATA, rows
from xsearch.lang.words import FIRST_UNIT, unit_run_pattern, units, whole_units_pattern, word_pattern

VERSION = 1
"""Raised whenever the code changes what terms come out; data files and packages are in the fingerprint anyway."""

_SCRIPT_STYLES = {"Arab": "arabic", "Hebr": "hebrew", "Deva": "devanagari"}
# Languages whose analyzer reads several scripts alike, and so has no script in its name.
_STYLE_SCRIPTS = {"serbian": ("Cyrl", "Latn"), "simplified": ()}
_DATA_FILES = ("wordchars.tsv", "scripts.tsv", "traditional.tsv")
_RUN = "run"
_NGRAM = re.compile(r"([2-9])gram")
_WELL_FORMED = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Token(NamedTuple):
    """A stretch of text, ``text[start:end]`` in code points, and the terms it is indexed under."""

    terms: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What an analyzer is made of. `scripts`: those whose words are stemmed or cut. `ngram`: length, 0 for none."""

    lang: str
    scripts: tuple[str, ...]
    style: str
    stemmer: str = ""
    ngram: int = 0
    joiners: str = ""
    segmenter: str = ""

    @property
    def method(self) -> str:
        if self.segmenter:
            return self.segmenter
        if self.stemmer:
            return f"snowball-{self.stemmer}"
        return f"{self.ngram}gram" if self.ngram else "words"


class Analyzer:
    """Text to terms for one language. `name` tells language and method, `version` the code's, `fingerprint` is a hash
    over all that changes terms: an index made with another one has to be analyzed again.

    Safe to use from several threads. Made by `analyzer`.
    """

    def __init__(self, recipe: _Recipe) -> None:
        self._recipe = recipe
        self._segmenter = segmenter(recipe.segmenter) if recipe.segmenter else None
        self._stem_all = _stemmer(recipe.stemmer) if recipe.stemmer else None
        self._fold = folding(recipe.style)
        self._joiners = dict.fromkeys(map(ord, recipe.joiners))
        self._words: Known[tuple[str, ...]] = Known(self._words_terms)
        self._joined: Known[str] = Known(lambda words: map(" ".join, self._words_terms(words)))
        self._units: Known[str] = Known(self._fold_all)
        self.name = f"{recipe.lang}:{recipe.method}"
        self.version = VERSION
        self.fingerprint = _fingerprint(recipe, self._segmenter)

    @cached_property
    def _is_run(self) -> Callable[[str], re.Match[str] | None]:
        return unit_run_pattern().match

    def _pattern(self, text: str) -> re.Pattern[str]:
        """What finds the words of a text: where no sign joins two parts, the expression that all languages share, since
        to compile one takes as long as to search a small index."""
        joiners = self._recipe.joiners
        return word_pattern(joiners if any(joiner in text for joiner in joiners) else "")

    def _split(self, text: str) -> list[str]:
        found: list[str] = self._pattern(text).findall(text)
        return found

    def terms(self, text: str) -> list[str]:
        """The terms of a text in order. No term is empty or holds whitespace."""
        return list(chain.from_iterable(self._words.of_all(self._split(text))))

    def joined_terms(self, texts: Sequence[str]) -> list[str]:
        """The `terms` of every text, space-joined as indexes take them. What is new in them is analyzed together, in a
        third of the time."""
        split = list(map(self._split, texts))
        found = self._joined.of_all(list(chain.from_iterable(split)))
        return [" ".join(filter(None, islice(found, len(words)))) for words in split]

    def tokens(self, text: str) -> list[Token]:
        """The terms of a text with their places; the terms of all tokens together are `terms` of the text.

        A token is a word, or in a run without spaces a bigram, and then neighbours overlap. The terms of a token may be
        none: a word of nothing but marks.
        """
        matches = list(self._pattern(text).finditer(text))
        words = [match[0] for match in matches]
        runs = [word[0] >= FIRST_UNIT and self._is_run(word) is not None for word in words]
        if not any(runs):
            return [Token(t, m.start(), m.end()) for t, m in zip(self._words.of_all(words), matches, strict=True)]
        found: list[Token] = []
        for match, word, is_run in zip(matches, words, runs, strict=True):
            start = match.start()
            if is_run:
                found += [Token((term,), start + a, start + b) for term, a, b in self._run(word)]
            else:
                found.append(Token(self._words[word], start, match.end()))
        return found

    def find(self, text: str, terms: Collection[str]) -> list[Token]:
        """Those `tokens` of a text that have one of `terms`; where it has none, in a tenth of the time."""
        return self.find_all([text], terms)[0]

    def find_all(self, texts: Sequence[str], terms: Collection[str]) -> list[list[Token]]:
        """`find` in every text. What is new in them is analyzed together."""
        split = list(map(self._split, texts))
        values = self._words.of_all(list(chain.from_iterable(split)))
        return [
            self._having(text, list(islice(values, len(own))), terms) for text, own in zip(texts, split, strict=True)
        ]

    def _having(self, text: str, words: Sequence[tuple[str, ...]], terms: Collection[str]) -> list[Token]:
        """`find`, when the terms of the text's words are known."""
        lacks = frozenset(terms).isdisjoint
        if lacks(chain.from_iterable(words)):
            return []
        found: list[Token] = []
        has = [not lacks(own) for own in words]
        matches = compress(self._pattern(text).finditer(text), has)
        for match, own in zip(matches, compress(words, has), strict=True):
            word, start = match[0], match.start()
            if word[0] >= FIRST_UNIT and self._is_run(word):
                found += [Token((term,), start + a, start + b) for term, a, b in self._run(word) if not lacks((term,))]
            else:
                found.append(Token(own, start, match.end()))
        return found

    def _words_terms(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        """The terms of each word. Words of one script are folded as one text and stemmed by one call."""
        found: list[tuple[str, ...]] = [()] * len(words)
        spaced: dict[str, list[int]] = {}
        for place, word in enumerate(words):
            spaced.setdefault(_beginnings[word[0]] or _first_script(word), []).append(place)
        runs = spaced.pop(_RUN, [])
        for place, its in zip(runs, self._runs_terms([words[place] for place in runs]), strict=True):
            found[place] = its
        terms: Iterable[tuple[str, ...]]
        for script, places in spaced.items():
            own = script in self._recipe.scripts
            fold = self._fold if own or script == COMMON else folding(_SCRIPT_STYLES.get(script, "general"))
            own_words = [words[place] for place in places]
            folded = fold_each(
                fold, [word.translate(self._joiners) for word in own_words] if self._joiners else own_words
            )
            # Compatibility forms may hold spaces (ligatures) and signs (fractions): what comes out is words once more.
            if self._split("\n".join(folded)) == folded:
                terms = self._reduced(folded) if own else zip(folded, strict=True)
            else:
                parts = list(map(self._split, folded))
                reduced = iter(
                    self._reduced(list(chain.from_iterable(parts))) if own else zip(chain(*parts), strict=True)
                )
                terms = [tuple(chain.from_iterable(islice(reduced, len(several)))) for several in parts]
            for place, its in zip(places, terms, strict=True):
                found[place] = its
        return found

    def _reduced(self, words: Sequence[str]) -> Iterable[tuple[str, ...]]:
        """Folded words, stemmed or cut into n-grams."""
        if self._stem_all:
            # Stemmers put letters back (Serbian dj is đ), and the Persian one sees the joiner, which terms lack.
            stems = self._stem_all(words)
            # What begins a folded word is folded, as most stems are.
            if changed := [
                i for i, (stem, word) in enumerate(zip(stems, words, strict=True)) if not word.startswith(stem)
            ]:
                for i, stem in zip(changed, self._fold_all([stems[i] for i in changed]), strict=True):
                    stems[i] = stem
            if self._recipe.style == "persian":
                stems = [stem.replace("\u200c", "") for stem in stems]
            return [(stem or word,) for stem, word in zip(stems, words, strict=True)]
        return [tuple(self._grams(word)) for word in words]

    def _grams(self, word: str) -> Iterable[str]:
        n = self._recipe.ngram
        return [word[i : i + n] for i in range(len(word) - n + 1)] if 0 < n < len(word) else (word,)

    def _fold_all(self, words: Sequence[str]) -> list[str]:
        return fold_each(self._fold, words)

    def _runs_terms(self, runs: Sequence[str]) -> Iterable[tuple[str, ...]]:
        """The terms of runs of scripts without spaces; those of whole characters are folded together."""
        if self._segmenter:
            return [tuple(term for term, _, _ in self._run(run)) for run in runs]
        is_whole = whole_units_pattern().fullmatch
        whole = iter(fold_each(self._fold, [run for run in runs if is_whole(run)]))
        folded = [next(whole) if is_whole(run) else list(filter(None, self._units.of_all(units(run)))) for run in runs]
        return [tuple(map(add, own, own[1:])) if len(own) > 1 else tuple(own) for own in folded]

    def _run(self, run: str) -> list[tuple[str, int, int]]:
        """Terms of a run of a script without spaces, with their places in it."""
        if self._segmenter and script_of(run[0]) in self._segmenter.scripts:
            cut = self._segmenter.cut(run)
            return [(term, a, b) for word, a, b in cut for term in self._split(self._fold(word))]
        found = []
        at = 0
        for unit in units(run):
            if folded := self._units[unit]:
                found.append((folded, at, at + len(unit)))
            at += len(unit)
        if len(found) < 2:
            return found
        return [(one + two, a, b) for (one, a, _), (two, _, b) in pairwise(found)]


@cache
def analyzer(lang: str, variant: str | None = None) -> Analyzer:
    """The analyzer of a language, made once. A language nobody listed gets one that fits its script.

    `variant` replaces the method of ``data/analyzers.tsv``: ``words`` (folded only), ``4gram`` (of 2 to 9 characters),
    or a segmenter: ``jieba``, ``sudachi``, ``kiwi``, ``newmm``. Raises `UnknownLanguage` for what cannot be a language
    code, `UsageError` for an unknown variant, `MissingExtra` if the variant's package is absent.
    """
    recipe = _recipe(lang)
    if variant is None or variant == recipe.method:
        return Analyzer(recipe)
    if variant in SEGMENTERS:
        return Analyzer(replace(recipe, segmenter=variant))
    gram = _NGRAM.fullmatch(variant)
    if variant != "words" and not gram:
        raise UsageError(f"unknown analyzer variant '{variant}': known are words, 4gram, {', '.join(SEGMENTERS)}")
    return Analyzer(replace(recipe, stemmer="", ngram=int(gram[1]) if gram else 0))


def coverage(lang: str, text: str) -> float:
    """The share of a text's letters that end up in terms, 0 to 1; 1 for a text without letters.

    Well below 1, the analyzer drops a script that the text is written in. Code points for private use, or of scripts
    that this Python's Unicode does not know yet, count as letters: somebody writes with them.
    """
    letters = sum(map(_is_letter, text))
    if not letters:
        return 1.0
    reached = bytearray(len(text))
    for terms, start, end in analyzer(lang).tokens(text):
        if terms:
            reached[start:end] = b"\1" * (end - start)
    return sum(1 for char, kept in zip(text, reached, strict=True) if kept and _is_letter(char)) / letters


def _is_letter(char: str) -> bool:
    return char.isalpha() or unicodedata.category(char) in ("Co", "Cn")


@cache
def _table() -> dict[str, tuple[str, str, str]]:
    table = rows("analyzers.tsv")
    return {code: (style, method, joiners) for codes, style, method, joiners in table for code in codes.split()}


def _recipe(lang: str) -> _Recipe:
    try:
        code = normalize_code(lang)
    except UnknownLanguage:
        if not _WELL_FORMED.fullmatch(lang):
            raise
        code = lang
    base = base_language(code)
    style, method, joiners = _table().get(base, ("-", "4gram", "-"))
    script = usual_script(code) or "Latn"
    if code != base and style != "-" and usual_script(base) != script and style not in _STYLE_SCRIPTS:
        style = "-"
    if style == "-":
        style = _SCRIPT_STYLES.get(script, "general")
    scripts = _STYLE_SCRIPTS.get(style, (script,))
    shown = base if style in _STYLE_SCRIPTS else code
    joiners = "" if joiners == "-" else joiners
    gram = _NGRAM.fullmatch(method)
    if gram or method == "words":
        return _Recipe(shown, scripts, style, ngram=int(gram[1]) if gram else 0, joiners=joiners)
    return _Recipe(shown, scripts, style, stemmer=method, joiners=joiners)


def _stemmer(name: str) -> Callable[[Sequence[str]], list[str]]:
    import Stemmer

    # Its own cache would keep every word a second time.
    stem: Callable[[Sequence[str]], list[str]] = Stemmer.Stemmer(name, 0).stemWords
    return stem


class _Beginnings(dict[str, str]):
    """What a word is that begins with a character: of that script, `_RUN`, "" where the next ones decide; filled as
    characters are met."""

    def __missing__(self, char: str) -> str:
        is_run = char >= FIRST_UNIT and unit_run_pattern().match(char)
        script = script_of(char)
        self[char] = found = _RUN if is_run else "" if script == COMMON else script
        return found


_beginnings = _Beginnings()


def _first_script(word: str) -> str:
    """The script of the first character that has one."""
    first = script_of(word[0])
    return first if first != COMMON else next((s for s in map(script_of, word) if s != COMMON), COMMON)


def _fingerprint(recipe: _Recipe, segmenting: Segmenter | None) -> str:
    made_of = {"version": VERSION, "recipe": asdict(recipe), "segmenter": segmenting.version if segmenting else ""}
    if recipe.stemmer:
        import Stemmer

        made_of["stemmer"] = Stemmer.version()
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode() + _data_digest()).hexdigest()[:16]


@cache
def _data_digest() -> bytes:
    return hashlib.sha256(b"".join((DATA / name).read_bytes() for name in _DATA_FILES)).digest()
