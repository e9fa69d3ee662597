"""How a neural encoder is run: nothing here changes what is indexed beyond rounding, so no recipe holds it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from xsearch.core import UsageError

log = logging.getLogger(__name__)

PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
GPU_TOKENS = 65_536
CPU_TOKENS = 1024
"""A CPU is as fast on a thousand tokens as on more, and the fewer there are in a batch, the less of it is padding
(`eval/results/encode.jsonl`)."""


@dataclass(frozen=True)
class Runtime:
    """device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps", or several GPUs, "cuda:0,cuda:1".
    precision: of the network, "fp32", "bf16", "fp16" or, on the CPU, "int8"; "auto" is bf16 on a GPU that has it, else
    fp16, and on the CPU fp32. tokens: of a batch, padding included, 0 for a number that suits the device. trust: the
    commit or hash of a checkpoint that may run code when it is loaded.

    Raises `UsageError` for a precision nobody knows.
    """

    device: str = "auto"
    precision: str = "auto"
    tokens: int = 0
    trust: str | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision '{self.precision}': known are {', '.join(PRECISIONS)}")
        if self.tokens < 0:
            raise UsageError(f"tokens of a batch must be 0 or more, not {self.tokens}")

    def devices(self, torch: Any) -> list[str]:
        """The devices asked for. Raises `UsageError` for one this machine does not have."""
        if self.device == "auto":
            return ["cuda"] if torch.cuda.is_available() else ["cpu"]
        names = [name.strip() for name in self.device.split(",") if name.strip()]
        for name in names:
            kind, _, number = name.partition(":")
            has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
            if not has.get(kind, False) or not (number or "0").isdecimal():
                raise UsageError(f"no device '{name}' here: {', '.join(k for k, there in has.items() if there)}")
            if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
                raise UsageError(f"no device '{name}' here: there are {torch.cuda.device_count()} GPUs")
        if not names:
            raise UsageError(f"no device in '{self.device}'")
        return names

    def dtype(self, torch: Any, device: str) -> Any:
        """torch's type of the network's weights and activations on `device`."""
        on_gpu = not device.startswith("cpu")
        if self.precision == "auto":
            if not on_gpu:
                return torch.float32
            return torch.bfloat16 if device.startswith("cuda") and torch.cuda.is_bf16_supported() else torch.float16
        if self.precision == "int8":
            if on_gpu:
                raise UsageError("precision int8 is for the CPU: choose bf16 or fp16 on a GPU")
            return torch.float32
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[self.precision]

    def budget(self, device: str, on_cpu: int = CPU_TOKENS) -> int:
        """Tokens of a batch on `device`."""
        return self.tokens or (on_cpu if device.startswith("cpu") else GPU_TOKENS)
