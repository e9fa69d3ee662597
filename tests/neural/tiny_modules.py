"""Modules of random weights for small bases, in the form they have on disk."""

from __future__ import annotations

import torch

from xsearch.encode.neural.modules import Module, ModuleCard

HIDDEN, INNER, LAYERS = 32, 48, 2


def numbers(*shape: int, seed: int, scale: float = 0.3) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def adapter(base: str, lang: str = "", seed: int = 0, head: bool = False, **settings) -> Module:
    """Bottlenecks of 8 numbers, a coupling of 4 inside."""
    places = ["output"] if settings.get("output", True) else []
    places += ["attention.output"] if settings.get("attention") else []
    tensors = {}
    for layer in range(LAYERS):
        for name in places:
            place, start = f"encoder.layer.{layer}.{name}", seed * 1000 + layer * 10 + len(name)
            tensors[f"{place}.down.weight"] = numbers(8, HIDDEN, seed=start)
            tensors[f"{place}.down.bias"] = numbers(8, seed=start + 1)
            tensors[f"{place}.up.weight"] = numbers(HIDDEN, 8, seed=start + 2)
            tensors[f"{place}.up.bias"] = numbers(HIDDEN, seed=start + 3)
    if settings.get("invertible"):
        for n, net in enumerate("FG"):
            tensors[f"embeddings.{net}.0.weight"] = numbers(4, HIDDEN // 2, seed=seed * 1000 + 500 + n)
            tensors[f"embeddings.{net}.0.bias"] = numbers(4, seed=seed * 1000 + 510 + n)
            tensors[f"embeddings.{net}.2.weight"] = numbers(HIDDEN // 2, 4, seed=seed * 1000 + 520 + n)
            tensors[f"embeddings.{net}.2.bias"] = numbers(HIDDEN // 2, seed=seed * 1000 + 530 + n)
    return module("adapter", base, lang, tensors, head, seed, {"reduction": 4.0, **settings})


def sparse(base: str, body, lang: str = "", seed: int = 0, head: bool = False, entries: int = 40) -> Module:
    """`entries` changes in every linear layer of the encoder, its biases and the table of words."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, parameter in body.named_parameters():
        if "LayerNorm" in name or not name.startswith(("encoder.", "embeddings.word_embeddings.")):
            continue
        count = min(entries, parameter.numel() // 2)
        places = torch.randperm(parameter.numel(), generator=generator)[:count].sort().values
        tensors[f"{name}.indices"] = places.to(torch.int32)
        tensors[f"{name}.values"] = torch.randn(count, generator=generator)
    return module("sft", base, lang, tensors, head, seed, {"entries": entries})


def low_rank(base: str, lang: str = "", seed: int = 0, head: bool = False) -> Module:
    tensors = {}
    for layer in range(LAYERS):
        for n, name in enumerate(("query", "value")):
            place, start = f"encoder.layer.{layer}.attention.self.{name}", seed * 1000 + layer * 10 + n
            tensors[f"{place}.lora_A.weight"] = numbers(4, HIDDEN, seed=start)
            tensors[f"{place}.lora_B.weight"] = numbers(HIDDEN, 4, seed=start + 5)
    return module("lora", base, lang, tensors, head, seed, {"rank": 4, "alpha": 8.0, "targets": ["query", "value"]})


def scaling(base: str, lang: str = "", seed: int = 0, head: bool = False) -> Module:
    tensors = {}
    for layer in range(LAYERS):
        place = f"encoder.layer.{layer}"
        tensors[f"{place}.attention.self.key.ia3_l"] = 1 + numbers(HIDDEN, 1, seed=seed * 100 + layer)
        tensors[f"{place}.output.dense.ia3_l"] = 1 + numbers(1, INNER, seed=seed * 100 + layer + 50)
    return module("ia3", base, lang, tensors, head, seed, {"targets": ["key", "output.dense"]})


def module(kind, base, lang, tensors, head, seed, settings) -> Module:
    if head:
        tensors |= {"head.weight": numbers(1, HIDDEN, seed=seed + 9000), "head.bias": numbers(1, seed=seed + 9001)}
    role = "ranking" if head else "language"
    card = ModuleCard(lang or f"{kind}-{seed}", kind, role, base, lang, settings=settings)
    return Module(card, tensors)
