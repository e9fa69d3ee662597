"""Round robin: the lists take turns."""

from __future__ import annotations

import numpy as np

from xsearch.rank.fusion.candidates import Judged, Pool


def roundrobin(pool: Pool) -> Judged:
    """Interleave the lists: every list's first passage, then every second one, and so on.

    Voorhees, Gupta and Johnson-Laird, "The Collection Fusion Problem", TREC-3, 1995. Within a round the heavier
    retriever goes first, equal weights by name; a passage stands where it is reached first, and the list that
    would bring it again loses that turn. The score of the passage at place p = 1, 2, … is 1 / p. A retriever of
    weight 0 takes no turn.
    """
    turn = np.lexsort((np.arange(len(pool.weights)), -pool.weights))
    seat = np.empty(len(turn), dtype=np.int64)
    seat[turn] = np.arange(len(turn))
    never = np.iinfo(np.int64).max
    plays = (pool.ranks > 0) & (pool.weights > 0)[:, None]
    reached = np.where(plays, pool.ranks * len(turn) + seat[:, None], never).min(axis=0)
    place = np.empty(len(reached), dtype=np.int64)
    place[np.argsort(reached, kind="stable")] = np.arange(1, len(reached) + 1)
    scores = np.where(reached < never, 1.0 / place, 0.0)
    return Judged(scores, np.where(plays, scores, np.nan))
