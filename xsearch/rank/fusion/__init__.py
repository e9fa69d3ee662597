"""Rankings → one Ranking: one published method a module, pure functions of a `Pool`."""

from xsearch.rank.fusion.calibration import Calibration
from xsearch.rank.fusion.candidates import Candidates, Fused, Judged, Part, Pool, pool
from xsearch.rank.fusion.fair import FairParameters, fair
from xsearch.rank.fusion.fuse import METHODS, fuse
from xsearch.rank.fusion.minmax import minmax
from xsearch.rank.fusion.roundrobin import roundrobin
from xsearch.rank.fusion.rrf import rrf
from xsearch.rank.fusion.zscore import zscore

__all__ = [
    "METHODS",
    "Calibration",
    "Candidates",
    "FairParameters",
    "Fused",
    "Judged",
    "Part",
    "Pool",
    "fair",
    "fuse",
    "minmax",
    "pool",
    "roundrobin",
    "rrf",
    "zscore",
]
