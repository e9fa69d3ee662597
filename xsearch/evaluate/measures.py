"""Measures of a ranking against judgments: trec_eval's through ir_measures, two of languages, two of answers.

Names are ir_measures' own (``nDCG@10``, ``AP``, ``R@100``, ``RR``, ``Judged@10``, ``AP(rel=2)@100``; MacAvaney,
Macdonald and Ounis, ECIR 2022). Rankings come in the run's order and are handed on with strictly falling scores, so
every measure, whoever computes it, sees trec_eval's rule for ties.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from subprocess import SubprocessError
from typing import Any

from xsearch.core import UsageError
from xsearch.core.extras import need
from xsearch.evaluate.answers import ANSWER_MEASURES
from xsearch.evaluate.fairness import peer

Rankings = Mapping[str, Sequence[str]]
"""Document ids by topic, best first."""
Judgments = Mapping[str, Mapping[str, int]]
"""Grades by topic and document."""
Values = dict[str, dict[str, float]]
"""By topic, then by measure name."""

_NAME = re.compile(r"(?P<base>[^\W\d]\w*)(?:\((?P<args>.*)\))?(?:@(?P<cutoff>[0-9]+))?")
_KILOTOKENS = re.compile(r"R@([0-9]+)kt")
OWN = {"share_same": 10, "PEER": 20, "Answer": 100}
"""Measures that ir_measures lacks, with the cut-off they have where none is given: the share of the results that are
in the query's language, `fairness.peer`, `answers.answer_at`. R@2kt, R@5kt and so on are `answers.token_recall`."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure under the name it was asked for. `metric` is ir_measures' object, or None for one of `OWN` (and
    "R@kt", whose `cutoff` counts tokens)."""

    name: str
    metric: Any
    own: str = ""
    cutoff: int = 0

    @property
    def needs_answers(self) -> bool:
        """Whether it looks for answers in texts, and not at judgments."""
        return self.own in ANSWER_MEASURES

    @property
    def needs_judgments(self) -> bool:
        """Whether it means nothing without judgments."""
        return self.metric is not None or self.own == "PEER"


def parse_measures(names: Iterable[str]) -> list[Measure]:
    """The measures of `names`, each once. Raises `UsageError` that lists all the names nobody knows, and
    `MissingExtra` without the ``eval`` extra."""
    registry = need("ir_measures", "eval", "evaluation").measures.registry
    found: dict[str, Measure] = {}
    bad = []
    for name in names:
        try:
            found.setdefault(name.strip(), _parse(name.strip(), registry))
        except ValueError as error:
            bad.append(f"'{name}' ({error})")
    if bad:
        raise UsageError(f"unknown measures: {', '.join(bad)}; measures are written like nDCG@10, AP, R@100, RR, P@10")
    if not found:
        raise UsageError("no measure was asked for; measures are written like nDCG@10, AP, R@100, RR, P@10")
    return list(found.values())


def _parse(name: str, registry: Mapping[str, Any]) -> Measure:
    if kilotokens := _KILOTOKENS.fullmatch(name):
        if not int(kilotokens[1]):
            raise ValueError("a cut-off counts from 1")
        return Measure(name, None, "R@kt", 1000 * int(kilotokens[1]))
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("expected Name, Name@cutoff or Name(key=value)@cutoff")
    base, cutoff = match["base"], int(match["cutoff"]) if match["cutoff"] else None
    if cutoff == 0:
        raise ValueError("a cut-off counts from 1")
    if base in OWN and match["args"] is None:
        return Measure(name, None, base, cutoff or OWN[base])
    metric = registry.get(base)
    if metric is None:
        # Of spellings that differ in case alone (nDCG, NDCG) the measure's own is offered: it comes last.
        known = {key.lower(): key for key in sorted(registry, key=lambda key: key == registry[key].NAME)}
        known |= {own.lower(): own for own in OWN}
        near = difflib.get_close_matches(base.lower(), known, n=1)
        raise ValueError(f"did you mean {known[near[0]]}?" if near else "no such measure")
    parameters = _parameters(match["args"])
    if cutoff is not None:
        parameters[metric.AT_PARAM] = cutoff
    try:
        metric = metric(**parameters) if parameters else metric
        metric.validate_params()
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{error}" or "parameters it does not take") from error
    return Measure(name, metric)


def _parameters(written: str | None) -> dict[str, Any]:
    """``rel=2, dcg='exp-log2'`` as a mapping of literals."""
    try:
        call = ast.parse(f"f({written or ''})", mode="eval").body
    except SyntaxError as error:
        raise ValueError("parameters are written key=value") from error
    if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
        raise ValueError("parameters are written key=value")
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}


def score(rankings: Rankings, judgments: Judgments, measures: Sequence[Measure]) -> Values:
    """Every measure of every topic of `judgments`; a topic without a ranking scores 0 (trec_eval's ``-c``).

    Topics of `rankings` without judgments are not scored. Those without a `metric` are left to others.
    Negative grades count as trec_eval has them: not relevant, and unjudged for Bpref; Judged counts them as judged.
    Raises `UsageError` for a measure that nothing installed can compute.
    """
    module = need("ir_measures", "eval", "evaluation")
    wanted = [measure for measure in measures if measure.metric is not None]
    values: Values = {topic: {measure.name: 0.0 for measure in wanted} for topic in judgments}
    run = {
        topic: {document: float(len(ranking) - i) for i, document in enumerate(ranking)}
        for topic, ranking in rankings.items()
        if ranking and topic in judgments
    }
    treceval = [measure for measure in wanted if module.pytrec_eval.supports(measure.metric)]
    others = [measure for measure in wanted if measure not in treceval]
    # pytrec_eval crashes the process on a topic that has negative grades only, and others refuse them.
    known = {topic: {d: grade for d, grade in judgments[topic].items() if grade >= 0} for topic in run}
    clipped = {topic: {d: max(grade, 0) for d, grade in judgments[topic].items()} for topic in run}
    _fill(values, module, treceval, {topic: grades for topic, grades in known.items() if grades}, run)
    if others:
        _fill_numbered(values, module, others, clipped, run)
    return values


def _fill(
    values: Values,
    module: Any,
    measures: Sequence[Measure],
    judged: Mapping[str, dict[str, int]],
    run: Mapping[str, dict[str, float]],
) -> None:
    if not measures or not judged:
        return
    names: dict[Any, list[str]] = {}
    for measure in measures:
        names.setdefault(measure.metric, []).append(measure.name)
    try:
        results = list(module.iter_calc(list(names), judged, run))
    except (RuntimeError, ValueError, ImportError, OSError, SubprocessError) as error:
        raise UsageError(f"{', '.join(m.name for m in measures)}: cannot be computed here: {error}") from error
    for result in results:
        for name in names[result.measure]:
            values[result.query_id][name] = float(result.value)


def _fill_numbered(
    values: Values,
    module: Any,
    measures: Sequence[Measure],
    judged: Mapping[str, dict[str, int]],
    run: Mapping[str, dict[str, float]],
) -> None:
    """As `_fill`, with topics and documents under numbers: some programs write them to files that hold no blanks, and
    gdeval knows topics by number only."""
    topics = {topic: str(number) for number, topic in enumerate(judged, start=1)}
    names = dict.fromkeys([d for topic in judged for d in (*judged[topic], *run[topic])])
    documents = {name: str(number) for number, name in enumerate(names)}
    numbered: Values = {topics[topic]: values[topic] for topic in judged}
    grades = {topics[topic]: {documents[d]: grade for d, grade in docs.items()} for topic, docs in judged.items()}
    scores = {topics[topic]: {documents[d]: score for d, score in run[topic].items()} for topic in judged}
    _fill(numbered, module, measures, grades, scores)


def score_languages(
    measure: Measure,
    ranking: Sequence[str],
    grades: Mapping[str, int],
    language: Callable[[str], str],
    query_lang: str,
) -> float:
    """PEER or share_same for one topic; `language` gives a document's language."""
    if measure.own == "PEER":
        languages = {document: language(document) for document in (*ranking[: measure.cutoff], *grades)}
        return peer(ranking, grades, languages, cutoff=measure.cutoff)
    return share_of_language([language(document) for document in ranking], query_lang, measure.cutoff)


def share_of_language(languages: Sequence[str], query_lang: str, cutoff: int) -> float:
    """The share of the first `cutoff` results that are in the query's language, 0..1 (0 without results).

    Half of a pool in that language and no preference gives .5; the measure is about preference, not relevance.
    """
    top = languages[:cutoff]
    return sum(lang == query_lang for lang in top) / len(top) if top else 0.0
