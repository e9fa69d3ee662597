"""Which topic and which language a line of a run speaks of.

One topic in several languages is the field's practice: CLEF and HC4 give one id many wordings and one set of judgments.
A run over several languages writes ``id@lang``; here that is taken apart again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from xsearch.core import Run

UNKNOWN = "und"
"""ISO 639's code for a language that is not known."""

LanguageOf = Callable[[str], str]
"""Document id → language code, "und" when unknown."""

_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st "
    "su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
# Endings of file names, which three letters after a dot mean more often than a language.
_FILE_ENDINGS = (
    "bin bz2 cfg csv doc dat eml gif htm img ini jpg json log md mp3 odt pdf png ppt ps1 rst rtf sgm svg tar tex tgz "
    "tsv txt wav xls xml zip zst"
)
_TWO_LETTERS = frozenset(_ISO_639_1.split())
_ENDINGS = frozenset(_FILE_ENDINGS.split())
_CODE = re.compile(r"(?P<language>[a-z]{2,3})(?P<script>-[A-Z][a-z]{3})?(?P<region>-[A-Z]{2})?")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is averaged over: a topic in one wording. `id` is the run's topic id, `topic` the qrels', `lang` "und"
    where nothing says the language."""

    id: str
    topic: str
    lang: str


def units_of(
    run: Run, judged: Container[str], query_lang: str | None = None, spoken: Mapping[str, str] | None = None
) -> tuple[list[Unit], list[str]]:
    """The run's topics that are `judged`, in the run's order, and the run's topic ids that are not.

    A topic id that `judged` holds as it stands is taken as it stands, even with an ``@`` in it; otherwise the part
    after the last ``@`` is the language. Topics that do not name theirs have the one that `spoken` gives by topic id,
    or `query_lang`.
    """
    spoken = spoken or {}
    units, unknown = [], []
    for name in dict.fromkeys(row.topic for row in run):
        topic, at, lang = name.rpartition("@")
        if name in judged:
            units.append(Unit(name, name, spoken.get(name) or query_lang or UNKNOWN))
        elif at and topic in judged:
            units.append(Unit(name, topic, lang or query_lang or UNKNOWN))
        else:
            unknown.append(name)
    return units, unknown


def language_of_id(document: str) -> str:
    """The language a document's id ends in (``x.de``, ``x.zh-Hant``, ``x.pt-BR``), or "und".

    Two letters must be of ISO 639-1; three letters must not be the ending of a file's name.
    """
    match = _CODE.fullmatch(document.rpartition(".")[2]) if "." in document else None
    if match is None:
        return UNKNOWN
    language = match["language"]
    known = language in _TWO_LETTERS if len(language) == 2 else language not in _ENDINGS
    return match[0] if known else UNKNOWN


def language_lookup(doc_langs: Mapping[str, str] | Callable[[str], str | None] | None) -> LanguageOf:
    """A lookup that asks `doc_langs` (an index, a table) first and the id's own ending next."""
    if doc_langs is None:
        return language_of_id
    ask = doc_langs.get if isinstance(doc_langs, Mapping) else doc_langs
    return lambda document: ask(document) or language_of_id(document)
