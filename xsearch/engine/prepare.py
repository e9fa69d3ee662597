"""Documents → passages with language, terms and texts to encode: all that is computed before anything is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xsearch import lang as languages
from xsearch.core import Document
from xsearch.storage import NewDocument, NewPassage

SURE = 0.8
"""A passage contradicts its document's language only when it is identified with at least this confidence, and
`LONG_ENOUGH` characters: short or mixed passages (a list of names, a code sample) otherwise scatter over languages."""
LONG_ENOUGH = 80


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A batch ready to be stored. The lists run over all passages of all documents, in order.

    groups: the language each passage is searched under: scripts of one language are searched together (`zh-Hant`
    with `zh`), since their analyzers meet in the same terms. terms, title_terms: analyzed, space-joined. texts: what
    the encoder reads (title and passage).
    """

    documents: list[NewDocument]
    groups: list[str]
    terms: list[str]
    title_terms: list[str]
    texts: list[str]


def prepare(documents: Sequence[Document], sources: Sequence[str | None], max_words: int) -> Prepared:
    """Identify, split and analyze `documents` (`sources`: the file each came from). Burmese in Zawgyi becomes Unicode
    first: it is stored as it is searched."""
    documents = [_in_unicode(document) for document in documents]
    declared = [languages.normalize_code(d.lang) if d.lang else None for d in documents]
    found = languages.identify(
        [_sample(d) if code is None else "" for d, code in zip(documents, declared, strict=True)]
    )
    made = []
    for document, code, guess, source in zip(documents, declared, found, sources, strict=True):
        spans = languages.split_passages(document.text, code or guess.lang, max_words=max_words)
        if not spans and document.title:
            spans = [(0, 0)]
        made.append(NewDocument(document, _passages(document, spans, code, guess), source))
    return analyze(made)


def analyze(documents: list[NewDocument]) -> Prepared:
    """Terms and texts of documents whose passages are known."""
    passages = [(document, passage) for document, spans, _ in documents for passage in spans]
    langs = [passage.lang for _, passage in passages]
    titles = [document.title or "" for document, _ in passages]
    texts = [document.text[passage.start : passage.end] for document, passage in passages]
    title_terms, bodies = _terms(titles, langs), _terms(texts, langs)
    return Prepared(
        documents,
        [languages.base_language(lang) for lang in langs],
        [f"{title} {body}" if title else body for title, body in zip(title_terms, bodies, strict=True)],
        title_terms,
        [encoder_text(title, text) for title, text in zip(titles, texts, strict=True)],
    )


def encoder_text(title: str | None, text: str) -> str:
    """What an encoder reads of a passage."""
    return f"{title}\n{text}" if title else text


def _terms(texts: Sequence[str], langs: Sequence[str]) -> list[str]:
    """The terms of each text, space-joined. Texts of a language are analyzed together."""
    places: dict[str, list[int]] = {}
    for place, (text, lang) in enumerate(zip(texts, langs, strict=True)):
        if text:
            places.setdefault(lang, []).append(place)
    found = [""] * len(texts)
    for lang, own in places.items():
        for place, terms in zip(own, languages.analyzer(lang).joined_terms([texts[at] for at in own]), strict=True):
            found[place] = terms
    return found


def _in_unicode(document: Document) -> Document:
    if document.text.isascii():
        return document
    text, title = languages.to_unicode(document.text), document.title and languages.to_unicode(document.title)
    return document if (text, title) == (document.text, document.title) else replace(document, text=text, title=title)


def _sample(document: Document) -> str:
    # The title helps where the text is a line of code; it must not outvote a text in another language.
    text = document.text.lstrip()[:400]
    return text if len(text) >= LONG_ENOUGH or not document.title else f"{document.title}\n{text}"


def _passages(
    document: Document, spans: list[tuple[int, int]], declared: str | None, guess: languages.Identified
) -> list[NewPassage]:
    if declared is not None:
        script = next(iter(languages.scripts_of(_sample(document))), "Zyyy")
        return [NewPassage(start, end, declared, script, 1.0) for start, end in spans]
    if len(spans) == 1:
        return [NewPassage(start, end, guess.lang, guess.script, guess.confidence) for start, end in spans]
    passages = []
    each = languages.identify([document.text[start:end][:400] for start, end in spans])
    for (start, end), own in zip(spans, each, strict=True):
        trusted = own.lang != "und" and own.confidence >= SURE and end - start >= LONG_ENOUGH
        chosen = own if trusted or own.script != guess.script else guess
        passages.append(NewPassage(start, end, chosen.lang, own.script, chosen.confidence))
    return passages
