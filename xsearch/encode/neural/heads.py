"""BGE-M3's two other heads (Chen et al. 2024, section 3.1): over the transformer's states, beside its dense vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from xsearch.core import BadInput
from xsearch.core.extras import need
from xsearch.encode.neural.checkpoint import brief

Finish = Callable[[dict[str, Any]], dict[str, Any]]
"""What is done with the last module's output."""


def read_linear(path: Path, torch: Any, like: Any) -> tuple[Any, Any]:
    """Weight (out, in) and bias (out,) of a head, of the type and on the device of the tensor `like`. Raises
    `BadInput` when the file holds something else."""
    try:
        if path.suffix == ".safetensors":
            state = need("safetensors.torch", "neural", "a neural encoder").load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        weight, bias = state["weight"], state["bias"]
    except Exception as error:
        # Unpickling raises anything.
        raise BadInput(f"no linear layer: {brief(error)}", str(path)) from error
    return weight.to(like), bias.to(like)


def token_vectors(weight: Any, bias: Any) -> Finish:
    """v_i = W h_i + b of every token but the first (the sequence's own)."""

    def finish(features: dict[str, Any]) -> dict[str, Any]:
        mask = features["attention_mask"].clone()
        mask[:, 0] = 0
        return {"token_embeddings": features["token_embeddings"] @ weight.T + bias, "attention_mask": mask}

    return finish


def token_weights(weight: Any, bias: Any, vocabulary: int, special: list[int], torch: Any) -> Finish:
    """w_t = max over the places i of term t of relu(W h_i + b), nothing for special tokens."""

    def finish(features: dict[str, Any]) -> dict[str, Any]:
        weights = torch.relu(features["token_embeddings"] @ weight.T + bias)[..., 0] * features["attention_mask"]
        numbers = features["input_ids"]
        found = torch.zeros(len(numbers), vocabulary, dtype=weights.dtype, device=weights.device)
        found.scatter_reduce_(1, numbers, weights, "amax")
        found[:, special] = 0
        return {"sentence_embedding": found}

    return finish
