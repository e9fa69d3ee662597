"""Run + Qrels → measures, by topic, language and pair; significance, fairness, suites, judging."""

from xsearch.evaluate.baseline import Regression, read_baseline, regressions, row_regressions
from xsearch.evaluate.bias import BiasReport, bias
from xsearch.evaluate.compare import Comparison, Move, compare, compare_values, holm
from xsearch.evaluate.evaluation import By, Confidence, Evaluation, evaluate
from xsearch.evaluate.intervals import Interval, bootstrap_interval
from xsearch.evaluate.judging import judge, pool, shuffled, unjudged
from xsearch.evaluate.matching import language_of_id
from xsearch.evaluate.measures import Measure, parse_measures
from xsearch.evaluate.subsets import condensed_run, fuse_runs, subset_qrels, subset_run, subset_topics

__all__ = [
    "BiasReport",
    "By",
    "Comparison",
    "Confidence",
    "Evaluation",
    "Interval",
    "Measure",
    "Move",
    "Regression",
    "bias",
    "bootstrap_interval",
    "compare",
    "compare_values",
    "condensed_run",
    "evaluate",
    "fuse_runs",
    "holm",
    "judge",
    "language_of_id",
    "parse_measures",
    "pool",
    "read_baseline",
    "regressions",
    "row_regressions",
    "shuffled",
    "subset_qrels",
    "subset_run",
    "subset_topics",
    "unjudged",
]
