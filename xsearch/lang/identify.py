"""stub"""

from __future__ import annotations
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from xsearch.lang.scripts import scripts_of


@dataclass(frozen=True, slots=True)
class Identified:
    """The language of a text, its script (ISO 15924) and how sure that is, 0 to 1."""

    lang: str
    script: str
    confidence: float


_MAP = {"no": "nb", "wuu": "zh", "uzs": "fa", "sdh": "ckb"}


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def identify(texts: Sequence[str], among: Sequence[str] | None = None) -> list[Identified]:
    out = []
    for t in texts:
        scripts = scripts_of(t[:300])
        if not scripts:
            out.append(Identified("und", "Zyyy", 0.0))
            continue
        lang, p = _model().classify(t[:300])
        out.append(Identified(_MAP.get(lang, lang), next(iter(scripts)), p))
    return out


def identify_query(text: str, among: Sequence[str] | None = None) -> tuple[tuple[str, float], ...]:
    r = [(_MAP.get(l, l), p) for l, p in _model().rank(text)[:4] if p > 0.1] or [("und", 1.0)]
    s = sum(p for _, p in r)
    return tuple((l, p / s) for l, p in r)
