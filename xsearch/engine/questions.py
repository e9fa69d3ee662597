"""What the parts of an index make of the questions generated from passages.

Words (doc2query: Nogueira et al. 2019, arXiv 1904.08375): a passage's questions in a language are a row of that
language's own BM25 index (`retrieve.generated`). Vectors (Zhuang et al. 2023, "Augmenting Passage Representations with
Query Generation for Enhanced Cross-Lingual Dense Retrieval", arXiv 2305.03950, equation 2): beside a passage's own
vector v_p stand those of its questions q, with weights w_q,

    v = (1 − α) v_p + α Σ_q w_q v_q

where α is that of the pair of languages (l, of the questions, and p's), and 1 − α is taken with their mean over the
questions: the paper's formula where all are equal. Here v is then brought to length 1, as everything in the dense part.
Windows: each question's vector is one more window of its passage, whose score is that of the best of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from xsearch import lang as languages
from xsearch.core import FloatArray, IntArray, QuestionTerms, Windows
from xsearch.encode import Encoder
from xsearch.engine.encoder import Encoded
from xsearch.engine.recipe import AugmentSettings
from xsearch.storage import Question


def question_terms(questions: Sequence[Question]) -> QuestionTerms:
    """The terms of passages' questions, a row a passage and language. questions: by ascending passage."""
    owners, langs, terms = [], [], []
    ordered = sorted(questions, key=lambda question: (question.passage, languages.base_language(question.lang)))
    for (passage, lang), own in groupby(ordered, lambda q: (q.passage, languages.base_language(q.lang))):
        owners.append(passage)
        langs.append(lang)
        terms.append(" ".join(question.text for question in own))
    analyzed = [""] * len(terms)
    for lang in sorted(set(langs)):
        rows = [row for row, own in enumerate(langs) if own == lang]
        for row, found in zip(rows, languages.analyzer(lang).joined_terms([terms[row] for row in rows]), strict=True):
            analyzed[row] = found
    return QuestionTerms(np.array(owners, dtype=np.int64), langs, analyzed)


@dataclass(frozen=True, slots=True, eq=False)
class QuestionBatch:
    """Questions of a batch's passages, by ascending passage; the passages' numbers, int64 (n,), and languages."""

    questions: Sequence[Question]
    numbers: IntArray
    langs: Sequence[str]


def with_questions(
    encoded: Encoded, encoder: Encoder | None, settings: AugmentSettings, batch: QuestionBatch
) -> Encoded:
    """What encoders made of a batch, its windows augmented by questions as `settings.use` says. encoder: of the
    windows, None without any."""
    windows, questions = encoded.windows, batch.questions
    if windows is None or encoder is None or not {"vectors", "windows"} & set(settings.use):
        return encoded
    rows = np.searchsorted(batch.numbers, [question.passage for question in questions])
    langs = [languages.base_language(question.lang) for question in questions]
    vectors = encoder.encode_queries([question.text for question in questions], langs)
    if "vectors" in settings.use:
        spoken = [batch.langs[row] for row in rows.tolist()]
        alphas = np.array([settings.alpha_of(*pair) for pair in zip(langs, spoken, strict=True)], dtype=np.float32)
        weights = np.array([question.weight for question in questions], dtype=np.float32)
        windows = mixed(windows, rows, vectors, alphas, weights)
    if "windows" in settings.use:
        owners = np.concatenate([windows.owners, rows])
        order = np.argsort(owners, kind="stable")
        windows = Windows(np.concatenate([windows.vectors, vectors])[order], owners[order])
    return replace(encoded, windows=windows)


def mixed(windows: Windows, rows: IntArray, vectors: FloatArray, alphas: FloatArray, weights: FloatArray) -> Windows:
    """The formula above for every window of a passage.

    rows: int64 (m,), which passage each of the m questions is of, as `windows.owners` counts them. vectors: float32
    (m, dim). alphas, weights: float32 (m,).
    """
    count = int(max(windows.owners.max(initial=-1), rows.max(initial=-1))) + 1
    sums = np.zeros((count, windows.vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, rows, (alphas * weights)[:, None] * vectors)
    asked = np.bincount(rows, minlength=count)
    alpha = np.bincount(rows, weights=alphas, minlength=count) / np.maximum(1, asked)
    made = (1.0 - alpha[windows.owners])[:, None].astype(np.float32) * windows.vectors + sums[windows.owners]
    lengths = np.linalg.norm(made, axis=1, keepdims=True)
    # A passage without questions keeps its vector to the last bit.
    touched = (asked[windows.owners] > 0)[:, None] & (lengths > 0)
    made = np.where(touched, made / np.where(touched, lengths, 1.0), windows.vectors)
    return Windows(made.astype(np.float32), windows.owners)
