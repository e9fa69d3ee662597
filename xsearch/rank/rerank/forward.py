"""Sequences of tokens through a model, in batches of about equally many tokens: one number a sequence."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from xsearch.core import BadInput, FloatArray
from xsearch.encode import Runtime
from xsearch.encode.neural.batches import Budget
from xsearch.encode.neural.tokens import pad_number
from xsearch.rank.rerank.opened import Opened

Features = dict[str, Any]


class Tokens(NamedTuple):
    """A sequence as a model reads it. ids: token numbers. types: 0 for the query's, 1 for the passage's."""

    ids: list[int]
    types: list[int]


class Forward:
    """A model that is asked for one number a sequence. One thread at a time drives it.

    score: gets a batch on the device and returns a tensor, one number a row. padding: the number to pad with, None for
    the tokenizer's. left: whether short sequences are filled up in front, so that all end together.
    """

    def __init__(
        self,
        opened: Opened,
        runtime: Runtime,
        score: Callable[[Features], Any],
        padding: int | None = None,
        left: bool = False,
    ) -> None:
        self._opened, self._score, self._left = opened, score, left
        self._budget = Budget(runtime.budget(opened.device), opened.device, opened.torch)
        self._padding = pad_number(opened.tokenizer) if padding is None else padding
        takes = inspect.signature(opened.model.forward).parameters
        self._types = "token_type_ids" in takes and "token_type_ids" in opened.tokenizer.model_input_names
        self._positions = left and "position_ids" in takes
        self._lock = threading.Lock()

    def run(self, sequences: Sequence[Tokens]) -> FloatArray:
        """The numbers, float32 (len(sequences),).

        A batch for which memory does not suffice is halved, and so are all later ones. Raises `BadInput` when not even
        one sequence fits, or a number is not finite.
        """
        lengths = np.array([len(sequence.ids) for sequence in sequences], dtype=np.int64)
        found = np.zeros(len(sequences), dtype=np.float32)
        with self._lock, self._opened.torch.inference_mode():
            pending = self._budget.batches(lengths)
            while pending:
                rows = pending.pop()
                try:
                    made = self._score(self._features([sequences[row] for row in rows]))
                    found[rows] = made.float().cpu().numpy()
                except Exception as error:
                    pending = self._budget.halve(error, rows, pending, lengths)
        if not np.isfinite(found).all():
            raise BadInput(
                f"{self._opened.checkpoint.folder} gives scores that are not finite: try --precision fp32, or fetch it "
                "again"
            )
        return found

    def _features(self, sequences: Sequence[Tokens]) -> Features:
        """One padded batch on the device."""
        torch, device = self._opened.torch, self._opened.device
        width = max(len(sequence.ids) for sequence in sequences)
        columns = {"input_ids": np.full((len(sequences), width), self._padding, dtype=np.int64)}
        columns["attention_mask"] = np.zeros_like(columns["input_ids"])
        if self._types:
            columns["token_type_ids"] = np.zeros_like(columns["input_ids"])
        for row, sequence in enumerate(sequences):
            size = len(sequence.ids)
            span = slice(width - size, width) if self._left else slice(0, size)
            columns["input_ids"][row, span] = sequence.ids
            columns["attention_mask"][row, span] = 1
            if self._types:
                columns["token_type_ids"][row, span] = sequence.types
        if self._positions:
            columns["position_ids"] = np.maximum(0, np.cumsum(columns["attention_mask"], axis=1) - 1)
        return {name: torch.from_numpy(column).to(device) for name, column in columns.items()}
