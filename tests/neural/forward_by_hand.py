"""What modules on a base are compared with: BERT's forward with adapters, written out from its weights alone."""

from __future__ import annotations

import numpy as np
import tiny_models as tiny
import tiny_modules as made
import torch
from torch.nn import functional

from xsearch.encode.neural.modules.pairs import PairTokens

QUERIES = ["the bridge was closed", "река затопила город", "the old town"]
PASSAGES = [tiny.TEXTS[1], tiny.TEXTS[0], tiny.TEXTS[4]]
PFEIFFER = {"invertible": True}
HOULSBY = {"attention": True, "norm_before": False}


def batch(base, count=3):
    pairs = PairTokens(base.tokenizer, 128).tokenise(QUERIES[:count], PASSAGES[:count])
    grids = pairs.padded(np.arange(count), base.tokenizer.pad_token_id)
    return [torch.from_numpy(grid) for grid in grids]


def states(base, given):
    with torch.no_grad():
        return base.states(*given[:3])


def by_hand(base, given, stack=(), coupled=False):
    """BERT's forward from its weights alone, with a stack of adapters: Devlin et al. 2019 and the equations of
    `bottleneck`. No dropout; additive mask."""
    weights, heads = base.body.state_dict(), base.body.config.num_attention_heads
    numbers, mask, types = given[:3]
    hidden = made.HIDDEN

    def dense(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, x):
        x = x - x.mean(-1, keepdim=True)
        x = x / torch.sqrt((x**2).mean(-1, keepdim=True) + base.body.config.layer_norm_eps)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def adapted(place, h, x):
        for module in stack:
            t = module.tensors
            if f"{place}.up.weight" not in t:
                continue
            n = norm(f"{place}.LayerNorm", h + x) if module.card.settings.get("norm_before", True) else h
            inner = torch.relu(n @ t[f"{place}.down.weight"].T + t[f"{place}.down.bias"])
            h = h + inner @ t[f"{place}.up.weight"].T + t[f"{place}.up.bias"]
        return norm(f"{place}.LayerNorm", h + x)

    x = weights["embeddings.word_embeddings.weight"][numbers]
    x = x + weights["embeddings.position_embeddings.weight"][: numbers.shape[1]]
    x = norm("embeddings.LayerNorm", x + weights["embeddings.token_type_embeddings.weight"][types])
    for module in stack if coupled else ():
        t = module.tensors
        if "embeddings.F.0.weight" in t:

            def net(name, v, t=t):
                v = torch.relu(v @ t[f"embeddings.{name}.0.weight"].T + t[f"embeddings.{name}.0.bias"])
                return v @ t[f"embeddings.{name}.2.weight"].T + t[f"embeddings.{name}.2.bias"]

            first, second = x[..., : hidden // 2], x[..., hidden // 2 :]
            first = first + net("F", second)
            x = torch.cat([first, second + net("G", first)], -1)
    for layer in range(made.LAYERS):
        start = f"encoder.layer.{layer}"
        split = [
            dense(f"{start}.attention.self.{name}", x).unflatten(-1, (heads, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        ]
        scores = split[0] @ split[1].transpose(-1, -2) / (hidden // heads) ** 0.5
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -torch.inf)
        context = (scores.softmax(-1) @ split[2]).transpose(1, 2).flatten(-2)
        x = adapted(f"{start}.attention.output", dense(f"{start}.attention.output.dense", context), x)
        inner = functional.gelu(dense(f"{start}.intermediate.dense", x))
        x = adapted(f"{start}.output", dense(f"{start}.output.dense", inner), x)
    return x
