"""Text and judgments → weights: static encoders from parallel text."""

from xsearch.train.evaluate_static import score_folder
from xsearch.train.progress import Progress
from xsearch.train.recipe import StaticRecipe, load_recipe
from xsearch.train.static import train_static

__all__ = ["Progress", "StaticRecipe", "load_recipe", "score_folder", "train_static"]
