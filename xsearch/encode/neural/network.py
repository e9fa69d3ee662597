"""A checkpoint run by torch: token numbers in, the last module's output out, batch by batch.

sentence-transformers builds the modules (transformer, pooling, projections, masks); batches are made here, because its
own `encode` sorts by characters and pads batches of a fixed number of texts. Batches are put together and handed to
the device in one thread while the network computes in another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from xsearch.core import IntArray
from xsearch.encode.neural.batches import Budget
from xsearch.encode.neural.heads import Finish
from xsearch.encode.neural.runtime import Runtime
from xsearch.encode.neural.tokens import pad_number

Features = dict[str, Any]
Consumer = Callable[[IntArray, Features], None]
"""Takes the rows of a batch and what the last module made of them."""


@dataclass(frozen=True)
class Expansion:
    """Query augmentation (Khattab and Zaharia 2020, section 3.2): queries are filled up to `length` tokens with token
    number `token`. attended: whether the others may attend to the added ones."""

    length: int
    token: int
    attended: bool


class Network:
    """The modules of one model on one device. Safe to share between threads.

    model: of sentence-transformers, any of its three classes. finish: is given the last module's output and returns
    what consumers get.
    """

    def __init__(self, model: Any, torch: Any, device: str, runtime: Runtime) -> None:
        self.model, self.torch, self.device = model, torch, device
        self.budget = Budget(runtime.budget(device), device, torch)
        self.finish: Finish = lambda outputs: outputs
        self._thread = ThreadPoolExecutor(1, "xsearch-batches")

    def first(self, task: str) -> Any:
        """The module that reads the tokens of queries ("query") or passages ("document")."""
        module = self.model[0]
        routes = getattr(module, "sub_modules", None)
        if routes is None:
            return module
        return routes[task if task in routes else module.default_route][0]

    def drop_tokens(self, numbers: Sequence[int]) -> None:
        """Leave passages' tokens of these numbers out of what counts, and no others."""
        for module in self.model:
            if hasattr(module, "skiplist_words"):
                module.skiplist_words = []
                module.resolve_with_tokenizer(self.model.tokenizer)
        torch, before = self.torch, self.finish
        dropped = torch.tensor(list(numbers), device=self.device)

        def finish(outputs: Features) -> Features:
            outputs = before(outputs)
            if "query_expansion_positions" not in outputs:
                outputs["attention_mask"] = outputs["attention_mask"].bool() & ~torch.isin(
                    outputs["input_ids"], dropped
                )
            return outputs

        self.finish = finish

    def run(
        self,
        ids: Sequence[list[int]],
        task: str,
        consume: Consumer,
        expansion: Expansion | None = None,
        module: int | None = None,
    ) -> None:
        """Send windows, a list of token numbers each, through the network; `consume` gets every batch's rows and
        outputs, on the device, in an order of the network's choosing.

        module: the language module of X-MOD that reads them all, None for other networks. A batch for which memory does
        not suffice is halved, and so are all later ones. Raises `BadInput` when not even one window fits.
        """
        floor = expansion.length if expansion else 0
        lengths = np.array([max(floor, len(row)) for row in ids], dtype=np.int64)
        pending = self.budget.batches(lengths)
        padding = pad_number(self.first(task).tokenizer)
        ahead = None
        with self.torch.inference_mode():
            while pending:
                rows = pending.pop()
                features = ahead.result() if ahead else self._features([ids[r] for r in rows], padding, expansion)
                ahead = None
                if pending:
                    following = [ids[r] for r in pending[-1]]
                    ahead = self._thread.submit(self._features, following, padding, expansion)
                if module is not None:
                    features["lang_ids"] = self.torch.full((len(rows),), module, device=self.device)
                try:
                    consume(rows, self._forward(features, task))
                except Exception as error:
                    pending, ahead = self.budget.halve(error, rows, pending, lengths), None

    def _forward(self, features: Features, task: str) -> Features:
        return self.finish(self.model(features, task=task))

    def _features(self, ids: list[list[int]], padding: int, expansion: Expansion | None) -> Features:
        """One padded batch on the device."""
        torch = self.torch
        width = max(expansion.length if expansion else 1, *(len(row) for row in ids))
        numbers = np.full((len(ids), width), padding, dtype=np.int64)
        mask = np.zeros((len(ids), width), dtype=np.int64)
        for row, window in enumerate(ids):
            numbers[row, : len(window)] = window
            mask[row, : len(window)] = 1
        features: Features = {"modality": "text"}
        if expansion:
            added = (mask == 0) & (np.arange(width) < expansion.length)
            numbers[added] = expansion.token
            if expansion.attended:
                mask[added] = 1
            features["query_expansion_positions"] = torch.from_numpy(added).to(self.device)
        features["input_ids"] = torch.from_numpy(numbers).to(self.device, non_blocking=True)
        features["attention_mask"] = torch.from_numpy(mask).to(self.device, non_blocking=True)
        return features
