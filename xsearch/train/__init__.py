"""Text and judgments → weights: static encoders from parallel text."""

from xsearch.train.recipe import StaticRecipe, load_recipe
from xsearch.train.static import Progress, train_static

__all__ = ["Progress", "StaticRecipe", "load_recipe", "train_static"]
