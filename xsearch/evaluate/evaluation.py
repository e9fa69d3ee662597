"""A run against judgments: means over topics, over all or by language and language pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from xsearch.core import Qrels, Run, Topic, UsageError
from xsearch.core.wording import counted
from xsearch.corpora.formats.answers import Answers
from xsearch.evaluate.answers import Passages, TextOf
from xsearch.evaluate.intervals import Interval, bootstrap_intervals
from xsearch.evaluate.matching import UNKNOWN, LanguageOf, Unit, language_lookup, units_of
from xsearch.evaluate.measures import Measure, Values, parse_measures, score, score_languages

_Row = TypeVar("_Row")

By = Literal["pair", "query_lang", "doc_lang"]
Means = dict[str, float]
"""Measure name → mean over topics."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a run scored.

    measures: means over all topics. by: by breakdown ("pair", "query_lang", "doc_lang") and group ("de-fa", "de").
    per_topic: by the run's topic id. topics: how many the means are over; group_topics: the same by group. intervals
    and by_intervals: (low, high) like `measures` and `by`, empty unless a confidence was asked for. notes: what the
    reader of the figures should know (topics without results, topics without judgments).
    """

    measures: Means
    by: dict[str, dict[str, Means]]
    per_topic: Values
    topics: int
    group_topics: dict[str, dict[str, int]] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    by_intervals: dict[str, dict[str, dict[str, Interval]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def macro(self) -> dict[str, Means]:
        """By breakdown, the mean over its groups, each weighing alike; a measure that some group lacks is left out."""
        found = {}
        for by, groups in self.by.items():
            names = [name for name in self.measures if groups and all(name in values for values in groups.values())]
            found[by] = {name: sum(values[name] for values in groups.values()) / len(groups) for name in names}
        return found

    def to_json(self, per_topic: bool = False) -> dict[str, Any]:
        """``{"measures": {"nDCG@10": .5}, "by": {"pair": {"de-fa": {"nDCG@10": .5}}}, "topics": 50}``, with "macro",
        "intervals" and "per_topic" where there are any or they are asked for."""
        form: dict[str, Any] = {"measures": self.measures, "by": self.by, "topics": self.topics}
        if self.by:
            form["macro"] = self.macro
        if self.intervals:
            form["intervals"] = {"measures": self.intervals, "by": self.by_intervals}
        if per_topic:
            form["per_topic"] = self.per_topic
        if self.notes:
            form["notes"] = list(self.notes)
        return form


@dataclass(frozen=True, slots=True)
class Confidence:
    """How intervals are made: `level` in (0, 1), bootstrap `samples`, `seed`; `groups` wants them for every group of a
    breakdown too."""

    level: float = 0.95
    samples: int = 2000
    seed: int = 0
    groups: bool = False


def evaluate(
    run: Run,
    qrels: Qrels | None,
    measures: Iterable[str],
    *,
    by: By | Sequence[By] | None = None,
    doc_langs: Mapping[str, str] | Callable[[str], str | None] | None = None,
    query_lang: str | None = None,
    topics: Sequence[Topic] | None = None,
    confidence: Confidence | None = None,
    answers: Answers | None = None,
    texts: TextOf | None = None,
) -> Evaluation:
    """Score `run` by `qrels`, or by the answers that its documents hold.

    The mean is over the topics of the qrels; one without results scores 0 (trec_eval's ``-c``), one of the run that
    the qrels do not know is noted and left out. Run topics written ``id@lang`` are the wordings of one topic, each
    counted. Which wordings were asked, and in which languages, is known from `topics`; without it a wording that got
    no result at all is missed, unless its topic got none in any language.

    by: "query_lang" groups by the language of the query; "doc_lang" keeps, of run and qrels, the documents of one
    language at a time; "pair" does both, so that each pair a-b is scored in its own pool, documents in b, and cut-offs
    count within it. Topics with nothing relevant in that pool cannot score there and are left out of its mean.
    doc_langs: a document's language (from the index); where it says nothing, the ending of the id (``x.de``).
    query_lang: the language of topics that do not name theirs. answers, texts: what R@2kt, R@5kt and Answer@k look
    for, and the documents' texts; without `qrels` the mean is over the topics that have answers.

    Raises `UsageError` for unknown measures or breakdowns, for measures of judgments without `qrels` or of answers
    without answers and texts, and where no topic is judged; `MissingExtra` without ir_measures.
    """
    parsed = parse_measures(measures)
    breakdowns = [by] if isinstance(by, str) else list(by or [])
    for name in breakdowns:
        if name not in get_args(By):
            raise UsageError(f"unknown breakdown '{name}': known are {', '.join(get_args(By))}")
    judged = _judged(parsed, qrels, answers, texts)
    looked_up = None if answers is None or texts is None else (answers, Passages(texts))
    pool = _Pool(run, judged, parsed, language_lookup(doc_langs), query_lang, topics, looked_up)
    per_topic = pool.score_all()
    groups = {name: dict(pool.groups(name, per_topic)) for name in breakdowns}
    return _summary(pool, per_topic, groups, confidence)


_Scores = dict[str, tuple[str, Means]]
"""By unit id: the topic it words (what the bootstrap draws), and its values."""


def _judged(
    measures: Sequence[Measure], qrels: Qrels | None, answers: Answers | None, texts: TextOf | None
) -> dict[str, dict[str, int]]:
    """Grades by topic, none for the topics that only have answers; raises where a measure lacks what it needs."""
    if (answers is None or texts is None) and (names := [m.name for m in measures if m.needs_answers]):
        raise UsageError(f"{', '.join(names)}: the answers to the topics and the texts of the documents are needed")
    if qrels is not None:
        return qrels.topics()
    if names := [m.name for m in measures if m.needs_judgments]:
        raise UsageError(f"{', '.join(names)}: judgments (qrels) are needed")
    if answers is None:
        raise UsageError("there is nothing to score by: give judgments or answers")
    return {topic: {} for topic in answers}


class _Pool:
    """A run matched to what it is judged by: grades by topic, and answers with the passages to look for them in."""

    def __init__(
        self,
        run: Run,
        judged: Mapping[str, Mapping[str, int]],
        measures: Sequence[Measure],
        language: LanguageOf,
        query_lang: str | None,
        topics: Sequence[Topic] | None,
        answers: tuple[Answers, Passages] | None,
    ) -> None:
        self.measures = measures
        self.language = language
        self.judged = judged
        self.answers = answers
        self.units, self.unjudged = units_of(run, judged, query_lang, _spoken(topics or ()))
        if not self.units and len(run):
            kind = "qrels" if any(judged.values()) else "answers"
            raise UsageError(
                f"none of the run's topics is in the {kind}: the run has '{run.rows[0].topic}', "
                f"the {kind} have '{next(iter(judged), '')}'"
            )
        self.missing = _missing(self.units, self.judged, topics, query_lang)
        self.units += self.missing
        if not self.units:
            raise UsageError("there is nothing to score: neither the run nor the topics have a judged topic")
        wanted = {unit.id for unit in self.units}
        self.rankings: dict[str, list[str]] = {unit.id: [] for unit in self.units}
        for row in run:
            if row.topic in wanted:
                self.rankings[row.topic].append(row.document)

    def score_all(self) -> _Scores:
        """Every unit in the whole pool."""
        values = score(self.rankings, {u.id: self.judged[u.topic] for u in self.units}, self.measures)
        for measure in self.measures:
            if measure.metric is None:
                for unit in self.units:
                    values[unit.id][measure.name] = self._own(measure, unit)
        return {
            unit.id: (unit.topic, {measure.name: values[unit.id][measure.name] for measure in self.measures})
            for unit in self.units
        }

    def _own(self, measure: Measure, unit: Unit) -> float:
        """A unit's value of a measure that ir_measures lacks."""
        ranking = self.rankings[unit.id]
        if measure.needs_answers and self.answers:
            answers, passages = self.answers
            return passages.score(measure.own, measure.cutoff, ranking, answers.get(unit.topic, ()))
        return score_languages(measure, ranking, self.judged[unit.topic], self.language, unit.lang)

    def groups(self, by: By, whole: _Scores) -> Iterator[tuple[str, _Scores]]:
        """(group, scores of its units) of a breakdown, groups in alphabetical order."""
        spoken = sorted({unit.lang for unit in self.units})
        if by == "query_lang":
            for lang in spoken:
                yield lang, {unit.id: whole[unit.id] for unit in self.units if unit.lang == lang}
            return
        merged: dict[str, _Scores] = {}
        for lang in spoken:
            for written, scores in self._by_document_language([u for u in self.units if u.lang == lang]):
                key = f"{lang}-{written}" if by == "pair" else written
                merged.setdefault(key, {}).update(scores)
        yield from sorted(merged.items())

    def _by_document_language(self, units: Sequence[Unit]) -> Iterator[tuple[str, _Scores]]:
        """Scores of `units` in the pool of each language that has a relevant document of theirs."""
        judged = {
            unit.topic: _split(self.judged[unit.topic].items(), lambda row: self.language(row[0])) for unit in units
        }
        judgments: dict[str, Mapping[str, int]] = {}
        rankings: dict[str, list[str]] = {}
        places: dict[str, tuple[str, Unit]] = {}
        for unit in units:
            ranked = _split(self.rankings[unit.id], self.language)
            for lang, rows in judged[unit.topic].items():
                if any(grade > 0 for _, grade in rows):
                    key = str(len(places))
                    places[key] = (lang, unit)
                    judgments[key] = dict(rows)
                    rankings[key] = ranked.get(lang, [])
        found: dict[str, _Scores] = {}
        for key, values in score(rankings, judgments, self.measures).items():
            lang, unit = places[key]
            found.setdefault(lang, {})[unit.id] = (unit.topic, values)
        yield from found.items()


def _split(rows: Iterable[_Row], language: Callable[[_Row], str]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(language(row), []).append(row)
    return found


def _spoken(topics: Sequence[Topic]) -> dict[str, str]:
    """The language of each topic that comes in one language only."""
    langs: dict[str, set[str]] = {}
    for topic in topics:
        if topic.lang:
            langs.setdefault(topic.id, set()).add(topic.lang)
    return {topic: next(iter(found)) for topic, found in langs.items() if len(found) == 1}


def _missing(
    units: Sequence[Unit], judged: Mapping[str, Any], topics: Sequence[Topic] | None, query_lang: str | None
) -> list[Unit]:
    """Units the run should have answered and did not."""
    answered = {unit.id for unit in units}
    if topics is None:
        seen = {unit.topic for unit in units}
        return [Unit(topic, topic, query_lang or UNKNOWN) for topic in judged if topic not in seen]
    several = any(unit.id != unit.topic for unit in units) or (
        not units and len({topic.id for topic in topics}) < len(topics)
    )
    missing = []
    for topic in topics:
        name = f"{topic.id}@{topic.lang or UNKNOWN}" if several else topic.id
        if topic.id in judged and name not in answered:
            missing.append(Unit(name, topic.id, topic.lang or query_lang or UNKNOWN))
    return missing


def _means(scores: _Scores) -> Means:
    names = next(iter(scores.values()))[1]
    return {name: sum(values[name] for _, values in scores.values()) / len(scores) for name in names}


def _interval(scores: _Scores, confidence: Confidence) -> dict[str, Interval]:
    owners = [topic for topic, _ in scores.values()]
    names = next(iter(scores.values()))[1]
    table = {name: [values[name] for _, values in scores.values()] for name in names}
    return bootstrap_intervals(
        table, owners, confidence=confidence.level, samples=confidence.samples, seed=confidence.seed
    )


def _summary(
    pool: _Pool, scores: _Scores, groups: dict[By, dict[str, _Scores]], confidence: Confidence | None
) -> Evaluation:
    return Evaluation(
        measures=_means(scores),
        by={name: {group: _means(rows) for group, rows in found.items()} for name, found in groups.items()},
        per_topic={name: values for name, (_, values) in scores.items()},
        topics=len(scores),
        group_topics={name: {group: len(rows) for group, rows in found.items()} for name, found in groups.items()},
        intervals=_interval(scores, confidence) if confidence else {},
        by_intervals={
            name: {group: _interval(rows, confidence) for group, rows in found.items()}
            for name, found in groups.items()
        }
        if confidence and confidence.groups
        else {},
        notes=tuple(_notes(pool)),
    )


def _notes(pool: _Pool) -> Iterator[str]:
    if pool.missing:
        topics = counted(len(pool.units), "topic")
        yield f"no results for {len(pool.missing)} of {topics}, scored 0: {_some(pool.missing)}"
    if pool.unjudged:
        names = ", ".join(pool.unjudged[:5]) + (", …" if len(pool.unjudged) > 5 else "")
        yield f"no judgments for {counted(len(pool.unjudged), 'topic')} of the run, left out: {names}"

    unanswered = [unit for unit in pool.units if pool.answers and unit.topic not in pool.answers[0]]
    if unanswered and any(measure.needs_answers for measure in pool.measures):
        yield f"no answers to look for in {counted(len(unanswered), 'topic')}, scored 0 there: {_some(unanswered)}"


def _some(units: Sequence[Unit]) -> str:
    return ", ".join(unit.id for unit in units[:5]) + (", …" if len(units) > 5 else "")
