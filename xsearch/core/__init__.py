"""The nouns every part shares (Document, Query, Ranking, Run, Qrels, Hit), errors, registry, optional imports.

Imports nothing of xsearch, and of other packages numpy only.
"""

from xsearch.core.batch import (
    Bags,
    FloatArray,
    IntArray,
    LocatedTokens,
    Mask,
    PassageBatch,
    QuestionTerms,
    SparseVectors,
    TokenVectors,
    Windows,
)
from xsearch.core.document import Document
from xsearch.core.errors import (
    BadInput,
    CannotWrite,
    EncoderMismatch,
    FilterError,
    IndexDamaged,
    IndexLocked,
    MissingExtra,
    UnknownLanguage,
    UsageError,
    WorkerDied,
    XSearchError,
)
from xsearch.core.hit import Explanation, Hit, QuestionMatch, Reranking, TokenMatch, WordMatch
from xsearch.core.qrels import Judgment, Qrels
from xsearch.core.query import AnalyzedClause, Clause, Query, QueryPieces, Spelling, Topic, Translations
from xsearch.core.ranking import Ranking
from xsearch.core.run import Run, ScoredDoc

__all__ = [
    "AnalyzedClause",
    "BadInput",
    "Bags",
    "CannotWrite",
    "Clause",
    "Document",
    "EncoderMismatch",
    "Explanation",
    "FilterError",
    "FloatArray",
    "Hit",
    "IndexDamaged",
    "IndexLocked",
    "IntArray",
    "Judgment",
    "LocatedTokens",
    "Mask",
    "MissingExtra",
    "PassageBatch",
    "Qrels",
    "Query",
    "QueryPieces",
    "QuestionMatch",
    "QuestionTerms",
    "Ranking",
    "Reranking",
    "Run",
    "ScoredDoc",
    "SparseVectors",
    "Spelling",
    "TokenMatch",
    "TokenVectors",
    "Topic",
    "Translations",
    "UnknownLanguage",
    "UsageError",
    "Windows",
    "WordMatch",
    "WorkerDied",
    "XSearchError",
]
