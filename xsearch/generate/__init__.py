"""Passages → the questions they answer, in other languages: by translation tables, or by a model.

Imports core, lang and encode.
"""

from xsearch.generate.lexical import LexicalGenerator
from xsearch.generate.protocol import Made, QuestionGenerator, SourcePassage
from xsearch.generate.sieve import fault

__all__ = ["LexicalGenerator", "Made", "QuestionGenerator", "SourcePassage", "fault"]
