"""Language codes: one spelling inside, many understood at the edge.

Inside, a language is its ISO 639-1 code where there is one, else its ISO 639-3 code, followed by a script only where
it is not the language's usual one: ``de``, ``ckb``, ``zh`` (simplified), ``zh-Hant``, ``sr`` (Cyrillic), ``sr-Latn``.
Regions are dropped once they have told the script (``zh-TW`` is ``zh-Hant``, ``pt-BR`` is ``pt``).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from functools import cache
from typing import NamedTuple

from xsearch.core.errors import UnknownLanguage
from xsearch.lang.tables import rows

UNKNOWN = "und"
"""The code for text whose language is not known (ISO 639-2)."""

_SPECIAL = ("und", "mul", "zxx")
_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")
_TRADITIONAL_REGIONS = frozenset({"tw", "hk", "mo"})
# Serbo-Croatian has lost its code; its Latin texts are read as Serbian in Latin script.
_REPLACED = {"sh": "sr-Latn", "hbs": "sr-Latn", "scr": "hr", "scc": "sr"}
_SCRIPT_NAMES = {"simplified": "Hans", "traditional": "Hant", "latin": "Latn", "cyrillic": "Cyrl", "arabic": "Arab"}


class _Language(NamedTuple):
    code: str
    iso3: str
    other_codes: str
    script: str
    names: str
    own_names: str


@cache
def _languages(table: str = "languages.tsv") -> dict[str, _Language]:
    """The languages of a table under each of their codes."""
    found: dict[str, _Language] = {}
    for row in rows(table):
        language = _Language(*row, *[""] * (6 - len(row)))
        for key in (language.code, language.iso3, *language.other_codes.split()):
            found.setdefault(key, language)
    return found


def _language(code: str) -> _Language | None:
    # Most of ISO 639-3 is rarely asked for: its table is read when the first misses.
    return _languages().get(code) or _languages("languages_rare.tsv").get(code)


@cache
def _names() -> dict[str, str]:
    """Codes by folded name; a name that several languages share belongs to the one listed first (the better known)."""
    found: dict[str, str] = {}
    for table in ("languages.tsv", "languages_rare.tsv"):
        for language in _languages(table).values():
            for name in f"{language.names}|{language.own_names}".split("|"):
                found.setdefault(_fold_name(name), language.code)
    found.pop("", None)
    return found


def _fold_name(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\s_\-,()]+", " ", "".join(c for c in decomposed if not unicodedata.combining(c))).strip()


@cache
def normalize_code(code: str) -> str:
    """The project's code for a language given as a code (ISO 639-1, 639-2/T, 639-2/B, 639-3, BCP 47 tag) or a name.

    Names are English or the language's own: ``zho`` is ``zh``, ``Persian`` and ``فارسی`` are ``fa``, ``sr-Cyrl`` is
    ``sr``, ``zh-TW`` is ``zh-Hant``, ``no`` is ``nb``. ``und`` (unknown), ``mul`` (many), ``zxx`` (none) stay.
    Raises `UnknownLanguage` with near matches.
    """
    tag = code.strip().lower().replace("_", "-")
    if _TAG.fullmatch(tag):
        base, *subtags = tag.split("-")
        if base in _SPECIAL:
            return base
        if base in _REPLACED:
            base, _, script = _REPLACED[base].partition("-")
            subtags = [script.lower(), *subtags] if script else subtags
        if language := _language(base):
            return _with_script(language, subtags)
    return _from_name(code)


def _with_script(language: _Language, subtags: list[str]) -> str:
    script = next((s.capitalize() for s in subtags if len(s) == 4 and s.isalpha()), "")
    if not script and language.code == "zh" and _TRADITIONAL_REGIONS.intersection(subtags):
        script = "Hant"
    return f"{language.code}-{script}" if script and script != language.script else language.code


def _from_name(name: str) -> str:
    folded = _fold_name(name)
    if found := _names().get(folded):
        return found
    words = folded.split()
    script = next((_SCRIPT_NAMES[w] for w in words if w in _SCRIPT_NAMES), "")
    rest = _names().get(" ".join(w for w in words if w not in _SCRIPT_NAMES)) if script else None
    if rest:
        return f"{rest}-{script}" if script != usual_script(rest) else rest
    near = difflib.get_close_matches(folded, _names(), n=3, cutoff=0.75)
    hint = ", ".join(f"{_names()[n]} ({language_name(_names()[n])})" for n in near)
    raise UnknownLanguage(
        f"unknown language '{name}'"
        + (f"; did you mean {hint}?" if hint else "; give an ISO 639 code such as 'de', 'zho', 'zh-Hant', or a name")
    )


def base_language(code: str) -> str:
    """A code without its script: ``zh`` of ``zh-Hant``."""
    return code.partition("-")[0]


_MACROLANGUAGES = {
    "ak": "fat tw",
    "ar": "acm acq aeb afb ajp apc apd arq ars ary arz ayl",
    "din": "dib dik dip diw dks",
    "kg": "kng ktu kwy ldi",
    "kok": "gom knn",
    "kr": "bms kby knc krt",
    "zh": "gan hsn lzh wuu yue",
}
_MEMBERS = {member: code for code, members in _MACROLANGUAGES.items() for member in members.split()}


def macrolanguage(code: str) -> str:
    """The language whose dictionary reads most words that texts in `code` are written with: Arabic for its dialects,
    Chinese for those written in its characters, Akan for Twi (macrolanguages of ISO 639-3); else its
    `base_language`."""
    base = base_language(code)
    return _MEMBERS.get(base, base)


def same_language(a: str, b: str) -> bool:
    """Whether two codes are one language for retrieval, whatever the script: ``zh`` and ``zh-Hant`` are."""
    return base_language(a) == base_language(b)


def usual_script(code: str) -> str:
    """The script a language is written in (ISO 15924), the one in the code if it has one, "" if not known."""
    base, _, script = code.partition("-")
    if script:
        return script
    language = _language(base)
    return language.script if language else ""


@cache
def language_name(code: str) -> str:
    """The English name of a language, with its script where the code has one; the code itself if not known."""
    base, _, script = code.partition("-")
    language = _language(base)
    if language is None:
        return {"und": "unknown", "mul": "several languages", "zxx": "no language"}.get(base, code)
    shown = next((n.capitalize() for n, s in _SCRIPT_NAMES.items() if s == script), script)
    name = language.names.partition("|")[0]
    return f"{name} ({shown})" if script else name
