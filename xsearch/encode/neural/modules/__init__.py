"""Modules: small sets of weights that turn one base transformer into a reranker for many languages.

A language module is learnt from a language's text, a ranking module from judgments in one language; a reranker stacks
the one on the other (Litschko et al. 2022). `card` reads and writes them, `bottleneck` and `merged` say what a module
does to the base's computation, `composition` puts stacks of modules on a base and sends each token through its own,
`ranker` scores pairs of query and passage. Nothing here imports torch before a base is loaded.
"""

from xsearch.encode.neural.modules.card import Module, ModuleCard, read_module, write_module
from xsearch.encode.neural.modules.composition import Composition
from xsearch.encode.neural.modules.folder import LanguageModules
from xsearch.encode.neural.modules.ranker import SETTINGS, ModularRanker, load_ranker

__all__ = [
    "SETTINGS",
    "Composition",
    "LanguageModules",
    "ModularRanker",
    "Module",
    "ModuleCard",
    "load_ranker",
    "read_module",
    "write_module",
]
