"""MaxSim on a GPU by torch, with the scores that NumPy gives: dot products are whole numbers that float32 holds."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from xsearch.core import FloatArray, IntArray
from xsearch.core.extras import need
from xsearch.retrieve.colbert.codebook import Codebook
from xsearch.retrieve.colbert.segment import Tokens


class OnDevice:
    """Scores passages on a device of torch. The codebook lies there; codes are sent with each query: some megabytes."""

    def __init__(self, book: Codebook, device: str) -> None:
        self._torch: Any = need("torch", "neural", "late interaction on a device")
        self._device, self._dim = device, book.dim
        self._centroids = self._send(book.centroids.astype(np.float32))
        self._byte_weights = self._send(book.byte_weights.astype(np.float32))

    def best_tokens(self, held: Tokens, rows: IntArray, asked: FloatArray) -> FloatArray:
        """What `scoring.best_tokens` gives. Raises IndexError for a centroid that there is not."""
        torch = self._torch
        tokens, starts = held.of(rows)
        vectors = self._byte_weights[self._send(held.codes[tokens]).long()].flatten(1)[:, : self._dim]
        if len(held.cells):
            cells = held.cells[tokens].astype(np.int64)
            # A GPU that reads beyond a table is lost to the process: it must not come to that.
            if cells.max(initial=0) >= len(self._centroids):
                raise IndexError("a centroid that there is not")
            vectors = vectors + self._centroids[self._send(cells)]
        scales = 1.0 / ((vectors * vectors).sum(1) + 1.0).double().sqrt()
        similar = (vectors @ self._send(asked).T) * scales.float()[:, None]
        owners = self._send(np.repeat(np.arange(len(rows)), np.diff(starts)))
        best = torch.full((len(rows), len(asked)), -torch.inf, device=self._device)
        best.scatter_reduce_(0, owners[:, None].expand_as(similar), similar, "amax")
        found: FloatArray = best.cpu().numpy()
        return found

    def _send(self, array: Any) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def gpu(device: str) -> str | None:
    """The device of torch that late interaction is to use, None for the CPU, where torch is not needed.

    device: as `encode.Runtime` has it. "auto" is a GPU where the encoder of the queries has loaded torch and found one.
    """
    first = device.split(",")[0].strip()
    if first == "auto":
        torch: Any = sys.modules.get("torch")
        return "cuda" if torch is not None and torch.cuda.is_available() else None
    return None if first == "cpu" else first
