"""A language adapter of the package `adapters` (MAD-X and its kin on AdapterHub) → a language module of xsearch.

    encoders/convert/environment.sh madx-env
    madx-env/bin/python encoders/convert/madx.py ADAPTER --base BASE --lang sw --out modules/languages

ADAPTER is a folder as `save_adapter` writes it, BASE the folder of the model it was trained on (with
``model.safetensors``). Both programs then compute the states of some tokens, and nothing is written when they differ by
more than `TOLERANCE`. Runs in an environment of its own, which `environment.sh` makes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import adapters
import torch
import transformers

from xsearch.core import XSearchError
from xsearch.encode.card import SourceNote
from xsearch.encode.neural.fingerprint import fingerprint
from xsearch.encode.neural.modules import Composition, Module, ModuleCard, write_module

NAME = "converted"
TOLERANCE = 1e-3
TOKENS = (4, 48)
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "silu", "silu": "silu", "tanh": "tanh"}
FIXED = {
    "original_ln_after": True,
    "residual_before_ln": True,
    "adapter_residual_before_ln": False,
    "ln_before": False,
    "ln_after": False,
    "is_parallel": False,
    "use_gating": False,
    "cross_adapter": False,
    "phm_layer": False,
}
"""What a module of xsearch always is, under the names of `adapters`."""


def read(folder: Path, base: Path) -> tuple[Any, Any]:
    """(model with the adapter active, its configuration)."""
    model = transformers.AutoModel.from_pretrained(base).eval()
    adapters.init(model)
    model.load_adapter(str(folder), load_as=NAME, set_active=True, with_head=False)
    return model, model.adapters_config.get(NAME)


def settings_of(config: Any) -> dict[str, Any]:
    """The settings of the module. Ends the program for an adapter that computes something else."""
    other = {key: config[key] for key, value in FIXED.items() if config[key] != value}
    activation = ACTIVATIONS.get(str(config["non_linearity"]).lower())
    if other or activation is None or config["inv_adapter"] not in (None, "nice") or not _is_number(config["scaling"]):
        names = ("non_linearity", "inv_adapter", "scaling")
        sys.exit(f"this adapter cannot be converted: {other | {name: config[name] for name in names}}")
    reduction = config["reduction_factor"]
    return {
        "output": bool(config["output_adapter"]),
        "attention": bool(config["mh_adapter"]),
        "norm_before": bool(config["original_ln_before"]),
        "activation": activation,
        "reduction": float(reduction if _is_number(reduction) else reduction["default"]),
        "invertible": config["inv_adapter"] == "nice",
        "scaling": float(config["scaling"]),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def tensors_of(model: Any) -> dict[str, Any]:
    """The adapter's weights under xsearch's names."""
    found = {}
    for name, weight in model.named_parameters():
        if f".{NAME}." not in name:
            continue
        place, _, part = name.partition(f".{NAME}.")
        if place.endswith("invertible_adapters"):
            found[f"embeddings.{part}"] = weight
            continue
        block = place.replace("attention_adapters", "attention.output").replace("output_adapters", "output")
        block = block.removesuffix(".adapters")
        found[f"{block}.{part.replace('adapter_down.0', 'down').replace('adapter_up', 'up')}"] = weight
    return {name: weight.detach().clone() for name, weight in found.items()}


def difference(model: Any, body: Any, module: Module) -> tuple[float, float]:
    """(largest difference between both programs' states, largest change that the adapter makes)."""
    ids = torch.randint(5, body.config.vocab_size, TOKENS, generator=torch.Generator().manual_seed(1))
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    composition = Composition(body, torch)
    composition.check(module)
    with torch.no_grad():
        wanted = model(**given).last_hidden_state
        plain = body(**given).last_hidden_state
        composition.compose([[module]])
        made = body(**given).last_hidden_state
    composition.remove()
    return float((wanted - made).abs().max()), float((wanted - plain).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--lang", required=True, help="its language: sw, zh-Hant …")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--licence", default="")
    parser.add_argument("--origin", default="", help="where the adapter was published")
    given = parser.parse_args()
    model, config = read(given.adapter, given.base)
    body = transformers.AutoModel.from_pretrained(given.base).eval()
    card = ModuleCard(
        name=given.lang,
        kind="adapter",
        role="language",
        base=fingerprint(given.base, {}),
        lang=given.lang,
        base_name=given.base.resolve().name,
        licence=given.licence,
        description=f"converted from an adapter of the package adapters {adapters.__version__}",
        settings=settings_of(config),
        sources=(SourceNote(given.adapter.name, given.licence or "unknown", given.origin),),
    )
    module = Module(card, tensors_of(model))
    apart, change = difference(model, body, module)
    if apart > TOLERANCE:
        sys.exit(f"not written: states differ by {apart:.2g} from those of the package adapters")
    path = write_module(module, given.out)
    sys.stderr.write(f"{path}: states differ by at most {apart:.2g}; the adapter changes them by up to {change:.2g}\n")


if __name__ == "__main__":
    try:
        main()
    except XSearchError as error:
        sys.exit(str(error))
