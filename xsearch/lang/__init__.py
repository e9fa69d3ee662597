"""All that knows a language: codes, scripts, identification, normalisation, analyzers, sentences and passages.

Imports nothing of xsearch but core.
"""

from xsearch.lang.analyzers import Analyzer, Token, analyzer, coverage
from xsearch.lang.codes import (
    base_language,
    language_name,
    macrolanguage,
    normalize_code,
    same_language,
    usual_script,
)
from xsearch.lang.data_runs import data_runs
from xsearch.lang.identify import Identified, identify, identify_query
from xsearch.lang.passages import count_words, split_passages
from xsearch.lang.scripts import script_of, scripts_of
from xsearch.lang.sentences import sentences
from xsearch.lang.wordforms import joined_forms, query_spellings, word_forms
from xsearch.lang.zawgyi import to_unicode

__all__ = [
    "Analyzer",
    "Identified",
    "Token",
    "analyzer",
    "base_language",
    "count_words",
    "coverage",
    "data_runs",
    "identify",
    "identify_query",
    "joined_forms",
    "language_name",
    "macrolanguage",
    "normalize_code",
    "query_spellings",
    "same_language",
    "script_of",
    "scripts_of",
    "sentences",
    "split_passages",
    "to_unicode",
    "usual_script",
    "word_forms",
]
