"""BM25 by Lucene, in a process of its own (`lucene_process`): one index per language, with Lucene's analyzer for it.

For comparison with what others have published: the ranking is that of Anserini (Yang et al., SIGIR 2017) on the same
texts, with any k1 and b, and its RM3. A language for which Lucene has no analyzer gets the terms of ours.

    <folder>/<lang>/{segments_N, _N.cfs, _N.cfe, _N.si}       an ordinary Lucene index; files are never changed
    <folder>/writing-<random>/<lang>/                         a writer at work; nobody else's business

As in `bm25`, what a commit consists of is the manifest's state, and writer and reader open *views*, folders of links to
the files it names. Scores, with idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5)) and dl as one byte keeps it:

    score(q, d) = Σ_t idf(t) · tf / (tf + k1 · (1 - b + b · dl / avgdl))
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import tempfile
import weakref
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xsearch.core import (
    CannotWrite,
    FloatArray,
    IndexDamaged,
    IntArray,
    Mask,
    PassageBatch,
    Query,
    Ranking,
    WorkerDied,
)
from xsearch.retrieve.lucene_process import LuceneError, LuceneProcess, interpreter, shared_process
from xsearch.retrieve.numbers import next_number
from xsearch.retrieve.views import discard, language_files, link, memory_folder
from xsearch.storage.failpoints import reach
from xsearch.storage.files import Files

log = logging.getLogger(__name__)

PENDING_CHARACTERS = 1 << 20
"""Text of a language held back until there is so much of it."""
LISTED_PASSAGES = 2000
"""Up to so many allowed passages are handed to Lucene as a set of numbers; beyond, more is fetched than is wanted."""
LOCK = "write.lock"
"""What Lucene leaves in a folder beside an index."""

ANALYZERS: Mapping[str, str] = {
    lang: f"org.apache.lucene.analysis.{name}"
    for lang, name in {
        "ar": "ar.ArabicAnalyzer",
        "bg": "bg.BulgarianAnalyzer",
        "bn": "bn.BengaliAnalyzer",
        "ca": "ca.CatalanAnalyzer",
        "ckb": "ckb.SoraniAnalyzer",
        "cs": "cz.CzechAnalyzer",
        "da": "da.DanishAnalyzer",
        "de": "de.GermanAnalyzer",
        "el": "el.GreekAnalyzer",
        "es": "es.SpanishAnalyzer",
        "et": "et.EstonianAnalyzer",
        "eu": "eu.BasqueAnalyzer",
        "fa": "fa.PersianAnalyzer",
        "fi": "fi.FinnishAnalyzer",
        "fr": "fr.FrenchAnalyzer",
        "ga": "ga.IrishAnalyzer",
        "gl": "gl.GalicianAnalyzer",
        "hi": "hi.HindiAnalyzer",
        "hu": "hu.HungarianAnalyzer",
        "hy": "hy.ArmenianAnalyzer",
        "id": "id.IndonesianAnalyzer",
        "it": "it.ItalianAnalyzer",
        "ja": "ja.JapaneseAnalyzer",
        "ko": "cjk.CJKAnalyzer",
        "lt": "lt.LithuanianAnalyzer",
        "lv": "lv.LatvianAnalyzer",
        "ne": "ne.NepaliAnalyzer",
        "nl": "nl.DutchAnalyzer",
        "no": "no.NorwegianAnalyzer",
        "pl": "morfologik.MorfologikAnalyzer",
        "pt": "pt.PortugueseAnalyzer",
        "ro": "ro.RomanianAnalyzer",
        "ru": "ru.RussianAnalyzer",
        "sr": "sr.SerbianAnalyzer",
        "sv": "sv.SwedishAnalyzer",
        "ta": "ta.TamilAnalyzer",
        "te": "te.TeluguAnalyzer",
        "th": "th.ThaiAnalyzer",
        "tr": "tr.TurkishAnalyzer",
        "uk": "uk.UkrainianMorfologikAnalyzer",
        "zh": "cjk.CJKAnalyzer",
    }.items()
} | {"en": "io.anserini.analysis.DefaultEnglishAnalyzer"}
"""Lucene's analyzer of a language; where Anserini has a choice of its own (English, Chinese, Korean), that."""
TERMS = "org.apache.lucene.analysis.core.WhitespaceAnalyzer"
"""For the terms of our analyzers, joined by spaces."""


def analyzer_of(lang: str) -> str:
    """The Java class of the analyzer for a language without a script: Lucene's, or that for our terms."""
    return ANALYZERS.get(lang, TERMS)


class LuceneWriter:
    """Appends passages to the language indexes of `folder`.

    state: what `flush` last returned and the manifest committed; for a new index "k1", "b", optionally "rm3" ("docs",
    "terms", "weight") and "python", the interpreter that has pyserini. high_water: the first passage number not yet
    given away. Lucene is started by the first passage; what a crashed writer added beyond `state` takes no part.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any], *, high_water: int, files: Files) -> None:
        self._folder, self._files = folder, files
        self._state = dict(state)
        self._next = high_water
        self._pending: dict[str, Pending] = {}
        self._touched: set[str] = set()
        self._process = LuceneProcess(interpreter(state.get("python", "")))
        for left in folder.glob("writing-*"):
            discard(left)
        self._scratch = folder / f"writing-{secrets.token_hex(4)}"

    def add(self, batch: PassageBatch) -> None:
        """Append passages, visible to no reader before `flush` and a commit of its state.

        Raises ValueError when a number was given before, numbers do not ascend or the batch has no texts;
        `MissingExtra` when Lucene cannot run here, `WorkerDied` when its process ends, `CannotWrite`.
        """
        self._next = next_number(self._next, batch.numbers)
        if batch.texts is None:
            raise ValueError("Lucene indexes texts, and the batch has none")
        # Before much work is done in vain.
        self._process.versions()
        for number, lang, text, terms in zip(
            batch.numbers.tolist(), batch.langs, batch.texts, batch.terms, strict=True
        ):
            pending = self._pending.setdefault(lang, Pending())
            pending.numbers.append(number)
            pending.texts.append(terms if self._analyzer(lang) == TERMS else text)
            pending.characters += len(text)
        for lang in sorted(self._pending):
            if self._pending[lang].characters >= PENDING_CHARACTERS:
                self._hand_over(lang)

    def flush(self) -> dict[str, Any]:
        """Make everything added durable and return the state that a manifest must name to have it.

        The state is JSON: what it was for a new index, "lucene" (the version that wrote last), "languages" (the
        analyzer of each), "files" (paths relative to the folder). Raises as `add`.
        """
        state = self._state
        for lang in sorted(self._touched | set(self._pending)):
            self._hand_over(lang)
            self._ask("commit", folder=str(self._scratch / lang))
            state = self._publish(lang, state)
            reach("retrieve.lucene.flush.language")
        self._state = state
        self._touched.clear()
        return state

    def close(self) -> None:
        """Let go of everything; what was not flushed is dropped."""
        self._process.close()
        self._pending.clear()
        self._touched.clear()
        # Never named by any state, so nothing durable is lost; links go, what they point to stays.
        discard(self._scratch)

    def _analyzer(self, lang: str) -> str:
        known = self._state.get("languages", {}).get(lang)
        return str(known["analyzer"]) if known else analyzer_of(lang)

    def _hand_over(self, lang: str) -> None:
        """Give a language's pending passages to Lucene."""
        pending = self._pending.pop(lang, None)
        if pending is None:
            return
        view = self._scratch / lang
        if lang not in self._touched:
            make_view(view, self._folder, self._state, lang)
            self._touched.add(lang)
        self._ask(
            "add",
            folder=str(view),
            analyzer=self._analyzer(lang),
            vectors=bool(self._state.get("rm3")),
            numbers=pending.numbers,
            texts=pending.texts,
        )

    def _ask(self, op: str, **arguments: Any) -> None:
        try:
            self._process.ask(op, **arguments)
        except LuceneError as error:
            raise CannotWrite(f"cannot write {self._folder}: {error}. What was committed before is unharmed") from error
        except WorkerDied as error:
            raise WorkerDied(f"{error}. Run the command again: what was committed before is unharmed") from error

    def _publish(self, lang: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """Move a view's new files to where readers find them; the state with them in it."""
        view, target = self._scratch / lang, self._folder / lang
        self._files.make_folder(target)
        held = set(language_files(state, lang))
        # Lucene removes from its folder what its last commit does not need.
        names = sorted(path.name for path in view.iterdir() if path.name != LOCK)
        for name in names:
            if f"{lang}/{name}" not in held:
                self._files.sync(view / name)
                self._files.replace(view / name, target / name)
        self._files.sync_folder(target)
        discard(view)
        languages = {**state.get("languages", {}), lang: {"analyzer": self._analyzer(lang)}}
        kept = [path for path in state.get("files", ()) if path not in held]
        return {
            **state,
            "lucene": self._process.versions()["lucene"],
            "languages": dict(sorted(languages.items())),
            "files": sorted(kept + [f"{lang}/{name}" for name in names]),
        }


@dataclass(slots=True)
class Pending:
    """Passages of a language not yet handed to Lucene."""

    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    characters: int = 0


class Lucene:
    """One snapshot of a Lucene index, safe to search from several threads; writes nothing in `folder`.

    Lucene is started by the first search, all snapshots of a program ask one process, and one that dies is started
    again, once a search. Files are opened then, or at once where it runs already.
    """

    def __init__(self, folder: Path, state: Mapping[str, Any]) -> None:
        self._folder, self._state = folder, state
        self._languages: Mapping[str, Mapping[str, str]] = state.get("languages", {})
        self._rm3: Mapping[str, Any] | None = state.get("rm3")
        self._process = shared_process(interpreter(state.get("python", "")))
        self._index = secrets.token_hex(8)
        weakref.finalize(self, self._process.drop, self._index)
        if self._process.is_running and self._languages:
            # The first search starts it again where it has died since.
            with contextlib.suppress(WorkerDied):
                self._open()

    def search(
        self, query: Query, depth: int, allowed: Mask | None = None, langs: Collection[str] | None = None
    ) -> Ranking:
        """The best `depth` passages of each language, by score, then passage number.

        query: `wordings` holds the clauses to look up in each language, `analyzed` the same in our terms, for languages
        that have those; a language that neither has is not searched, nor one outside `langs`. allowed: passages that
        may be returned; they come whenever they match. The ranking's background is (0, what a passage of average
        length scores that has each of the query's terms once). Raises `MissingExtra` when Lucene cannot run here,
        `IndexDamaged`, `WorkerDied` when its process ends twice.
        """
        wanted = {
            lang: request
            for lang, known in self._languages.items()
            if (langs is None or lang in langs) and (request := self._wanted(query, lang, known["analyzer"]))
        }
        if self._rm3 and wanted:
            wanted = self._expanded(wanted, self._rm3, allowed)
        if not wanted:
            return Ranking.of([], [])
        found = self._search(wanted, depth, allowed)
        return Ranking.of(
            np.concatenate([hits.passages for hits in found.values()]),
            np.concatenate([hits.scores for hits in found.values()]),
            {lang: (0.0, hits.worth) for lang, hits in found.items()},
        )

    def support(self, query_lang: str, passage_lang: str) -> float:
        """1 for a passage in the query's language, else 0; scripts of one language (`sr`, `sr-Latn`) are the same."""
        return float(query_lang.split("-")[0] == passage_lang.split("-")[0])

    def languages(self) -> list[str]:
        """The languages that have an index, sorted."""
        return sorted(self._languages)

    def close(self) -> None:
        """Let go of the files."""
        self._process.drop(self._index)

    def _wanted(self, query: Query, lang: str, analyzer: str) -> dict[str, Any] | None:
        """What is asked of a language's index: words, in a text or as terms, and phrases; None for nothing."""
        if analyzer == TERMS:
            analyzed = [clause for clause in query.analyzed.get(lang, ()) if clause.occur != "must_not"]
            terms = Counter(term for clause in analyzed if not clause.phrase for term in clause.terms)
            phrases = [" ".join(clause.terms) for clause in analyzed if clause.phrase]
            return {"text": "", "weights": terms, "phrases": phrases} if terms or phrases else None
        clauses = [clause for clause in query.wordings.get(lang, ()) if clause.occur != "must_not"]
        text = " ".join(clause.text for clause in clauses if not clause.phrase)
        phrases = [clause.text for clause in clauses if clause.phrase]
        return {"text": text, "weights": {}, "phrases": phrases} if clauses else None

    def _expanded(
        self, wanted: Mapping[str, dict[str, Any]], rm3: Mapping[str, Any], allowed: Mask | None
    ) -> dict[str, dict[str, Any]]:
        """The query in each language with the terms of the passages that answer it best added."""
        first = self._search(wanted, rm3["docs"], allowed)
        feedback = {
            lang: {
                "tokens": [token for token, count in hits.weights.items() for _ in range(int(count))],
                "docs": hits.docs,
                "scores": hits.scores.tolist(),
                # Anserini's default, a filter that lets through what is spelt with a-z alone.
                "rm3": {**rm3, "filter": lang == "en"},
            }
            for lang, hits in first.items()
            if hits.docs and hits.weights
        }
        grown = self._ask("expand", feedback=feedback) if feedback else {}
        return {
            lang: {**request, "weights": grown[lang]} if lang in grown else request for lang, request in wanted.items()
        }

    def _search(self, wanted: Mapping[str, dict[str, Any]], depth: int, allowed: Mask | None) -> dict[str, Hits]:
        """The best `depth` allowed passages of each language in `wanted`. Fetches more until there are so many allowed
        among them, or none are left."""
        listed, share = among(allowed)
        limits = dict.fromkeys(wanted, int(depth / share) + 1)
        found: dict[str, Hits] = {}
        while limits:
            asked = {lang: wanted[lang] for lang in limits}
            reply = self._ask("search", wanted=asked, limits=limits, listed=listed)
            for lang, answer in reply.items():
                hits = Hits.of(answer, allowed, depth)
                if len(hits.passages) >= depth or answer["all"]:
                    found[lang] = hits
                    del limits[lang]
                else:
                    limits[lang] *= 4
        return {lang: found[lang] for lang in wanted}

    def _ask(self, op: str, **arguments: Any) -> Any:
        """The answer of the process, which is started again if it ended since or ends now."""
        try:
            return self._asked(op, arguments)
        except WorkerDied as error:
            log.warning("%s; it is started again", error)
        return self._asked(op, arguments)

    def _asked(self, op: str, arguments: Mapping[str, Any]) -> Any:
        try:
            reply = self._process.ask(op, index=self._index, **arguments)
            if reply is None:
                # A process that has just started.
                self._open()
                reply = self._process.ask(op, index=self._index, **arguments)
        except LuceneError as error:
            raise IndexDamaged(f"{self._folder}: {error}: run `xsearch check --repair`") from error
        return reply

    def _open(self) -> None:
        views = Path(tempfile.mkdtemp(prefix="xsearch-lucene-", dir=memory_folder()))
        try:
            for lang in self._languages:
                make_view(views / lang, self._folder, self._state, lang)
            opened = {
                lang: {"folder": str(views / lang), "analyzer": known["analyzer"]}
                for lang, known in self._languages.items()
            }
            self._process.ask("open", index=self._index, views=opened, k1=self._state["k1"], b=self._state["b"])
        except LuceneError as error:
            raise IndexDamaged(
                f"{self._folder}, written by Lucene {self._state.get('lucene')}: {error}: open the index again if it "
                "was written to since, else run `xsearch check --repair`"
            ) from error
        finally:
            # Lucene holds every file open: then the links have done their work.
            discard(views)


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What was found in one language, best first: passages, scores, Lucene's own numbers; the weights searched with and
    what a passage scores that has each term once."""

    passages: IntArray
    scores: FloatArray
    docs: list[int]
    weights: Mapping[str, float]
    worth: float

    @staticmethod
    def of(answer: Mapping[str, Any], allowed: Mask | None, depth: int) -> Hits:
        """The best `depth` allowed ones of an answer of the process."""
        passages = np.array(answer["numbers"], dtype=np.int64)
        scores = np.array(answer["scores"], dtype=np.float32)
        inside = np.arange(len(passages)) if allowed is None else np.flatnonzero(allowed[passages])
        inside = inside[:depth]
        docs = [answer["docs"][place] for place in inside]
        return Hits(passages[inside], scores[inside], docs, answer["weights"], answer["worth"])


def among(allowed: Mask | None) -> tuple[list[int] | None, float]:
    """What a mask means to Lucene: the numbers allowed where they are few, else None; and the share that is allowed of
    what a search may come upon."""
    if allowed is None:
        return None, 1.0
    count = int(np.count_nonzero(allowed))
    if count > LISTED_PASSAGES:
        return None, count / len(allowed)
    return np.flatnonzero(allowed).tolist(), 1.0


def make_view(view: Path, folder: Path, state: Mapping[str, Any], lang: str) -> None:
    """Make the folder `view`, with links to the files in `folder` that a language's index consists of."""
    view.mkdir(parents=True)
    for path in language_files(state, lang):
        link(folder.resolve() / path, view / Path(path).name)
