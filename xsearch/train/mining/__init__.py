"""Pairs to train on from a user's own documents: within them, and between documents in different languages."""

from xsearch.train.mining.mine import MiningOptions, MiningReport, mine_pairs
from xsearch.train.mining.pair import ORIGINS, Origin, TrainingPair

__all__ = ["ORIGINS", "MiningOptions", "MiningReport", "Origin", "TrainingPair", "mine_pairs"]
