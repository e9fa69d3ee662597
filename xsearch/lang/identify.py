"""Which language a text is in: by its script where that decides, by characters where Han does not, else by profiles.

Passages and queries go through the same evidence. A passage gets one language; a query, which may be two words, keeps
every language that is likely enough. Nothing is loaded but the profiles of its script, so that a first query is quick.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from xsearch.core.batch import FloatArray
from xsearch.lang.codes import UNKNOWN, base_language, usual_script
from xsearch.lang.profiles import profiles, words_of
from xsearch.lang.scripts import COMMON, scripts_of, scripts_of_all

_HEAD = 240
_MOST_WORDS = 24
_FEWEST_LETTERS = 3
_LEAST_CONFIDENCE = 0.15
_CERTAIN = 0.99

# Words a letter stands for. Latin letters weigh half in texts of other scripts: they are names, code and addresses.
_WORDS_PER_LETTER = {"Latn": 0.1, "Hani": 0.6, "Hira": 0.6, "Kana": 0.6, "Hang": 0.4}
_USUAL_WORDS_PER_LETTER = 0.2

_LANGUAGE_OF_SCRIPT = {
    "Armn": "hy", "Cans": "iu", "Cher": "chr", "Geor": "ka", "Grek": "el", "Gujr": "gu", "Guru": "pa", "Hang": "ko",
    "Hira": "ja", "Kana": "ja", "Khmr": "km", "Knda": "kn", "Laoo": "lo", "Mlym": "ml", "Mong": "mn-Mong",
    "Mymr": "my", "Nkoo": "nqo", "Olck": "sat", "Orya": "or", "Sinh": "si", "Syrc": "syr", "Taml": "ta", "Telu": "te",
    "Tfng": "zgh", "Thaa": "dv", "Thai": "th", "Yiii": "ii", "Bopo": "zh-Hant",
}  # fmt: skip

# National character sets tell who writes a Han character; what a foreign one costs, in nats.
_HAN_CHARSETS = {"zh": "gb2312", "zh-Hant": "big5", "ja": "shift_jis"}
_HAN_PRIOR = {"zh": 0.6, "zh-Hant": 0.25, "ja": 0.15}
_FOREIGN, _RARE = 3.0, 1.5
_JIS_LEVEL_2 = b"\x98\x9f"

_MOST_CANDIDATES = 4
_LEAST_CANDIDATE = 0.15
# What a language outside the index has to overcome to be taken for the query's.
_OUTSIDE = 0.02
# Letters at which a query's evidence counts half: one name says little about the language it is used in.
_HALF_EVIDENCE = 8


@dataclass(frozen=True, slots=True)
class Identified:
    """A text's language (``und`` if not known), its script (ISO 15924) and the probability of the language, 0 to 1."""

    lang: str
    script: str
    confidence: float


def identify(texts: Sequence[str], among: Sequence[str] | None = None) -> list[Identified]:
    """The language of each text, from its first 24 words or 240 characters.

    `among` limits the choice to some languages wherever one of them is written in the text's script. A text without
    letters, with fewer than 3, or that resembles nothing is ``und`` with confidence 0.
    """
    allowed = _allowed(among)
    found = [Identified(UNKNOWN, COMMON, 0.0)] * len(texts)
    waiting: dict[str, list[int]] = {}
    heads = [_head(text) for text in texts]
    for i, (head, counts) in enumerate(zip(heads, scripts_of_all(heads), strict=True)):
        script = _script(counts)
        if profiles(script):
            waiting.setdefault(script, []).append(i)
        elif script != COMMON:
            probabilities = _by_script(head, script, allowed)
            lang = max(probabilities, key=probabilities.__getitem__)
            found[i] = _identified(script, lang, probabilities[lang])
    for script, places in waiting.items():
        langs, rows, enough = _by_profiles([heads[i] for i in places], script, allowed)
        best = rows.argmax(axis=1)
        confidences = np.where(enough, rows[np.arange(len(rows)), best], 0.0)
        for i, column, confidence in zip(places, best.tolist(), confidences.tolist(), strict=True):
            found[i] = _identified(script, langs[column], confidence)
    return found


def identify_query(text: str, among: Sequence[str] | None = None) -> tuple[tuple[str, float], ...]:
    """Languages a query may be in with weights that sum to 1, best first, at most 4; ``und`` alone if nothing is known.

    `among` are the languages of the index. Others stay possible (the question may come in a language that no document
    has) but need fifty times the evidence.
    """
    head = _head(text)
    letters = scripts_of(head)
    script = _script(letters)
    if script == COMMON:
        return ((UNKNOWN, 1.0),)
    if profiles(script):
        count = sum(letters.values())
        langs, (row,), (enough,) = _by_profiles([head], script, None, count / (count + _HALF_EVIDENCE))
        probabilities = dict(zip(langs, row.tolist(), strict=True)) if enough else {}
    else:
        probabilities = _by_script(head, script, None)
    inside = _allowed(among)
    weights = {lang: p if inside is None or _is_in(lang, inside) else p * _OUTSIDE for lang, p in probabilities.items()}
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:_MOST_CANDIDATES]
    kept = [(lang, weight) for lang, weight in ranked if weight >= _LEAST_CANDIDATE * ranked[0][1]]
    total = sum(weight for _, weight in kept)
    return tuple((lang, weight / total) for lang, weight in kept) if total > 0 else ((UNKNOWN, 1.0),)


def _head(text: str) -> str:
    # Profiles know composed letters.
    return unicodedata.normalize("NFC", text[:_HEAD])


def _allowed(among: Iterable[str] | None) -> frozenset[str] | None:
    return frozenset(map(base_language, among)) - {UNKNOWN} if among else None


def _is_in(lang: str, allowed: frozenset[str]) -> bool:
    return base_language(lang) in allowed


def _script(letters: Mapping[str, int]) -> str:
    """The script that carries a text with so many letters of each, "Zyyy" if it has none. Kana makes Japanese of
    Han."""
    if not letters:
        return COMMON
    counts = dict(letters)
    kana = counts.get("Hira", 0) + counts.get("Kana", 0)
    if kana and 20 * kana >= counts.get("Hani", 0):
        counts["Hira"] = kana + counts.pop("Hani", 0)
    return max(counts, key=lambda s: (counts[s] * _WORDS_PER_LETTER.get(s, _USUAL_WORDS_PER_LETTER), s))


def _by_script(head: str, script: str, allowed: frozenset[str] | None) -> dict[str, float]:
    if script != "Hani":
        return {_LANGUAGE_OF_SCRIPT.get(script, UNKNOWN): _CERTAIN}
    scores = {lang: math.log(prior) for lang, prior in _HAN_PRIOR.items()}
    # Columns of costs are added up at once: a text may hold two hundred characters.
    costs = zip(*(_han_costs(char) for char in head if char >= "\u3400"), strict=True)
    for lang, column in zip(_HAN_CHARSETS, costs, strict=False):
        scores[lang] -= sum(column)
    if allowed and any(_is_in(lang, allowed) for lang in scores):
        scores = {lang: score for lang, score in scores.items() if _is_in(lang, allowed)}
    best = max(scores.values())
    odds = {lang: math.exp(score - best) for lang, score in scores.items()}
    return {lang: value / sum(odds.values()) for lang, value in odds.items()}


@cache
def _han_costs(char: str) -> tuple[float, ...]:
    costs = []
    for charset in _HAN_CHARSETS.values():
        try:
            encoded = char.encode(charset)
        except UnicodeEncodeError:
            costs.append(_FOREIGN)
            continue
        costs.append(_RARE if charset == "shift_jis" and encoded >= _JIS_LEVEL_2 else 0.0)
    return tuple(costs)


def _by_profiles(
    heads: Sequence[str], script: str, allowed: frozenset[str] | None, trust: float = 1.0
) -> tuple[tuple[str, ...], FloatArray, list[bool]]:
    """Languages, their probabilities for each head (heads, languages), and which heads have letters enough."""
    model = profiles(script)
    if model is None:
        return (), np.zeros((len(heads), 0), dtype=np.float32), [False] * len(heads)
    words = [words_of(head)[:_MOST_WORDS] for head in heads]
    logits = model.logits(words)
    langs = model.langs
    if allowed and (columns := [i for i, lang in enumerate(langs) if _is_in(lang, allowed)]):
        logits, langs = logits[:, columns], tuple(langs[i] for i in columns)
    enough = [sum(map(len, w)) >= _FEWEST_LETTERS for w in words]
    return langs, _softmax(trust * logits), enough


def _softmax(logits: FloatArray) -> FloatArray:
    odds: FloatArray = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    return odds


def _identified(script: str, lang: str, confidence: float) -> Identified:
    if lang == UNKNOWN or confidence < _LEAST_CONFIDENCE:
        return Identified(UNKNOWN, script, 0.0)
    shown = usual_script(lang) if script in ("Hani", "Hira", "Kana", "Hang") else script
    return Identified(lang, shown, confidence)
