"""Pairs to train on from a collection's own documents, within one language and across languages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from xsearch import lang as languages
from xsearch.core import BadInput
from xsearch.engine import Index, SearchOptions
from xsearch.engine.rerank import NONE
from xsearch.engine.search import search
from xsearch.storage import StoredDocument
from xsearch.train.mining.answers import aligned_pairs
from xsearch.train.mining.comparable import (
    Comparable,
    check_languages,
    linked,
    main_language,
    merged,
    mutual,
    nearest_abroad,
    plain,
)
from xsearch.train.mining.journal import Journal
from xsearch.train.mining.pair import ABROAD, ORIGINS, Origin, TrainingPair
from xsearch.train.mining.within import beginning, pairs_within
from xsearch.train.rows import normalised, read_excluded

UNIT = 32
"""Documents, or pairs of documents, after which what was made is on disk."""


@dataclass(frozen=True, slots=True)
class MiningOptions:
    """origins: of the pairs wanted, all where None. least: the score that comparable documents have at least
    (`comparable.mutual`). found: a pair is kept when its query, asked of the index, brings the positive's document
    among so many first in its language; 0 asks nothing. link: a field of the metadata that two documents on one thing
    share. exclude: files whose texts must not be among the pairs."""

    origins: tuple[Origin, ...] | None = None
    least: float = 0.22
    found: int = 10
    link: str = ""
    exclude: tuple[Path, ...] = ()


@dataclass(slots=True)
class MiningReport:
    """pairs: written, by origin. comparable: pairs of documents. dropped: pairs that their queries do not find, that
    are there already, or that hold an excluded text; excluded: documents left out for theirs."""

    pairs: Counter[str] = field(default_factory=Counter)
    comparable: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    excluded: int = 0
    notes: list[str] = field(default_factory=list)


Progress = Callable[[str, int, int], None]


def mine_pairs(
    index: Index,
    output: Path,
    options: MiningOptions | None = None,
    on_progress: Progress = lambda stage, done, total: None,
) -> MiningReport:
    """Write pairs as JSON lines (`pair.TrainingPair`) to `output`; the same index and options give the same file.

    What is done stays in ``<output>.part``: begun again, a run goes on. on_progress: called with the stage, how many
    documents (then pairs of documents) are done, and of how many. Raises `BadInput` where there are no documents or
    all are excluded, `UsageError` when nothing but pairs across languages is wanted of documents in one.
    """
    return _Mining(index, options or MiningOptions(), on_progress).run(output)


class _Mining:
    def __init__(self, index: Index, options: MiningOptions, on_progress: Progress) -> None:
        self.snapshot = index.snapshot
        self.options, self.on_progress = options, on_progress
        self._excluded = read_excluded(options.exclude)
        self.origins = frozenset(options.origins or ORIGINS)
        self.report = MiningReport()
        self.langs: dict[int, str] = {}
        self.links: dict[str, list[int]] = defaultdict(list)

    def run(self, output: Path) -> MiningReport:
        if not self.snapshot.manifest.documents:
            raise BadInput("no documents to mine: index some first", str(self.snapshot.folder))
        abroad = self._abroad()
        settings = {**asdict(self.options), "exclude": [str(path) for path in self.options.exclude]}
        manifest = self.snapshot.manifest
        made = {"commit": manifest.commit, "updated": manifest.updated, "index": str(self.snapshot.folder.resolve())}
        with Journal(output, {"index": made, "options": settings}) as journal:
            found = self._within(journal)
            if abroad:
                found += self._across(journal)
            pairs = list(self._distinct(found))
            if not self.langs:
                raise BadInput(
                    f"all {self.report.excluded} documents hold text that `--exclude` names: evaluation text is not "
                    "to be trained on",
                    str(self.snapshot.folder),
                )
            journal.finish(pairs)
        self.report.pairs.update(pair.origin for pair in pairs)
        return self.report

    def _abroad(self) -> bool:
        """Whether pairs across languages are wanted and possible."""
        wanted = self.origins & ABROAD
        spoken = [group for group in self.snapshot.groups if group != "und"]
        if wanted and not self.origins - ABROAD:
            check_languages(spoken, wanted)
        if wanted and len(spoken) < 2:
            self.report.notes.append(
                f"all documents are in one language ({', '.join(spoken) or 'unknown'}): no pairs across languages"
            )
        return bool(wanted) and len(spoken) > 1

    def _documents(self) -> Iterator[StoredDocument]:
        """The documents that may be learnt from; on the way, what all stages must know of each."""
        self.langs.clear()
        self.links.clear()
        self.report.excluded = 0
        for document in self.snapshot.store.documents():
            if self._is_excluded(document):
                self.report.excluded += 1
                continue
            if document.spans:
                self.langs[document.number] = main_language(document)
                if link := document.metadata.get(self.options.link):
                    self.links[str(link)].append(document.number)
                yield document

    def _within(self, journal: Journal) -> list[TrainingPair]:
        total, done = self.snapshot.manifest.documents, 0
        found: list[TrainingPair] = []
        for number, batch in enumerate(_batches(self._documents(), UNIT)):
            records = journal.unit(f"within {number}", partial(self._own, batch))
            found += self._taken(records)
            done += len(batch)
            self.on_progress("within documents", done, total)
        return found

    def _own(self, batch: Iterable[StoredDocument]) -> Iterator[dict[str, Any]]:
        return self._checked(pair for document in batch for pair in pairs_within(document, self.origins))

    def _across(self, journal: Journal) -> list[TrainingPair]:
        found: list[TrainingPair] = []
        pairs = self._comparable(journal)
        self.report.comparable = len(pairs)
        for start in range(0, len(pairs), UNIT):
            batch = pairs[start : start + UNIT]
            records = journal.unit(f"across {start}", partial(self._translated, batch))
            found += self._taken(records)
            self.on_progress("across languages", start + len(batch), len(pairs))
        return found

    def _comparable(self, journal: Journal) -> list[Comparable]:
        near: dict[int, dict[str, list[tuple[int, float]]]] = {}
        done = 0
        for number, batch in enumerate(_batches(self._documents(), UNIT)):
            made = journal.unit(f"near {number}", partial(self._near, batch))
            near |= {one["of"]: {lang: list(map(tuple, rows)) for lang, rows in one["near"].items()} for one in made}
            done += len(batch)
            self.on_progress("comparable documents", done, len(self.langs))
        same = linked(self.links, self.langs) if self.options.link else []
        return list(merged(same, mutual(self.langs, near, self.options.least)))

    def _near(self, batch: Iterable[StoredDocument]) -> Iterator[dict[str, Any]]:
        for document in batch:
            yield {"of": document.number, "near": nearest_abroad(self.snapshot, document)}

    def _translated(self, batch: Iterable[Comparable]) -> Iterator[dict[str, Any]]:
        return self._checked(made for pair in batch for made in self._pairs_of(pair))

    def _pairs_of(self, pair: Comparable) -> Iterator[TrainingPair]:
        left, right = self._document(pair.left), self._document(pair.right)
        if "comparable" in self.origins:
            yield from (_beginnings(*sides, pair.score) for sides in ((left, right), (right, left)))
        if "aligned" in self.origins and self.snapshot.tables is not None:
            yield from aligned_pairs(self.snapshot.tables, self.snapshot.pieces, left, right)

    def _document(self, number: int) -> StoredDocument:
        (id,) = self.snapshot.store.ids([number])
        document = self.snapshot.store.document(id)
        if document is None:
            raise BadInput(f"document '{id}' is gone from the index", str(self.snapshot.folder))
        return document

    def _checked(self, pairs: Iterable[TrainingPair]) -> Iterator[dict[str, Any]]:
        """The pairs that may stay, as JSON objects, and how many may not, by why."""
        dropped: Counter[str] = Counter()
        for pair in pairs:
            if self._excluded and _hashes(pair.query, pair.positive) & self._excluded:
                dropped["excluded"] += 1
            elif not self.options.found:
                yield {"pair": msgspec.to_builtins(pair)}
            elif rank := self._rank(pair):
                yield {"pair": msgspec.to_builtins(msgspec.structs.replace(pair, rank=rank))}
            else:
                dropped["not found by their query"] += 1
        if dropped:
            yield {"dropped": dict(dropped)}

    def _taken(self, records: Iterable[dict[str, Any]]) -> Iterator[TrainingPair]:
        for record in records:
            if "pair" in record:
                yield msgspec.convert(record["pair"], TrainingPair)
            else:
                self.report.dropped.update(record["dropped"])

    def _rank(self, pair: TrainingPair) -> int:
        """Where the query finds the positive's document among those of its language, 0 for not early enough. As for
        questions that a model has written (Alberti et al. 2019, "Synthetic QA Corpora Generation with Roundtrip
        Consistency"): what its own passage does not answer is noise."""
        options = SearchOptions(
            k=self.options.found + (pair.query_lang == pair.positive_lang and pair.query_id != pair.positive_id),
            lang=_known(pair.query_lang),
            to=None if pair.positive_lang == "und" else [languages.base_language(pair.positive_lang)],
            rerank=NONE,
        )
        found = search(self.snapshot, plain(pair.query), options)
        ids = self.snapshot.store.ids(found.documents)
        return ids.index(pair.positive_id) + 1 if pair.positive_id in ids else 0

    def _distinct(self, pairs: Iterable[TrainingPair]) -> Iterator[TrainingPair]:
        seen: set[tuple[str, str]] = set()
        for pair in pairs:
            key = pair.query, pair.positive
            if key in seen:
                self.report.dropped["there already"] += 1
                continue
            seen.add(key)
            yield pair

    def _is_excluded(self, document: StoredDocument) -> bool:
        return bool(self._excluded) and not self._excluded.isdisjoint(_hashes(document.title or "", document.text))


def _hashes(*texts: str) -> set[int]:
    """Of whole texts and their lines, as `train.rows.read_excluded` has them."""
    return {hash(normalised(line)) for text in texts for line in (text, *text.split("\n"))} - {hash("")}


def _beginnings(left: StoredDocument, right: StoredDocument, score: float) -> TrainingPair:
    """The first sentences of one document, title before, as a query for those of the other."""
    langs = main_language(left), main_language(right)
    texts = [f"{one.title}\n{one.text}" if one.title else one.text for one in (left, right)]
    query, positive = (beginning(text, lang) for text, lang in zip(texts, langs, strict=True))
    return TrainingPair(query, langs[0], positive, langs[1], "comparable", score, left.id, right.id)


def _known(lang: str) -> str | None:
    return None if lang == "und" else lang


def _batches(documents: Iterable[StoredDocument], size: int) -> Iterator[list[StoredDocument]]:
    iterator = iter(documents)
    while batch := list(islice(iterator, size)):
        yield batch
