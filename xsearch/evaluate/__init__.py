"""Run + Qrels → measures, by topic, language and pair."""

from xsearch.evaluate.baseline import Regression, read_baseline, regressions
from xsearch.evaluate.compare import Comparison, Move, compare, compare_values, holm
from xsearch.evaluate.evaluation import By, Confidence, Evaluation, evaluate
from xsearch.evaluate.intervals import Interval, bootstrap_interval
from xsearch.evaluate.matching import language_of_id
from xsearch.evaluate.measures import Measure, parse_measures

__all__ = [
    "By",
    "Comparison",
    "Confidence",
    "Evaluation",
    "Interval",
    "Measure",
    "Move",
    "Regression",
    "bootstrap_interval",
    "compare",
    "compare_values",
    "evaluate",
    "holm",
    "language_of_id",
    "parse_measures",
    "read_baseline",
    "regressions",
]
