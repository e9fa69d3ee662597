"""The small reranker's weights from parallel text: questions are asked of an index of it, and lists of passages learnt
from.

`questions` makes documents and questions, `lists` searches, `listwise` fits, `training` puts it together.
"""

from xsearch.train.small_reranker.recipe import SmallRecipe, load_small_recipe
from xsearch.train.small_reranker.training import train_small_reranker

__all__ = ["SmallRecipe", "load_small_recipe", "train_small_reranker"]
