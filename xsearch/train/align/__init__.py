"""Parallel text → translation tables: word alignment of pieces, pruned, in one file."""

from xsearch.train.align.card import TablesCard
from xsearch.train.align.recipe import TablesRecipe, load_tables_recipe
from xsearch.train.align.training import train_tables

__all__ = ["TablesCard", "TablesRecipe", "load_tables_recipe", "train_tables"]
