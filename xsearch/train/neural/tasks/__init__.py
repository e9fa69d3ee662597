"""Objectives as a recipe names them: their settings, what they read, and which function of `objectives/` they are."""

from xsearch.train.neural.tasks.alignment import (
    Comparable,
    Continuous,
    DualAlignment,
    OneToK,
    QueueContrast,
    TranslationRanking,
    Transliteration,
    WordAlignment,
)
from xsearch.train.neural.tasks.language import HiddenStates, MaskedWords, TranslatedWords
from xsearch.train.neural.tasks.retrieval import Contrastive, Distillation

AnyTask = (
    Comparable
    | Continuous
    | Contrastive
    | Distillation
    | DualAlignment
    | HiddenStates
    | MaskedWords
    | OneToK
    | QueueContrast
    | TranslatedWords
    | TranslationRanking
    | Transliteration
    | WordAlignment
)

__all__ = [
    "AnyTask",
    "Comparable",
    "Continuous",
    "Contrastive",
    "Distillation",
    "DualAlignment",
    "HiddenStates",
    "MaskedWords",
    "OneToK",
    "QueueContrast",
    "TranslatedWords",
    "TranslationRanking",
    "Transliteration",
    "WordAlignment",
]
